//! Cold data that crosses the boundary as versioned JSON: descriptions, requests, plans, reports.
//!
//! JSON because these must be able to grow for years: a reader ignores keys it does not know, every key added later
//! has a default, and [`decode`] refuses a document whose major version it does not speak. Tensors and statistics
//! never travel this way; they are views (see [`crate::sdk::Unit`]).

mod description;
mod descriptor;
mod encoding;
mod manifest;
mod plan;
mod report;
mod request;
mod role;
mod smoothing;
mod statistics;
mod summary;

pub use description::{
    Attention, Experts, Hyperparameters, ModelDescription, Rope, RopeScaling, TensorDescription, UnitDescription,
    UnitKind,
};
pub use descriptor::{
    Container, Descriptor, DeviceKind, EncodingDescriptor, FormatDescriptor, Level, OptionKind, OptionSpec,
    SeenByLaterLayers,
};
pub use encoding::{WireError, decode, encode};
pub use manifest::{MANIFEST_SECTION, MANIFEST_SECTION_MACH, Manifest};
pub use plan::{LiteralSpan, OutputFile, Plan, PlanFault, Slot, StatisticsNeed, UnitNeed};
pub use report::{Fallback, Finding, Severity, UnitReport, ValidationReport};
pub use request::{Request, StatisticsOffer};
pub use role::Role;
pub use smoothing::{Consumer, Fold, Folds, Producer, SmoothingGroup, SmoothingKind};
pub use statistics::{
    Counted, StatisticsEntry, StatisticsForm, StatisticsForms, StatisticsName, StatisticsNames, StatisticsOrigin,
    StatisticsPart, StatisticsSummary,
};
pub use summary::{PlacedTensor, ReaderSummary, StoredTensor, StoredView};
