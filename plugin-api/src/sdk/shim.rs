//! From the ABI to the author's traits: decode, guard, encode. One shim per trait, no logic.

use super::panic::guard;
use super::{Backend, Context, Error, Kind, MappedFile, Model, Output, Reader, Session, StatisticsFile, Unit};
use crate::{abi, wire};
use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RResult, RSlice, RSliceMut, RStr, RString, RVec},
};

pub(super) struct BackendShim(pub(super) Box<dyn Backend>);
struct SessionShim(Box<dyn Session>);
struct ReaderShim(Box<dyn Reader>);
struct StatisticsShim(Box<dyn StatisticsFile>);

fn outcome<T>(result: Result<T, Error>) -> abi::PResult<T> {
    match result {
        Ok(value) => RResult::ROk(value),
        Err(error) => RResult::RErr(error.into()),
    }
}

fn mapped<'a>(files: RSlice<'a, abi::FileView<'a>>) -> Vec<MappedFile<'a>> {
    let one = |f: &abi::FileView<'a>| MappedFile { name: f.name.as_str(), data: f.data.as_slice(), length: f.length };
    files.as_slice().iter().map(one).collect()
}

/// Words that the backend's own description does not know are refused here, once for all backends: an option that is
/// silently ignored is worse than an error.
fn known(descriptor: &wire::Descriptor, request: &wire::Request) -> Result<(), Error> {
    let refused = |what: &str, word: &str| {
        let message = format!("the backend `{}` has no {what} `{word}`", descriptor.id);
        Error::new(Kind::InvalidRequest, message).subject(word).hint("see `llm-quantize plugins info` for what it has")
    };
    let format = descriptor.format(&request.format).ok_or_else(|| refused("format", &request.format))?;
    if !format.levels.iter().any(|level| level.id == request.level) {
        return Err(refused("level", &request.level));
    }
    match request.options.keys().find(|name| !format.options.iter().any(|option| option.name == **name)) {
        Some(name) => Err(refused("option", name)),
        None => Ok(()),
    }
}

impl abi::Backend for BackendShim {
    fn describe(&self) -> RString {
        guard("describe", || Ok(wire::encode(&self.0.describe()).into())).unwrap_or_else(|e| e.message.into())
    }

    fn open_session(
        &self,
        host: &abi::HostRef<'_>,
        model: &abi::ModelRef<'_>,
        request: RStr<'_>,
    ) -> abi::PResult<abi::SessionBox> {
        outcome(guard("open_session", || {
            let request: wire::Request = wire::decode("request", request.as_str())?;
            known(&self.0.describe(), &request)?;
            let session = self.0.open_session(&Context::from_abi(host), &Model::from_abi(model)?, &request)?;
            Ok(abi::Session_TO::from_value(SessionShim(session), TD_Opaque))
        }))
    }

    fn recognize(&self, files: RSlice<'_, abi::FileView<'_>>) -> u32 {
        guard("recognize", || Ok(self.0.recognize(&mapped(files)))).unwrap_or(0)
    }

    fn open(&self, host: &abi::HostRef<'_>, files: RSlice<'_, abi::FileView<'_>>) -> abi::PResult<abi::ReaderBox> {
        outcome(guard("open", || {
            let reader = self.0.open(&Context::from_abi(host), &mapped(files))?;
            Ok(abi::Reader_TO::from_value(ReaderShim(reader), TD_Opaque))
        }))
    }

    fn probe_device(&self, device: RStr<'_>) -> abi::PResult<RString> {
        outcome(guard("probe_device", || self.0.probe_device(device.as_str()).map(RString::from)))
    }

    fn statistics_forms(&self) -> RString {
        let forms = || wire::encode(&wire::StatisticsForms { forms: self.0.statistics_forms() });
        guard("statistics_forms", || Ok(forms().into())).unwrap_or_else(|e| e.message.into())
    }

    fn recognize_statistics(&self, files: RSlice<'_, abi::FileView<'_>>) -> u32 {
        guard("recognize_statistics", || Ok(self.0.recognize_statistics(&mapped(files)))).unwrap_or(0)
    }

    fn open_statistics(
        &self,
        host: &abi::HostRef<'_>,
        files: RSlice<'_, abi::FileView<'_>>,
    ) -> abi::PResult<abi::StatisticsFileBox> {
        outcome(guard("open_statistics", || {
            let file = self.0.open_statistics(&Context::from_abi(host), &mapped(files))?;
            Ok(abi::StatisticsFile_TO::from_value(StatisticsShim(file), TD_Opaque))
        }))
    }

    fn statistics_names(&self, model: &abi::ModelRef<'_>) -> abi::PResult<RString> {
        outcome(guard("statistics_names", || {
            Ok(wire::encode(&self.0.statistics_names(&Model::from_abi(model)?)?).into())
        }))
    }

    fn write_statistics(
        &self,
        summary: RStr<'_>,
        values: RSlice<'_, RSlice<'_, f32>>,
        sink: &abi::SinkRef<'_>,
    ) -> abi::PResult<()> {
        outcome(guard("write_statistics", || {
            let summary: wire::StatisticsSummary = wire::decode("statistics summary", summary.as_str())?;
            let values: Vec<&[f32]> = values.iter().map(|values| values.as_slice()).collect();
            self.0.write_statistics(&summary, &values, &Output::from_abi(sink))
        }))
    }
}

impl abi::StatisticsFile for StatisticsShim {
    fn summary(&self) -> RString {
        guard("summary", || Ok(wire::encode(&self.0.summary()).into())).unwrap_or_else(|e| e.message.into())
    }

    fn read_values(
        &self,
        files: RSlice<'_, abi::FileView<'_>>,
        entry: u32,
        mut out: RSliceMut<'_, f32>,
    ) -> abi::PResult<()> {
        outcome(guard("read_values", || self.0.read_values(&mapped(files), entry as usize, out.as_mut_slice())))
    }
}

impl abi::Session for SessionShim {
    fn plan(&self) -> RString {
        guard("plan", || Ok(wire::encode(self.0.plan()).into())).unwrap_or_else(|e| e.message.into())
    }

    fn literal(&self, index: u32, mut out: RSliceMut<'_, u8>) -> abi::PResult<()> {
        outcome(guard("literal", || self.0.literal(index as usize, out.as_mut_slice())))
    }

    fn quantize(
        &self,
        host: &abi::HostRef<'_>,
        model: &abi::ModelRef<'_>,
        unit: abi::UnitView<'_>,
        sink: &abi::SinkRef<'_>,
    ) -> abi::PResult<RString> {
        outcome(guard("quantize", || {
            let unit = Unit::from_abi(&unit, model);
            let report = self.0.quantize(&Context::from_abi(host), &unit, &Output::from_abi(sink))?;
            Ok(wire::encode(&report).into())
        }))
    }

    fn fold(
        &self,
        host: &abi::HostRef<'_>,
        model: &abi::ModelRef<'_>,
        unit: abi::UnitView<'_>,
    ) -> abi::PResult<RString> {
        outcome(guard("fold", || {
            let folds = self.0.fold(&Context::from_abi(host), &Unit::from_abi(&unit, model))?;
            Ok(wire::encode(&folds).into())
        }))
    }
}

impl abi::Reader for ReaderShim {
    fn summary(&self) -> RString {
        guard("summary", || Ok(wire::encode(&self.0.summary()).into())).unwrap_or_else(|e| e.message.into())
    }

    fn decode_rows(
        &self,
        files: RSlice<'_, abi::FileView<'_>>,
        tensor: u32,
        first_row: u64,
        mut out: RSliceMut<'_, f32>,
    ) -> abi::PResult<()> {
        outcome(guard("decode_rows", || {
            self.0.decode_rows(&mapped(files), tensor as usize, first_row as usize, out.as_mut_slice())
        }))
    }

    fn sidecar(&self, files: RSlice<'_, abi::FileView<'_>>, name: RStr<'_>) -> abi::PResult<RVec<u8>> {
        outcome(guard("sidecar", || self.0.sidecar(&mapped(files), name.as_str()).map(RVec::from)))
    }

    fn validate(&self, host: &abi::HostRef<'_>, files: RSlice<'_, abi::FileView<'_>>) -> abi::PResult<RString> {
        outcome(guard("validate", || {
            let report = self.0.validate(&Context::from_abi(host), &mapped(files))?;
            Ok(wire::encode(&report).into())
        }))
    }
}
