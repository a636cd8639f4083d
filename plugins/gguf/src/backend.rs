//! What the host talks to: description, sessions, recognition, readers.

use crate::{arch, container, imatrix, levels, reader::GgufReader, session, session::GgufSession};
use llmq_plugin_api::sdk::{Backend, Context, Error, MappedFile, Model, Output, Reader, Session, StatisticsFile};
use llmq_plugin_api::wire::{
    Container, Descriptor, DeviceKind, FormatDescriptor, Request, StatisticsForm, StatisticsNames, StatisticsSummary,
};

/// The GGUF backend. It has no state.
#[derive(Debug, Default, Clone, Copy)]
pub struct GgufBackend;

impl Backend for GgufBackend {
    fn describe(&self) -> Descriptor {
        Descriptor {
            id: "gguf".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "GGUF files for llama.cpp, byte for byte as its own tools write them".into(),
            license: env!("CARGO_PKG_LICENSE").into(),
            formats: vec![FormatDescriptor {
                id: "gguf".into(),
                summary: "one file with weights, tokenizer and metadata, as llama.cpp and its descendants load it"
                    .into(),
                can_write: true,
                can_read: true,
                container: Container::File,
                extension: "gguf".into(),
                levels: levels::levels(),
                options: session::option_specs(),
                families: arch::families(),
                encodings: levels::encodings(),
                weights_alone: Vec::new(),
            }],
            devices: vec![DeviceKind::Cpu],
            // One unit keeps all threads busy; a second one fills the gap while the last chunks of the first run.
            concurrent_units: 2,
        }
    }

    fn open_session(&self, cx: &Context, model: &Model, request: &Request) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(GgufSession::open(cx, model, request)?))
    }

    fn recognize(&self, files: &[MappedFile]) -> u32 {
        let all = !files.is_empty() && files.iter().all(|file| file.data.starts_with(&container::MAGIC));
        if all { 100 } else { 0 }
    }

    fn open(&self, cx: &Context, files: &[MappedFile]) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(GgufReader::open(cx, files)?))
    }

    fn statistics_forms(&self) -> Vec<StatisticsForm> {
        imatrix::forms()
    }

    fn recognize_statistics(&self, files: &[MappedFile]) -> u32 {
        match files {
            [file] => imatrix::recognize(file.data, file.length),
            _ => 0,
        }
    }

    fn open_statistics(&self, _cx: &Context, files: &[MappedFile]) -> Result<Box<dyn StatisticsFile>, Error> {
        Ok(Box::new(imatrix::ImatrixFile::open(files)?))
    }

    fn statistics_names(&self, model: &Model) -> Result<StatisticsNames, Error> {
        imatrix::names(model.description())
    }

    fn write_statistics(&self, summary: &StatisticsSummary, values: &[&[f32]], out: &Output) -> Result<(), Error> {
        imatrix::write(summary, values, out)
    }
}
