//! What the backend says of itself, and the doors to its sessions and readers.

use crate::layout::{self, METHOD};
use crate::reader::Int8Reader;
use crate::session::Int8Session;
use llmq_plugin_api::sdk::{Backend, Context, Error, Kind, MappedFile, Model, Reader, Session};
use llmq_plugin_api::wire::{
    Container, Descriptor, DeviceKind, FormatDescriptor, Level, OptionKind, OptionSpec, Request, SeenByLaterLayers,
};
use serde_json::{Value, json};

const LEVEL: &str = "W8";

/// The backend. It has no state.
pub struct Int8;

impl Backend for Int8 {
    fn describe(&self) -> Descriptor {
        let level = Level {
            id: LEVEL.into(),
            aliases: vec!["8bit".into(), "int8".into()],
            bits_per_weight: 8.03,
            summary: "8-bit codes with one scale per row".into(),
            requires_statistics: Vec::new(),
            uses_statistics: vec!["sum_squares".into()],
            later_layers_see: SeenByLaterLayers::Original,
            // Models measure 0.01. A row of 4096 whose largest weight is 400 times the others' reaches 0.14.
            max_relative_error: 0.15,
            keeps_encodings: false,
        };
        let clip = OptionSpec {
            name: "clip".into(),
            help: "smallest share of a row's largest weight that may become the largest code".into(),
            kind: OptionKind::Number { min: 0.5, max: 1.0 },
            default: json!(0.8),
        };
        Descriptor {
            id: "int8".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Per-row symmetric int8 in a safetensors folder".into(),
            license: env!("CARGO_PKG_LICENSE").into(),
            formats: vec![FormatDescriptor {
                id: "int8".into(),
                summary: "Per-row symmetric int8 in a safetensors folder".into(),
                can_write: true,
                can_read: true,
                container: Container::Folder,
                extension: String::new(),
                levels: vec![level],
                options: vec![clip],
                families: Vec::new(),
                encodings: Vec::new(),
                weights_alone: Vec::new(),
            }],
            devices: vec![DeviceKind::Cpu],
            concurrent_units: 4,
        }
    }

    fn open_session(&self, _: &Context, model: &Model, request: &Request) -> Result<Box<dyn Session>, Error> {
        let invalid = |message: String| Error::new(Kind::InvalidRequest, message);
        if request.format != "int8" || request.level != LEVEL {
            let message = format!("there is no level `{}` of format `{}`", request.level, request.format);
            return Err(invalid(message).hint(format!("this backend has the level {LEVEL} of the format int8")));
        }
        if let Some(unknown) = request.options.keys().find(|name| *name != "clip") {
            return Err(invalid(format!("there is no option `{unknown}`"))
                .subject(unknown)
                .hint("the one option is clip"));
        }
        let clip =
            match request.options.get("clip") {
                None | Some(Value::Null) => 0.8,
                Some(value) => value.as_f64().filter(|c| (0.5..=1.0).contains(c)).ok_or_else(|| {
                    invalid(format!("clip is {value}, expected a number from 0.5 to 1")).subject("clip")
                })? as f32,
            };
        Ok(Box::new(Int8Session { layout: layout::lay_out(model, LEVEL)?, clip }))
    }

    fn recognize(&self, files: &[MappedFile]) -> u32 {
        // Only heads are given, so config.json may be cut off: look for the word, not for the structure.
        let config = files.iter().find(|f| f.name == "config.json").map_or(&b""[..], |f| f.data);
        let word = METHOD.as_bytes();
        if config.windows(word.len()).any(|w| w == word) { 95 } else { 0 }
    }

    fn open(&self, _: &Context, files: &[MappedFile]) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(Int8Reader::open(files)?))
    }
}
