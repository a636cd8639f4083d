//! Calibration: a text through a model, and statistics of what arrives at every linear layer.
//!
//! | where | what |
//! |---|---|
//! | `gather` | [`Gather`]: looks on while one layer runs |
//! | `layers` | [`calibrate`]: layer by layer, into a folder that is gone on with |
//! | `importance` | sums of squares by source tensor, for importance matrices |
//! | `findings` | what it all shows, for the report |
//! | `matrix` | an importance matrix in the words of a plugin |
//! | `text` | the samples: typed files, or a text that is at hand, with a warning |
//! | `upfront` | [`Upfront`]: a calibration that a job begins with |
//! | `predicted` | [`Predicted`]: its statistics before it ran |
//! | `settings` | what is gathered, and how much text is read |

mod default_text;
mod findings;
mod gather;
mod importance;
mod layers;
mod matrix;
mod predicted;
mod settings;
mod text;
mod upfront;

pub use findings::{experts, outliers, super_weights_of, tensor_figures};
pub use gather::{Gather, Peak, Peaks};
pub use importance::Importance;
pub use layers::{Calibrated, CalibrationSpec, HEAD, calibrate, unit_of_layer};
pub use matrix::matrix;
pub use predicted::Predicted;
pub use settings::{SAMPLES, SEQLEN, settings};
pub use text::{TextSpec, read_text, text_name};
pub use upfront::{LABEL, Opener, Prepared, Upfront};
