//! What the host talks to: the descriptor, and the doors to sessions and readers.

use crate::choices::Choices;
use crate::reader;
use crate::session::GptqSession;
use crate::{levels, option_specs, plan};
use llmq_plugin_api::sdk::{Backend, Context, Error, MappedFile, Model, Reader, Session};
use llmq_plugin_api::wire::{Container, Descriptor, DeviceKind, FormatDescriptor, Request};

/// The backend. It has no state.
pub struct GptqBackend;

impl Backend for GptqBackend {
    fn describe(&self) -> Descriptor {
        let summary =
            "GPTQ folders: 2, 3, 4 and 8 bits with scales per group, for GPTQModel, transformers, vLLM and SGLang";
        Descriptor {
            id: "gptq".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: summary.into(),
            license: env!("CARGO_PKG_LICENSE").into(),
            formats: vec![FormatDescriptor {
                id: "gptq".into(),
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
        let (layout, zeros) = plan::plan(model, &choices, request)?;
        Ok(Box::new(GptqSession { layout, choices, zeros }))
    }

    fn recognize(&self, files: &[MappedFile]) -> u32 {
        reader::confidence(files)
    }

    fn open(&self, _: &Context, files: &[MappedFile]) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(reader::open(files)?))
    }
}
