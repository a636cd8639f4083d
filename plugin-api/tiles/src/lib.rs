//! Matrix products in bf16 tiles (AMX), at single precision or with 16 significant bits.
//!
//! Some processors multiply tiles of bf16 numbers fifteen to twenty times as fast as vectors of f32. Every f32 is the
//! sum of three bf16 numbers; of the nine products of such pieces, the six largest make what single precision makes
//! ([`Precision::Bits24`]). Weights stored in bf16 are one piece, those in F16 two, which leaves three and five products.
//! With two pieces ([`Precision::Bits16`]) it is three products, or two with bf16.
//!
//! | where | what |
//! |---|---|
//! | `lend` | [`Tiles`]: whether the processor has tiles, and Linux lends them |
//! | `precision` | [`Precision`]: how many pieces take part |
//! | `split` | an f32 in three pieces, exactly |
//! | `tile` | what a register holds, and its transpose |
//! | `lanes` | loops with the widest instructions; [`prefetch`] |
//! | `cut` | numbers cut into pieces and tiles, block by block ([`Part`]) |
//! | `factors` | [`Left`], [`Right`] |
//! | `kernel` | a cell of 32 x 32 sums, in assembly |
//! | `product` | [`product`], [`add_product`], from a [`Start`] on |
//! | `gram` | [`Channels`]: cells of X^T X |
//!
//! No threads are started here: parts of a factor are filled, and rows of a product computed, by whom the caller wants.
//!
//! # Errors
//!
//! With u = 2^-24 and 24 bits: what is left out of a product x w is at most 2 u |x w|. The rest are sums in f32: 32 products
//! in two chains of 16, such sums over 1024 summands, the small products before the large ones, and those over all.
//! Against double precision the largest error of a sum was 0.2 to 0.5 u of the sum of all magnitudes for noise, 3 to 5 u
//! where all are positive (256 to 4096 summands); of faer's f32 0.5 to 2.9 u, and 7 to 17 u. At 16 bits up to 512 u of a
//! product are left out, and the error of sums of noise was 3 to 20 u. Every sum's order is fixed: it depends on nothing but the number of summands.
//!
//! Tiles take numbers below 2^-126 for zero, pieces and products alike: factors below 2^-110 lose digits, and so do
//! products. Infinite factors give infinity or NaN, never a finite number; NaN gives NaN.

mod cut;
mod factors;
mod gram;
mod kernel;
mod lanes;
mod lend;
mod precision;
mod product;
mod split;
#[cfg(test)]
mod tests;
mod tile;

pub use cut::Part;
pub use factors::{Left, Right};
pub use gram::{Band, Channels, ChannelsPart};
pub use kernel::{CELL, Kernel};
pub use lanes::prefetch;
pub use lend::Tiles;
pub use precision::Precision;
pub use product::{Start, add_product, product};
