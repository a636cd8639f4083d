//! What can be wrong with an importance matrix, as sentences with numbers.

use crate::container::ContainerError;

/// Why a file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImatrixError {
    /// The GGUF header itself is damaged.
    #[error("{0}")]
    Container(#[from] ContainerError),
    /// A GGUF file of another kind.
    #[error("the file is a GGUF file of type `{0}`, not an importance matrix")]
    OtherKind(String),
    /// A key that every importance matrix has.
    #[error("the key `{0}` is missing or has the wrong type; the file was not written by llama-imatrix")]
    Key(&'static str),
    /// Sums without counts or the reverse.
    #[error("the entry `{name}` has no `{missing}`")]
    Half {
        /// Tensor name.
        name: String,
        /// What is missing.
        missing: &'static str,
    },
    /// Something other than single precision.
    #[error("`{name}` is stored as {encoding}; sums and counts are F32")]
    Encoding {
        /// Name in the file.
        name: String,
        /// What it is.
        encoding: &'static str,
    },
    /// A number of values that the counts do not divide.
    #[error("the entry `{name}` has {values} values for {counts} counts, which are no equal vectors")]
    Ragged {
        /// Tensor name.
        name: String,
        /// Number of values.
        values: u64,
        /// Number of counts.
        counts: u64,
    },
    /// A count that counts nothing.
    #[error("count {index} of the entry `{name}` is {count}, which is no number of tokens")]
    Count {
        /// Tensor name.
        name: String,
        /// Which vector.
        index: usize,
        /// The value found.
        count: String,
    },
    /// A file without entries.
    #[error("the file holds no entries")]
    Empty,
    /// The older form ends early or claims more than the file holds.
    #[error(
        "entry {entry} claims {wanted} bytes for {what} at byte {at}, the file has {left} left; it is cut off or no importance matrix"
    )]
    Truncated {
        /// Number of the entry, from 1; one more than the entries for what follows them.
        entry: u64,
        /// What was being read.
        what: &'static str,
        /// Position in the file.
        at: u64,
        /// Bytes asked for.
        wanted: u64,
        /// Bytes that are there.
        left: u64,
    },
    /// A negative or absurd number in the older form.
    #[error("{what} of entry {entry} is {found}; the file is damaged or no importance matrix")]
    Number {
        /// Number of the entry, from 1.
        entry: u64,
        /// What it should be.
        what: &'static str,
        /// What was found.
        found: i64,
    },
    /// A name that is empty, over-long or not UTF-8.
    #[error("the name of entry {entry} is not a tensor name of 1 to {longest} bytes")]
    Name {
        /// Number of the entry, from 1.
        entry: u64,
        /// Longest name accepted.
        longest: usize,
    },
    /// The same entry twice.
    #[error("the entry `{0}` appears twice")]
    Duplicate(String),
}
