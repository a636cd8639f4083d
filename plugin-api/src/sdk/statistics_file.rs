//! The trait of a parsed statistics file. Since 1.1.

use super::{Error, MappedFile};
use crate::wire::StatisticsSummary;

/// A parsed statistics file. It keeps no file bytes: the host passes its mapping with every call, in the same order as
/// to [`super::Backend::open_statistics`].
pub trait StatisticsFile: Send + Sync {
    /// What was found.
    fn summary(&self) -> StatisticsSummary;

    /// Fills `out` with all values of entry number `entry`: sums over what its counts count.
    fn read_values(&self, files: &[MappedFile], entry: usize, out: &mut [f32]) -> Result<(), Error>;
}
