//! Calibration: a text through a model, and statistics of what arrives at every linear layer.
//!
//! | where | what |
//! |---|---|
//! | `gather` | [`Gather`]: looks on while one layer runs |
//! | `head` | the same for the output head |
//! | `layers` | [`calibrate`]: layer by layer, into a folder that is gone on with |
//! | `importance` | sums of squares by source tensor, for importance matrices |
//! | `matrix` | those sums as an importance matrix, in a plugin's words |
//! | `kept` | a folder that was gathered before |
//! | `findings` | what it all shows, for the report |
//! | `peaks` | the largest magnitudes around the last layers of feed-forward blocks |
//! | `super_weights` | [`find_super_weights`]: the weights that such peaks give away, found in rounds |
//! | `zeroed` | a model with single weights set to zero |
//! | `text` | the samples: typed files, or a text that is at hand, with a warning |
//! | `upfront` | [`Upfront`]: a calibration that a job begins with |
//! | `predicted` | [`Predicted`]: its statistics before it ran |
//! | `settings` | what is gathered, and how much text is read |

mod default_text;
mod findings;
mod gather;
mod head;
mod importance;
mod kept;
mod layers;
mod matrix;
mod peaks;
mod predicted;
mod settings;
mod super_weights;
mod text;
mod upfront;
mod zeroed;

pub use findings::{experts, named_figures, outliers, tensor_figures};
pub use gather::Gather;
pub use head::gather_head;
pub use importance::Importance;
pub use kept::{Kept, unusable};
pub use layers::{Calibrated, CalibrationSpec, HEAD, calibrate, unit_of_layer};
pub use matrix::{matrix, origin};
pub use peaks::{Peak, Peaks, Side};
pub use predicted::Predicted;
pub use settings::{SAMPLES, SEQLEN, settings};
pub use super_weights::{Found, find_super_weights};
pub use text::{TextSpec, read_text, text_name};
pub use upfront::{LABEL, Opener, Prepared, Upfront};
pub use zeroed::Zeroed;
