//! Forward pass of decoder models, layer by layer: slices in, slices out.
//!
//! A [`Network`] says what is computed and which tensors take part; [`Weights`] hands out their rows; a [`Device`]
//! computes. Hidden states of many samples go through one layer at a time ([`run_layer`]), so that only one layer's
//! weights are wanted at once, and an [`Observer`] sees what arrives at every linear layer.
//!
//! "Right" means transformers' logits in single precision: largest difference after centring below 1e-3 on every family
//! (`tests/tests/forward_logits.rs` at the top of the repository). Results do not depend on the number of threads:
//! work is cut into pieces of fixed size, and a piece is computed by one thread.

#![forbid(unsafe_code)]

mod attention;
pub mod cpu;
mod device;
mod embed;
mod error;
mod experts;
mod feed_forward;
mod head;
mod latent;
mod layer;
mod network;
mod observe;
mod rope;
mod router;
mod rows;
mod weights;

pub use cpu::Cpu;
pub use device::{Attend, Device, NormValues, Spread};
pub use embed::embed;
pub use error::ForwardError;
pub use head::{final_norm, logits};
pub use layer::{Batch, run_layer};
pub use llmq_tiles::Precision;
pub use network::*;
pub use observe::{Arrival, Nobody, Observer, Tokens};
pub use rope::{Extension, Rope, Rotation};
pub use router::{Choice, Chosen, Groups, Normalise, Score, choose};
pub use rows::Rows;
pub use weights::{Linear, Storage, Vector, Weights, WeightsError};
