//! By how much input channels of linear layers are scaled so that rounding their weights costs least.
//!
//! Whatever divides channel `c` in front of a matrix by `s_c` and multiplies its column by `s_c` changes nothing but how well
//! the weights fall on a grid: columns with strong inputs gain steps, others lose some (AWQ, Lin et al., arXiv 2306.00978).
//! Pure functions over slices; who calls reads the weights, shares the work out and adds the losses up.
//!
//! | where | what |
//! |---|---|
//! | `family` | one-parameter families of scales |
//! | `search` | the best member: a grid on some rows, refined, the finalists on all |
//! | `strength` | how strong the weights of each column are |
//! | `trial` | what rounding costs at the output under given scales |
//! | `stored` | scales behind which a norm can be stored without rounding |
#![forbid(unsafe_code)]

mod family;
mod search;
mod stored;
mod strength;
mod trial;

pub use family::{Channels, Family};
pub use search::{Found, Member, Search, search};
pub use stored::storable;
pub use strength::Strength;
pub use trial::{expected, loss, scaled};
