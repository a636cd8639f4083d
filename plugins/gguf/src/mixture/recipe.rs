//! The reference's file types: name, number, and the encoding most tensors get.

use llmq_ggml_blocks::BlockType;

macro_rules! recipes {
    ($($variant:ident $name:literal $file_type:literal $base:ident;)*) => {
        /// A level of llama-quantize.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Recipe { $($variant,)* }

        impl Recipe {
            /// Every level, in the order of the numbers.
            pub const ALL: &'static [Recipe] = &[$(Recipe::$variant,)*];

            /// The usual name, such as `Q4_K_M`.
            pub const fn name(self) -> &'static str {
                match self { $(Recipe::$variant => $name,)* }
            }

            /// `general.file_type`.
            pub const fn file_type(self) -> u32 {
                match self { $(Recipe::$variant => $file_type,)* }
            }

            /// The encoding that every tensor gets unless a rule says otherwise.
            pub const fn base(self) -> BlockType {
                match self { $(Recipe::$variant => BlockType::$base,)* }
            }
        }
    };
}

recipes! {
    F32 "F32" 0 F32;
    F16 "F16" 1 F16;
    Q4_0 "Q4_0" 2 Q4_0;
    Q4_1 "Q4_1" 3 Q4_1;
    Q8_0 "Q8_0" 7 Q8_0;
    Q5_0 "Q5_0" 8 Q5_0;
    Q5_1 "Q5_1" 9 Q5_1;
    Q2_K "Q2_K" 10 Q2_K;
    Q3_K_S "Q3_K_S" 11 Q3_K;
    Q3_K_M "Q3_K_M" 12 Q3_K;
    Q3_K_L "Q3_K_L" 13 Q3_K;
    Q4_K_S "Q4_K_S" 14 Q4_K;
    Q4_K_M "Q4_K_M" 15 Q4_K;
    Q5_K_S "Q5_K_S" 16 Q5_K;
    Q5_K_M "Q5_K_M" 17 Q5_K;
    Q6_K "Q6_K" 18 Q6_K;
    IQ2_XXS "IQ2_XXS" 19 IQ2_XXS;
    IQ2_XS "IQ2_XS" 20 IQ2_XS;
    Q2_K_S "Q2_K_S" 21 Q2_K;
    IQ3_XS "IQ3_XS" 22 IQ3_S;
    IQ3_XXS "IQ3_XXS" 23 IQ3_XXS;
    IQ1_S "IQ1_S" 24 IQ1_S;
    IQ4_NL "IQ4_NL" 25 IQ4_NL;
    IQ3_S "IQ3_S" 26 IQ3_S;
    IQ3_M "IQ3_M" 27 IQ3_S;
    IQ2_S "IQ2_S" 28 IQ2_XS;
    IQ2_M "IQ2_M" 29 IQ2_S;
    IQ4_XS "IQ4_XS" 30 IQ4_XS;
    IQ1_M "IQ1_M" 31 IQ1_M;
    BF16 "BF16" 32 BF16;
    TQ1_0 "TQ1_0" 36 TQ1_0;
    TQ2_0 "TQ2_0" 37 TQ2_0;
    MXFP4_MOE "MXFP4_MOE" 38 MXFP4;
    Q1_0 "Q1_0" 40 Q1_0;
    Q2_0 "Q2_0" 41 Q2_0;
}

impl Recipe {
    /// The level of this name, ASCII case ignored.
    pub fn from_name(name: &str) -> Option<Recipe> {
        Self::ALL.iter().copied().find(|recipe| recipe.name().eq_ignore_ascii_case(name))
    }

    /// The level behind `general.file_type`; retired numbers have none.
    pub fn from_file_type(file_type: u32) -> Option<Recipe> {
        Self::ALL.iter().copied().find(|recipe| recipe.file_type() == file_type)
    }

    /// Whether weights stay floating point: then no rule and no fallback applies.
    pub fn is_float(self) -> bool {
        matches!(self, Recipe::F32 | Recipe::F16 | Recipe::BF16)
    }

    /// Whether the reference refuses to make this level without an importance matrix.
    pub fn needs_importance(self) -> bool {
        use Recipe::*;
        self.is_tiny() || matches!(self, Q2_K_S | IQ3_XXS | IQ3_XS)
    }

    /// Whether the reference refuses to give a tensor this encoding without importance for it. Embeddings and output,
    /// which importance matrices do not hold, are excepted.
    pub fn needs_importance_for(self, tensor: &str, encoding: BlockType) -> bool {
        use BlockType::*;
        let excepted = matches!(tensor, "token_embd.weight" | "per_layer_token_embd.weight" | "output.weight");
        let needy = matches!(encoding, IQ1_S | IQ1_M | IQ2_XXS | IQ2_XS | IQ2_S | IQ3_XXS);
        !excepted && (needy || (encoding == Q2_K && self == Recipe::Q2_K_S))
    }

    /// The levels below 2.8 bits that share one set of rules.
    pub(super) fn is_tiny(self) -> bool {
        use Recipe::*;
        matches!(self, IQ1_S | IQ1_M | IQ2_XXS | IQ2_XS | IQ2_S | IQ2_M)
    }
}
