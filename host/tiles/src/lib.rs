//! Matrix products in bf16 tiles (AMX) at single precision.
//!
//! Some processors multiply tiles of bf16 numbers fifteen to twenty times as fast as vectors of f32. Every f32 is the
//! sum of three bf16 numbers; of the nine products of such pieces, the six largest make what single precision makes.
//! Weights stored in bf16 are one piece, those in F16 two, which leaves three and five products.
//!
//! | where | what |
//! |---|---|
//! | `lend` | [`Tiles`]: whether the processor has tiles, and Linux lends them |
//! | `split` | an f32 in three pieces, exactly |
//! | `lanes` | loops with the widest instructions |
//! | `pack` | [`Left`], [`Right`]: matrices cut into pieces and tiles |
//! | `kernel` | a cell of 32 x 32 sums, in assembly |
//! | `product` | [`product`]: x W^T |
//! | `gram` | [`Channels`]: cells of X^T X |
//!
//! # Errors
//!
//! With u = 2^-24: what is left out of a product x w is at most 2 u |x w|. The rest are sums in f32: 32 products in two
//! chains of 16, such sums over 1024 summands, the small products before the large ones, and those over all. Against
//! double precision the largest error of a sum was 0.2 to 0.5 u of the sum of all magnitudes for noise, 3 to 5 u where
//! all are positive (256 to 4096 summands); of faer's f32 0.5 to 2.9 u, and 7 to 17 u. Every sum's order is fixed: it
//! depends on nothing but the number of summands.
//!
//! Tiles take numbers below 2^-126 for zero, pieces and products alike: factors below 2^-110 lose digits, and so do
//! products. Infinite factors give infinity or NaN, never a finite number; NaN gives NaN.

mod gram;
mod kernel;
mod lanes;
mod lend;
mod pack;
mod product;
mod split;
#[cfg(test)]
mod tests;

pub use gram::Channels;
pub use kernel::{CELL, Kernel};
pub use lend::Tiles;
pub use pack::{Left, Right};
pub use product::product;
