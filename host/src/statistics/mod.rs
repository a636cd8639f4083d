//! Statistics from files: read through the plugin that recognizes them, checked, merged, shown, written, and held by
//! source tensor for a job.
//!
//! A plugin knows the bytes and the names of its own statistics files and what those names mean for a model; the host
//! knows the files and everything that is the same for all of them. So what one plugin reads, every backend can use.
//!
//! | where | what |
//! |---|---|
//! | `table` | [`Table`]: entries with values and counts, adding them up, choosing among them |
//! | `read` | [`Readers`]: from a path to a table |
//! | `check` | everything odd about a table, and about a table for a model |
//! | `bind` | [`Bound`]: the table by source tensor of one model |
//! | `gathered` | statistics that were gathered here, as a table |
//! | `figures` | the figures that `imatrix show` shows |
//! | `shown` | all of it for people and scripts |
//! | `write` | a table into a file, in one step |

mod bind;
mod check;
mod figures;
mod gathered;
mod read;
mod shown;
mod table;
mod write;

pub use bind::{Bound, Supply};
pub use check::{Gravity, Problem, problems};
pub use figures::{Figures, figures};
pub use gathered::{Origin, gathered};
pub use read::Readers;
pub use shown::Shown;
pub use table::{Choice, Entry, Table};
pub use write::write;
