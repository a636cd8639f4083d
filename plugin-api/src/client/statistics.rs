//! Statistics files through a backend, as the host sees them. Since 1.1; an older plugin answers that it has none.

use super::adapter::{HostAdapter, ModelAdapter, SinkAdapter};
use super::backend::file_views;
use super::{Backend, Destination, Services, Source};
use crate::sdk::{Error, Kind, MappedFile};
use crate::{abi, wire};
use abi_stable::{sabi_trait::TD_Opaque, sabi_types::RRef, std_types::RSlice};

/// A parsed statistics file with its summary read.
pub struct StatisticsFile {
    raw: abi::StatisticsFileBox,
    summary: wire::StatisticsSummary,
}

impl Backend {
    /// The kinds of statistics files that the backend writes.
    pub fn statistics_forms(&self) -> Result<Vec<wire::StatisticsForm>, Error> {
        let text = self.raw.statistics_forms();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let forms: wire::StatisticsForms = wire::decode("statistics forms", text.as_str())?;
        Ok(forms.forms)
    }

    /// Confidence, 0 to 100, that the files hold statistics in a form of the backend. Pass heads of at most 64 KiB.
    pub fn recognize_statistics(&self, files: &[MappedFile]) -> u32 {
        self.raw.recognize_statistics(file_views(files).as_slice().into()).min(100)
    }

    /// Parses a statistics file.
    pub fn open_statistics(&self, services: &dyn Services, files: &[MappedFile]) -> Result<StatisticsFile, Error> {
        let host = HostAdapter(services);
        let host = abi::Host_TO::from_ptr(RRef::new(&host), TD_Opaque);
        let raw = self.raw.open_statistics(&host, file_views(files).as_slice().into()).into_result()?;
        let text = raw.summary();
        let summary = wire::decode("statistics summary", text.as_str())?;
        Ok(StatisticsFile { raw, summary })
    }

    /// What the backend's statistics files call the tensors of a model.
    pub fn statistics_names(&self, source: &dyn Source) -> Result<wire::StatisticsNames, Error> {
        let model = ModelAdapter(source);
        let model = abi::Model_TO::from_ptr(RRef::new(&model), TD_Opaque);
        let text = self.raw.statistics_names(&model).into_result()?;
        Ok(wire::decode("statistics names", text.as_str())?)
    }

    /// Writes a statistics file: bytes arrive at slot 0 of `destination`, front to back.
    pub fn write_statistics(
        &self,
        summary: &wire::StatisticsSummary,
        values: &[&[f32]],
        destination: &dyn Destination,
    ) -> Result<(), Error> {
        if summary.entries.len() != values.len() {
            let message = format!("{} entries come with {} lists of values", summary.entries.len(), values.len());
            return Err(Error::new(Kind::Other, message));
        }
        let sink = SinkAdapter(destination);
        let sink = abi::Sink_TO::from_ptr(RRef::new(&sink), TD_Opaque);
        let values: Vec<RSlice<f32>> = values.iter().map(|values| RSlice::from_slice(values)).collect();
        let text = wire::encode(summary);
        Ok(self.raw.write_statistics(text.as_str().into(), values.as_slice().into(), &sink).into_result()?)
    }
}

impl StatisticsFile {
    /// What the file holds.
    pub fn summary(&self) -> &wire::StatisticsSummary {
        &self.summary
    }

    /// Fills `out` with all values of one entry.
    pub fn read_values(&self, files: &[MappedFile], entry: usize, out: &mut [f32]) -> Result<(), Error> {
        let views = file_views(files);
        Ok(self.raw.read_values(views.as_slice().into(), entry as u32, out.into()).into_result()?)
    }
}
