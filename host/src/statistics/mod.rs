//! Statistics that jobs use: importance matrices, read through the plugin that recognizes them, checked, merged, shown and
//! written; and folders of everything that a calibration gathered. A job sees both as one thing, by source tensor.
//!
//! A plugin knows the bytes and the names of its own statistics files and what those names mean for a model; the host
//! knows the files and everything that is the same for all of them. So what one plugin reads, every backend can use.
//!
//! | where | what |
//! |---|---|
//! | `table` | [`Table`]: entries with values and counts, adding them up, choosing among them |
//! | `read` | [`Readers`]: from a path to a table |
//! | `check` | everything odd about a table, and about a table for a model |
//! | `supply` | [`Supply`]: what was given to a job, before its model is open |
//! | `measured` | [`Measured`]: what a job wants of statistics, wherever they come from |
//! | `bind` | [`Bound`]: a table by source tensor of one model |
//! | `of_folder` | [`BoundFolder`]: a folder by source tensor of one model, read unit by unit |
//! | `of_entries` | [`handful`]: statistics that were gathered this moment, by source tensor |
//! | `gathered` | statistics that were gathered here, as a table |
//! | `figures` | the figures that `imatrix show` shows |
//! | `shown` | all of it for people and scripts |
//! | `write` | a table into a file, in one step |

mod bind;
mod check;
mod figures;
mod gathered;
mod measured;
mod of_entries;
mod of_folder;
mod read;
mod shown;
mod supply;
mod table;
mod write;

pub use bind::{Bound, Named};
pub use check::{Gravity, Problem, problems};
pub use figures::{Figures, figures};
pub use gathered::{Origin, gathered};
pub use measured::{Block, Handful, Measured};
pub use of_entries::handful;
pub use of_folder::{BoundFolder, GatheredFolder, read_as_stored};
pub use read::Readers;
pub use shown::Shown;
pub use supply::{Content, Supply};
pub use table::{Choice, Entry, Table};
pub use write::write;
