//! A parsed model in some backend's format as the host reads it.

use super::Services;
use super::adapter::HostAdapter;
use super::backend::file_views;
use crate::sdk::{Error, MappedFile};
use crate::{abi, wire};
use abi_stable::{sabi_trait::TD_Opaque, sabi_types::RRef};

/// A reader with its summary read. Pass the same files, in the same order, to every call.
pub struct Reader {
    raw: abi::ReaderBox,
    summary: wire::ReaderSummary,
}

impl Reader {
    pub(super) fn from_abi(raw: abi::ReaderBox) -> Result<Reader, Error> {
        let text = raw.summary();
        let summary = wire::decode("reader summary", text.as_str())?;
        Ok(Reader { raw, summary })
    }

    /// What was found.
    pub fn summary(&self) -> &wire::ReaderSummary {
        &self.summary
    }

    /// Decodes whole rows of a tensor into `out`.
    pub fn decode_rows(
        &self,
        files: &[MappedFile],
        tensor: usize,
        first_row: u64,
        out: &mut [f32],
    ) -> Result<(), Error> {
        let files = file_views(files);
        Ok(self.raw.decode_rows(files.as_slice().into(), tensor as u32, first_row, out.into()).into_result()?)
    }

    /// Rebuilds a side file.
    pub fn sidecar(&self, files: &[MappedFile], name: &str) -> Result<Vec<u8>, Error> {
        let files = file_views(files);
        Ok(self.raw.sidecar(files.as_slice().into(), name.into()).into_result()?.into_vec())
    }

    /// Checks the structure of the files.
    pub fn validate(&self, services: &dyn Services, files: &[MappedFile]) -> Result<wire::ValidationReport, Error> {
        let host = HostAdapter(services);
        let host = abi::Host_TO::from_ptr(RRef::new(&host), TD_Opaque);
        let report = self.raw.validate(&host, file_views(files).as_slice().into()).into_result()?;
        Ok(wire::decode("validation report", report.as_str())?)
    }
}
