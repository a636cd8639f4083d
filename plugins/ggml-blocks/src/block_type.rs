//! The table of ggml's tensor types: id, name, weights per block and bytes per block.

use crate::BlockError;

macro_rules! block_types {
    ($($variant:ident $id:literal $name:literal $len:literal $bytes:literal $doc:literal;)*) => {
        /// A ggml tensor type, as stored in the `type` field of a GGUF tensor.
        ///
        /// All types of the reference are named so that files can be listed and sized;
        /// [`can_quantize`](Self::can_quantize) and [`can_dequantize`](Self::can_dequantize) tell which have a codec here.
        /// The order is that of the ids.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(non_camel_case_types)]
        #[non_exhaustive]
        pub enum BlockType {
            $(#[doc = $doc] $variant,)*
        }

        impl BlockType {
            /// Every type, in the order of the ids.
            pub const ALL: &'static [BlockType] = &[$(BlockType::$variant),*];

            /// The number that stands for this type in a GGUF file.
            pub const fn id(self) -> u32 {
                match self { $(BlockType::$variant => $id,)* }
            }

            /// The type with this id. Ids that the reference has retired (4, 5, 31-33, 36-38) have none.
            pub const fn from_id(id: u32) -> Option<BlockType> {
                match id { $($id => Some(BlockType::$variant),)* _ => None }
            }

            /// The usual name, such as `Q4_K`.
            pub const fn name(self) -> &'static str {
                match self { $(BlockType::$variant => $name,)* }
            }

            /// Weights per block (1 for plain number types).
            pub const fn block_len(self) -> usize {
                match self { $(BlockType::$variant => $len,)* }
            }

            /// Bytes per block.
            pub const fn block_bytes(self) -> usize {
                match self { $(BlockType::$variant => $bytes,)* }
            }
        }
    };
}

block_types! {
    F32 0 "F32" 1 4 "IEEE single precision.";
    F16 1 "F16" 1 2 "IEEE half precision.";
    Q4_0 2 "Q4_0" 32 18 "4-bit, one scale per 32.";
    Q4_1 3 "Q4_1" 32 20 "4-bit, scale and minimum per 32.";
    Q5_0 6 "Q5_0" 32 22 "5-bit, one scale per 32.";
    Q5_1 7 "Q5_1" 32 24 "5-bit, scale and minimum per 32.";
    Q8_0 8 "Q8_0" 32 34 "8-bit, one scale per 32.";
    Q8_1 9 "Q8_1" 32 36 "8-bit activations with their sum; never stored in files.";
    Q2_K 10 "Q2_K" 256 84 "2-bit super-block, 4-bit scales and minimums per 16.";
    Q3_K 11 "Q3_K" 256 110 "3-bit super-block, 6-bit scales per 16.";
    Q4_K 12 "Q4_K" 256 144 "4-bit super-block, 6-bit scales and minimums per 32.";
    Q5_K 13 "Q5_K" 256 176 "5-bit super-block, 6-bit scales and minimums per 32.";
    Q6_K 14 "Q6_K" 256 210 "6-bit super-block, 8-bit scales per 16.";
    Q8_K 15 "Q8_K" 256 292 "8-bit activations for the K types; never stored in files.";
    IQ2_XXS 16 "IQ2_XXS" 256 66 "2.06-bit lattice codebook.";
    IQ2_XS 17 "IQ2_XS" 256 74 "2.31-bit lattice codebook.";
    IQ3_XXS 18 "IQ3_XXS" 256 98 "3.06-bit lattice codebook.";
    IQ1_S 19 "IQ1_S" 256 50 "1.56-bit codebook.";
    IQ4_NL 20 "IQ4_NL" 32 18 "4-bit non-linear levels, one scale per 32.";
    IQ3_S 21 "IQ3_S" 256 110 "3.44-bit lattice codebook.";
    IQ2_S 22 "IQ2_S" 256 82 "2.56-bit lattice codebook.";
    IQ4_XS 23 "IQ4_XS" 256 136 "4-bit non-linear levels, 6-bit scales per 32.";
    I8 24 "I8" 1 1 "8-bit integer.";
    I16 25 "I16" 1 2 "16-bit integer.";
    I32 26 "I32" 1 4 "32-bit integer.";
    I64 27 "I64" 1 8 "64-bit integer.";
    F64 28 "F64" 1 8 "IEEE double precision.";
    IQ1_M 29 "IQ1_M" 256 56 "1.75-bit codebook.";
    BF16 30 "BF16" 1 2 "bfloat16, the upper half of a single.";
    TQ1_0 34 "TQ1_0" 256 54 "Ternary, five weights per byte.";
    TQ2_0 35 "TQ2_0" 256 66 "Ternary, four weights per byte.";
    MXFP4 39 "MXFP4" 32 17 "OCP microscaling 4-bit float.";
    NVFP4 40 "NVFP4" 64 36 "4-bit float with 8-bit float scales per 16.";
    Q1_0 41 "Q1_0" 128 18 "1-bit, one scale per 128.";
    Q2_0 42 "Q2_0" 64 18 "2-bit, one scale per 64.";
}

impl BlockType {
    /// The type of this name, in any mixture of upper and lower case.
    pub fn from_name(name: &str) -> Option<BlockType> {
        Self::ALL.iter().copied().find(|ty| ty.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of one row of `cols` weights.
    ///
    /// # Errors
    /// When `cols` is not a whole number of blocks, or the size does not fit in 64 bits.
    pub fn row_bytes(self, cols: u64) -> Result<u64, BlockError> {
        let len = self.block_len() as u64;
        if !cols.is_multiple_of(len) {
            return Err(BlockError::RaggedRow { ty: self, cols });
        }
        (cols / len).checked_mul(self.block_bytes() as u64).ok_or(BlockError::Overflow { ty: self, count: cols })
    }

    /// Stored bits per weight, scales included.
    pub fn bits_per_weight(self) -> f64 {
        8.0 * self.block_bytes() as f64 / self.block_len() as f64
    }

    /// Whether [`quantize_rows`](crate::quantize_rows) writes this type.
    pub const fn can_quantize(self) -> bool {
        use BlockType::*;
        let whole_numbers = matches!(self, I8 | I16 | I32 | I64 | F64);
        let activations = matches!(self, Q8_1 | Q8_K);
        !(whole_numbers || activations)
    }

    /// Whether [`quantize_rows`](crate::quantize_rows) writes this type only under importance weights.
    pub const fn needs_importance(self) -> bool {
        matches!(self, BlockType::IQ1_S | BlockType::IQ2_XXS | BlockType::IQ2_XS)
    }

    /// Whether [`dequantize_rows`](crate::dequantize_rows) reads this type.
    pub const fn can_dequantize(self) -> bool {
        self.can_quantize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_unique_and_reversible() {
        for pair in BlockType::ALL.windows(2) {
            assert!(pair[0].id() < pair[1].id());
            assert!(pair[0] < pair[1]);
        }
        for &ty in BlockType::ALL {
            assert_eq!(BlockType::from_id(ty.id()), Some(ty));
            assert_eq!(BlockType::from_name(&ty.name().to_lowercase()), Some(ty));
        }
        for retired in [4, 5, 31, 32, 33, 36, 37, 38, 43, u32::MAX] {
            assert_eq!(BlockType::from_id(retired), None);
        }
        assert_eq!(BlockType::from_name("Q4_K_M"), None);
    }

    #[test]
    fn rows_are_sized_or_refused() {
        assert_eq!(BlockType::Q4_K.row_bytes(4096), Ok(16 * 144));
        assert_eq!(BlockType::F16.row_bytes(3), Ok(6));
        assert_eq!(BlockType::Q8_0.row_bytes(33), Err(BlockError::RaggedRow { ty: BlockType::Q8_0, cols: 33 }));
        let count = u64::MAX / 2;
        assert_eq!(BlockType::F64.row_bytes(count), Err(BlockError::Overflow { ty: BlockType::F64, count }));
        assert_eq!(BlockType::Q4_K.bits_per_weight(), 4.5);
    }
}
