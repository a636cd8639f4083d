//! Errors as they cross the boundary.

use abi_stable::{
    StableAbi,
    std_types::{RResult, RString},
};

/// What went wrong, as an open integer: a host treats a kind it does not know like [`ErrorKind::OTHER`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorKind(pub u32);

impl ErrorKind {
    /// Nothing more precise fits.
    pub const OTHER: Self = Self(0);
    /// An option or level that the backend refuses.
    pub const INVALID_REQUEST: Self = Self(1);
    /// A model family or tensor that the format cannot hold.
    pub const UNSUPPORTED_MODEL: Self = Self(2);
    /// The host asked to stop.
    pub const CANCELLED: Self = Self(3);
    /// A memory budget was refused.
    pub const OUT_OF_MEMORY: Self = Self(4);
    /// A device is missing or failed.
    pub const DEVICE: Self = Self(5);
    /// Input bytes are not what they claim to be.
    pub const CORRUPT_INPUT: Self = Self(6);
    /// The host could not read or write.
    pub const IO: Self = Self(7);
    /// A panic was caught at the boundary.
    pub const PANIC: Self = Self(8);
    /// Statistics that the level needs are missing.
    pub const MISSING_STATISTICS: Self = Self(9);
    /// The backend does not do this at all.
    pub const UNSUPPORTED_OPERATION: Self = Self(10);
}

/// An error with everything a person needs. Frozen.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct PluginError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The sentence, with numbers.
    pub message: RString,
    /// What to do next, or empty.
    pub hint: RString,
    /// Tensor, option, key or file it concerns, or empty.
    pub subject: RString,
    /// Place of a caught panic, or empty.
    pub backtrace: RString,
    /// JSON object for later additions, or empty.
    pub ext: RString,
}

/// Result of every fallible call across the boundary.
pub type PResult<T> = RResult<T, PluginError>;
