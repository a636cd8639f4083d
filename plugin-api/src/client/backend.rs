//! A backend as the host calls it.

use super::adapter::{HostAdapter, ModelAdapter};
use super::{Reader, Services, Session, Source};
use crate::sdk::{Error, Kind, MappedFile};
use crate::{abi, sdk, wire};
use abi_stable::{sabi_trait::TD_Opaque, sabi_types::RRef};

/// A backend behind the boundary, with its self-description read and checked.
pub struct Backend {
    pub(super) raw: abi::BackendBox,
    descriptor: wire::Descriptor,
}

impl Backend {
    pub(super) fn from_abi(raw: abi::BackendBox) -> Result<Backend, Error> {
        let text = raw.describe();
        let descriptor: wire::Descriptor = wire::decode("descriptor", text.as_str())?;
        let ids = std::iter::once(&descriptor.id).chain(descriptor.formats.iter().map(|f| &f.id));
        match ids.into_iter().find(|id| !wire::Manifest::is_id(id)) {
            Some(id) => Err(Error::new(Kind::Other, format!("`{id}` cannot be the id of a plugin or format"))),
            None => Ok(Backend { raw, descriptor }),
        }
    }

    /// A backend that is linked into this program; calls cross the same boundary.
    pub fn in_process(backend: impl sdk::Backend) -> Result<Backend, Error> {
        Backend::from_abi(sdk::backend_box(backend))
    }

    /// What the backend says of itself.
    pub fn descriptor(&self) -> &wire::Descriptor {
        &self.descriptor
    }

    /// Plans a job.
    pub fn open_session(
        &self,
        services: &dyn Services,
        source: &dyn Source,
        request: &wire::Request,
    ) -> Result<Session, Error> {
        let (host, model) = (HostAdapter(services), ModelAdapter(source));
        let host = abi::Host_TO::from_ptr(RRef::new(&host), TD_Opaque);
        let model = abi::Model_TO::from_ptr(RRef::new(&model), TD_Opaque);
        let request = wire::encode(request);
        let session = self.raw.open_session(&host, &model, request.as_str().into()).into_result()?;
        Session::from_abi(session)
    }

    /// Confidence, 0 to 100, that the files are this backend's. Pass heads of at most 64 KiB.
    pub fn recognize(&self, files: &[MappedFile]) -> u32 {
        self.raw.recognize(file_views(files).as_slice().into()).min(100)
    }

    /// Parses files of this backend's format.
    pub fn open(&self, services: &dyn Services, files: &[MappedFile]) -> Result<Reader, Error> {
        let host = HostAdapter(services);
        let host = abi::Host_TO::from_ptr(RRef::new(&host), TD_Opaque);
        Reader::from_abi(self.raw.open(&host, file_views(files).as_slice().into()).into_result()?)
    }

    /// Whether a device is usable here.
    pub fn probe_device(&self, device: &str) -> Result<String, Error> {
        Ok(self.raw.probe_device(device.into()).into_result()?.into_string())
    }
}

pub(super) fn file_views<'a>(files: &[MappedFile<'a>]) -> Vec<abi::FileView<'a>> {
    let one = |f: &MappedFile<'a>| abi::FileView { name: f.name.into(), data: f.data.into(), length: f.length };
    files.iter().map(one).collect()
}
