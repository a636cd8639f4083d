//! Weights of linear layers on uniform grids: rounding that knows the inputs, and the packed integers of the formats.
//!
//! Pure functions over slices: no files, threads or clocks; who calls lends its threads ([`Workers`]). A matrix is
//! `[rows (outputs), columns (inputs)]`, row-major. What a backend does with one:
//!
//! 1. [`Factor::of`]: once per Gram matrix (linears that read the same input share it),
//! 2. [`round`]: any rows of the matrix at a time, each row by itself; without a Gram matrix [`fitted`],
//! 3. [`packing`]: codes into the words of the format.
//!
//! | where | what |
//! |---|---|
//! | `grid` | codes, scales and zeros of one row in one group |
//! | `method` | everything that can be chosen, with defaults |
//! | `nearest` | rounding to the nearest code of steps that just reach all weights |
//! | `fitted` | rounding to the nearest code of steps that fit the weights best |
//! | `clip` | rounding to the nearest code of steps that cut off the largest weights where that is better |
//! | `factor` | the damped, ordered, inverted Cholesky factor of a Gram matrix |
//! | `round` | the whole way of a matrix |
//! | `cost` | what rounding with feedback costs, done and expected |
//! | `feedback` | GPTQ: the error of each column goes into the columns after it |
//! | `diagonal` | a group's part of the factor, as feedback reads it |
//! | `range` | scales, tried out with feedback |
//! | `polish` | coordinate descent over scales and codes |
//! | `objective`, `dense`, `lanes` | the quadratic form; triangular work on large matrices; rows side by side |
//! | `products` | products of matrices, in tile registers where there are any |
//! | `packing` | streams of small integers in 32-bit words |
#![forbid(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "lanes of several lines are walked side by side")]

mod clip;
mod cost;
mod dense;
mod diagonal;
mod factor;
mod feedback;
mod fitted;
mod grid;
mod lanes;
mod method;
mod nearest;
mod objective;
pub mod packing;
mod polish;
mod products;
mod range;
mod round;
mod workers;

pub use clip::clip;
pub use cost::{cost, expected_cost};
pub use factor::{Factor, Refused};
pub use fitted::fitted;
pub use grid::{Grid, Steps};
pub use method::{Method, Order};
pub use nearest::{nearest, nearest_changes};
pub use objective::size as output_size;
pub use round::{Rounded, round};
pub use workers::{Alone, Workers};
