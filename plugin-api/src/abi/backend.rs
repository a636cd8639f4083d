//! What a plugin offers: a backend, sessions that quantize, readers that decode.

use super::{ErrorKind, HostRef, ModelRef, PResult, PluginError, SinkRef, StatisticsFileBox, UnitView};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, RResult, RSlice, RSliceMut, RStr, RString, RVec},
};

/// A file that the host has mapped for a reader. Frozen.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct FileView<'a> {
    /// Name relative to the model folder, or the bare file name.
    pub name: RStr<'a>,
    /// All bytes of the file; for `recognize` at most the first 64 KiB.
    pub data: RSlice<'a, u8>,
    /// Length of the whole file.
    pub length: u64,
}

/// One quantization job. Opening it computed the plan; no call does I/O.
#[sabi_trait]
pub trait Session: Send + Sync {
    /// `Plan` document.
    fn plan(&self) -> RString;
    /// Fills `out` with literal number `index` of the plan; `out` has exactly its length.
    fn literal(&self, index: u32, out: RSliceMut<'_, u8>) -> PResult<()>;
    /// Quantizes one unit into the sink. Returns a `UnitReport` document.
    #[sabi(last_prefix_field)]
    fn quantize(
        &self,
        host: &HostRef<'_>,
        model: &ModelRef<'_>,
        unit: UnitView<'_>,
        sink: &SinkRef<'_>,
    ) -> PResult<RString>;

    // Since 1.2.

    /// By how much channels of one unit are to be scaled. Returns a `Folds` document.
    fn fold(&self, _host: &HostRef<'_>, _model: &ModelRef<'_>, _unit: UnitView<'_>) -> PResult<RString> {
        RResult::RErr(unsupported("fold scales into a model"))
    }
}

/// An owned session.
pub type SessionBox = Session_TO<'static, RBox<()>>;

/// A parsed model in the backend's own format. Holds no file bytes: the host passes its mapping with every call.
#[sabi_trait]
pub trait Reader: Send + Sync {
    /// `ReaderSummary` document.
    fn summary(&self) -> RString;
    /// Decodes whole rows of tensor `tensor` from `first_row` into `out`.
    fn decode_rows(
        &self,
        files: RSlice<'_, FileView<'_>>,
        tensor: u32,
        first_row: u64,
        out: RSliceMut<'_, f32>,
    ) -> PResult<()>;
    /// Rebuilds a side file of the Hugging Face folder.
    fn sidecar(&self, files: RSlice<'_, FileView<'_>>, name: RStr<'_>) -> PResult<RVec<u8>>;
    /// Checks the structure of the files, every block's scales included. Returns a `ValidationReport` document.
    #[sabi(last_prefix_field)]
    fn validate(&self, host: &HostRef<'_>, files: RSlice<'_, FileView<'_>>) -> PResult<RString>;
}

/// An owned reader.
pub type ReaderBox = Reader_TO<'static, RBox<()>>;

/// A format backend.
#[sabi_trait]
pub trait Backend: Send + Sync {
    /// `Descriptor` document.
    fn describe(&self) -> RString;
    /// Plans a job given as a `Request` document. Everything that can be refused is refused here.
    fn open_session(&self, host: &HostRef<'_>, model: &ModelRef<'_>, request: RStr<'_>) -> PResult<SessionBox>;
    /// Confidence, 0 to 100, that these files are a model of this backend's format.
    fn recognize(&self, files: RSlice<'_, FileView<'_>>) -> u32;
    /// Parses files of this backend's format.
    fn open(&self, host: &HostRef<'_>, files: RSlice<'_, FileView<'_>>) -> PResult<ReaderBox>;
    /// Whether `device` (`cpu`, `cuda:0`) is usable here; a sentence about it.
    #[sabi(last_prefix_field)]
    fn probe_device(&self, device: RStr<'_>) -> PResult<RString>;

    // Since 1.1.

    /// `StatisticsForms` document: the kinds of statistics files that this backend writes. Empty = none.
    fn statistics_forms(&self) -> RString {
        RString::new()
    }
    /// Confidence, 0 to 100, that these files hold statistics in a form of this backend.
    fn recognize_statistics(&self, _files: RSlice<'_, FileView<'_>>) -> u32 {
        0
    }
    /// Parses a statistics file.
    fn open_statistics(&self, _host: &HostRef<'_>, _files: RSlice<'_, FileView<'_>>) -> PResult<StatisticsFileBox> {
        RResult::RErr(unsupported("read statistics files"))
    }
    /// `StatisticsNames` document: what this backend's statistics files call the tensors of a model.
    fn statistics_names(&self, _model: &ModelRef<'_>) -> PResult<RString> {
        RResult::RErr(unsupported("name the tensors of a model in statistics files"))
    }
    /// Writes a statistics file to slot 0 of the sink, front to back without gaps. `summary` is a `StatisticsSummary`
    /// document with the wanted form, `values` holds the values of its entries in their order.
    fn write_statistics(
        &self,
        _summary: RStr<'_>,
        _values: RSlice<'_, RSlice<'_, f32>>,
        _sink: &SinkRef<'_>,
    ) -> PResult<()> {
        RResult::RErr(unsupported("write statistics files"))
    }
}

/// The answer of a backend to a question that it, or its interface version, does not know.
fn unsupported(what: &str) -> PluginError {
    PluginError {
        kind: ErrorKind::UNSUPPORTED_OPERATION,
        message: format!("this backend does not {what}").into(),
        hint: RString::new(),
        subject: RString::new(),
        backtrace: RString::new(),
        ext: RString::new(),
    }
}

/// An owned backend.
pub type BackendBox = Backend_TO<'static, RBox<()>>;
