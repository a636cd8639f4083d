//! What can be wrong with a call: sizes that do not fit, types without a codec, blocks that are not finite.

use crate::BlockType;

/// Why rows could not be quantized, dequantized or accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The row length is not a whole number of blocks.
    #[error("a row of {cols} weights is not a whole number of {ty} blocks of {block}; choose a type whose block divides the row", ty = .ty.name(), block = .ty.block_len())]
    RaggedRow {
        /// The block type asked for.
        ty: BlockType,
        /// Weights per row.
        cols: u64,
    },
    /// The size in bytes does not fit the machine's integers.
    #[error("the size of {count} weights as {ty} does not fit in 64 bits", ty = .ty.name())]
    Overflow {
        /// The block type asked for.
        ty: BlockType,
        /// Weights in the row or tensor.
        count: u64,
    },
    /// The weights handed over are not whole rows.
    #[error("{len} weights are not whole rows of {cols}")]
    PartialRow {
        /// Weights handed over.
        len: usize,
        /// Weights per row.
        cols: usize,
    },
    /// The byte buffer has the wrong length.
    #[error("{ty} needs {want} bytes for these weights, the buffer has {have}", ty = .ty.name())]
    ByteLength {
        /// The block type asked for.
        ty: BlockType,
        /// Bytes needed.
        want: usize,
        /// Bytes in the buffer.
        have: usize,
    },
    /// The bytes are not a whole number of blocks.
    #[error("{have} bytes are not a whole number of {ty} blocks of {block} bytes", ty = .ty.name(), block = .ty.block_bytes())]
    PartialBlock {
        /// The block type asked for.
        ty: BlockType,
        /// Bytes handed over.
        have: usize,
    },
    /// There must be one importance weight per column.
    #[error("{have} importance weights for rows of {cols}; there must be one per column")]
    ImportanceLength {
        /// Weights per row.
        cols: usize,
        /// Importance weights handed over.
        have: usize,
    },
    /// The processor cannot take the path asked for.
    #[error("this processor has no path {0}")]
    PathMissing(crate::Path),
    /// The type cannot be written without importance weights.
    #[error("{ty} cannot be written without importance weights", ty = .0.name())]
    ImportanceNeeded(BlockType),
    /// No quantizer for this type is in this crate.
    #[error("{ty} cannot be written yet", ty = .0.name())]
    CannotQuantize(BlockType),
    /// No dequantizer for this type is in this crate.
    #[error("{ty} cannot be read yet", ty = .0.name())]
    CannotDequantize(BlockType),
    /// A stored scale or value is NaN or infinite.
    #[error("{ty} block {block}: the stored {field} is not finite; the source weights hold NaN, infinity or values beyond what {ty} can scale", ty = .ty.name())]
    NotFinite {
        /// The block type.
        ty: BlockType,
        /// Index of the block in the bytes handed over.
        block: usize,
        /// Which stored number: `scale`, `minimum` or `value`.
        field: &'static str,
    },
}
