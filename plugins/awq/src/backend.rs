//! What the host talks to: the descriptor, and the doors to sessions and readers.

use crate::choices::Choices;
use crate::reader;
use crate::session::AwqSession;
use crate::{levels, option_specs, plan};
use llmq_plugin_api::sdk::{Backend, Context, Error, MappedFile, Model, Reader, Session};
use llmq_plugin_api::wire::{Container, Descriptor, DeviceKind, FormatDescriptor, Request};

/// The backend. It has no state.
pub struct AwqBackend;

impl Backend for AwqBackend {
    fn describe(&self) -> Descriptor {
        let summary = "AWQ folders: 4 bits with scales per group behind scaled channels, for vLLM, SGLang, transformers and GPTQModel";
        Descriptor {
            id: "awq".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: summary.into(),
            license: env!("CARGO_PKG_LICENSE").into(),
            formats: vec![FormatDescriptor {
                id: "awq".into(),
                summary: summary.into(),
                can_write: true,
                can_read: true,
                container: Container::Folder,
                extension: String::new(),
                levels: levels::described(),
                options: option_specs::all(),
                families: Vec::new(),
                encodings: Vec::new(),
                weights_alone: option_specs::weights_alone(),
            }],
            devices: vec![DeviceKind::Cpu],
            // A unit keeps all threads busy, and a second one would double the memory for factors.
            concurrent_units: 1,
        }
    }

    fn open_session(&self, _: &Context, model: &Model, request: &Request) -> Result<Box<dyn Session>, Error> {
        let choices = Choices::read(request)?;
        let layout = plan::plan(model, &choices, request)?;
        let smoothing = model.description().smoothing.clone();
        Ok(Box::new(AwqSession { layout, choices, smoothing }))
    }

    fn recognize(&self, files: &[MappedFile]) -> u32 {
        reader::confidence(files)
    }

    fn open(&self, _: &Context, files: &[MappedFile]) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(reader::open(files)?))
    }
}
