//! A parsed statistics file, as it crosses the boundary. Since 1.1.

use super::{FileView, PResult};
use abi_stable::{
    sabi_trait,
    std_types::{RBox, RSlice, RSliceMut, RString},
};

/// A parsed statistics file. Holds no file bytes: the host passes its mapping with every call.
#[sabi_trait]
pub trait StatisticsFile: Send + Sync {
    /// `StatisticsSummary` document.
    fn summary(&self) -> RString;
    /// Fills `out` with all values of entry `entry`; `out` has exactly their number.
    #[sabi(last_prefix_field)]
    fn read_values(&self, files: RSlice<'_, FileView<'_>>, entry: u32, out: RSliceMut<'_, f32>) -> PResult<()>;
}

/// An owned statistics file.
pub type StatisticsFileBox = StatisticsFile_TO<'static, RBox<()>>;
