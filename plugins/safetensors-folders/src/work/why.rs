//! Why a matrix is rounded to nearest.

/// Why a matrix is rounded to nearest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It was asked for.
    Wanted,
    /// There is no other way: the sentence says why.
    Forced(String),
}

impl Why {
    /// Why a matrix gets less than was asked for.
    pub fn forced(&self) -> Option<&str> {
        match self {
            Why::Wanted => None,
            Why::Forced(reason) => Some(reason),
        }
    }
}
