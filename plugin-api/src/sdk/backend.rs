//! The traits an author implements.

use super::{Context, Error, Model, Output, StatisticsFile, Unit};
use crate::wire::{
    Descriptor, Folds, Plan, ReaderSummary, Request, StatisticsForm, StatisticsNames, StatisticsSummary, UnitReport,
    ValidationReport,
};

/// A file that the host mapped.
#[derive(Debug, Clone, Copy)]
pub struct MappedFile<'a> {
    /// Name relative to the model folder, or the bare file name.
    pub name: &'a str,
    /// All bytes; for [`Backend::recognize`] at most the first 64 KiB.
    pub data: &'a [u8],
    /// Length of the whole file.
    pub length: u64,
}

/// A format backend. It opens no file, starts no thread, prints nothing.
pub trait Backend: Send + Sync + 'static {
    /// What this backend is and can do. Constant for the life of the process.
    fn describe(&self) -> Descriptor;

    /// Plans one job. Everything that can be refused (level, options, shapes, missing statistics) is refused here,
    /// before long work; no weights are read beyond what the plan depends on.
    fn open_session(&self, cx: &Context, model: &Model, request: &Request) -> Result<Box<dyn Session>, Error>;

    /// Confidence, 0 to 100, that these files (heads of at most 64 KiB) are a model of this backend's format.
    fn recognize(&self, files: &[MappedFile]) -> u32 {
        let _ = files;
        0
    }

    /// Parses files of this backend's format. The bytes are hostile: cap before allocating, never panic.
    fn open(&self, cx: &Context, files: &[MappedFile]) -> Result<Box<dyn Reader>, Error> {
        let _ = (cx, files);
        Err(Error::unsupported("read files"))
    }

    /// Whether a device is usable here; a sentence about it.
    fn probe_device(&self, device: &str) -> Result<String, Error> {
        match device {
            "cpu" => Ok("the host's threads".into()),
            other => Err(Error::new(super::Kind::Device, format!("this backend has no code for device `{other}`"))),
        }
    }

    /// The kinds of statistics files that [`Backend::write_statistics`] writes, best first. Since 1.1, like all that
    /// follow.
    fn statistics_forms(&self) -> Vec<StatisticsForm> {
        Vec::new()
    }

    /// Confidence, 0 to 100, that these files (heads of at most 64 KiB) hold statistics in a form of this backend.
    fn recognize_statistics(&self, files: &[MappedFile]) -> u32 {
        let _ = files;
        0
    }

    /// Parses a statistics file. The bytes are hostile: cap before allocating, never panic.
    fn open_statistics(&self, cx: &Context, files: &[MappedFile]) -> Result<Box<dyn StatisticsFile>, Error> {
        let _ = (cx, files);
        Err(Error::unsupported("read statistics files"))
    }

    /// What this backend's statistics files call the tensors of a model. The host holds statistics by source tensor, so
    /// that every backend can use what one of them reads.
    fn statistics_names(&self, model: &Model) -> Result<StatisticsNames, Error> {
        let _ = model;
        Err(Error::unsupported("name the tensors of a model in statistics files"))
    }

    /// Writes a statistics file to slot 0 of `out`, front to back without gaps; `values` belong to the entries of the
    /// summary, whose form is the one that is wanted.
    fn write_statistics(&self, summary: &StatisticsSummary, values: &[&[f32]], out: &Output) -> Result<(), Error> {
        let _ = (summary, values, out);
        Err(Error::unsupported("write statistics files"))
    }
}

/// One planned job. Same input and same plan give the same bytes for any number of threads.
pub trait Session: Send + Sync {
    /// The plan.
    fn plan(&self) -> &Plan;

    /// Fills `out`, which has exactly the length of literal number `index` of the plan.
    fn literal(&self, index: usize, out: &mut [u8]) -> Result<(), Error>;

    /// Quantizes one unit: writes every slot of the plan that belongs to it, completely. Units may come in any order
    /// and, after a resume, only some of them come at all.
    fn quantize(&self, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error>;

    /// By how much channels of one unit are to be scaled, where the plan says that it [`Plan::folds`]. The host divides the
    /// producers and multiplies the consumers, checks that the model still computes the same, and then hands the unit to
    /// [`Session::quantize`] with folded weights and with the statistics of the folded model. Since 1.2.
    fn fold(&self, cx: &Context, unit: &Unit) -> Result<Folds, Error> {
        let _ = (cx, unit);
        Ok(Folds::default())
    }
}

/// A parsed model in the backend's own format. It keeps no file bytes: the host passes its mapping with every call, in
/// the same order as to [`Backend::open`].
pub trait Reader: Send + Sync {
    /// What was found, in Hugging Face words.
    fn summary(&self) -> ReaderSummary;

    /// Decodes whole rows of tensor number `tensor` of the summary from `first_row` into `out`.
    fn decode_rows(&self, files: &[MappedFile], tensor: usize, first_row: usize, out: &mut [f32]) -> Result<(), Error>;

    /// Rebuilds a side file of the Hugging Face folder.
    fn sidecar(&self, files: &[MappedFile], name: &str) -> Result<Vec<u8>, Error> {
        let _ = (files, name);
        Err(Error::unsupported("rebuild side files"))
    }

    /// Checks the structure of the files, every block's scales included.
    fn validate(&self, cx: &Context, files: &[MappedFile]) -> Result<ValidationReport, Error>;
}
