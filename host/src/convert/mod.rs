//! From one format to another: what the input is, which level matches it, and whether it may lose a second time.
//!
//! | where | what |
//! |---|---|
//! | `input` | [`Input`]: format, level and bits per weight of what goes in |
//! | `level` | [`matching`]: the level closest to the input |
//! | `loss` | [`SecondLoss`]: what is encoded anew, in words, and whether that needs a yes |
//! | `report` | the result of a job with its input |
//!
//! Nothing here knows a format: the work itself is a job like any other.

mod input;
mod level;
mod loss;
mod report;

pub use input::Input;
pub use level::{Matched, matching};
pub use loss::SecondLoss;
pub use report::{Conversion, PlannedConversion};
