//! GPTQ folders back to Hugging Face's view: every quantized module is one matrix `x.weight` again.

mod declared;
mod entries;
mod finding;
mod module;
mod rows;

pub use declared::confidence;
pub use module::Module;

use declared::Declared;
use llmq_plugin_api::sdk::{Error, MappedFile};
use llmq_plugin_api::wire::Severity;
use llmq_safetensors_folders::reading::{Heading, Located, PackedFolder, PackedMatrix};
use std::ops::Range;

/// Files that speak of quantization alone.
const OF_QUANTIZATION: &[&str] = &["quantize_config.json", "quant_log.csv"];

/// Parses a folder.
pub fn open(files: &[MappedFile]) -> Result<PackedFolder<Module>, Error> {
    let declared = Declared::read(files)?;
    let entries = entries::entries(files, &declared)?;
    let level = declared.level();
    let Declared { config, quantization, .. } = declared;
    let heading = Heading { format: "gptq", level, config, quantization, of_quantization: OF_QUANTIZATION };
    Ok(PackedFolder::new(files, heading, entries))
}

impl PackedMatrix for Module {
    fn name(&self) -> &str {
        &self.name
    }

    fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    fn encoding(&self) -> String {
        crate::plan::encoding(self.bits, self.group)
    }

    fn located(&self) -> Vec<&Located> {
        self.located().collect()
    }

    fn values(
        &self,
        files: &[MappedFile],
        rows: Range<usize>,
        columns: Range<usize>,
        put: impl FnMut(usize, usize, f32),
    ) -> Result<(), Error> {
        rows::values(self, files, rows, columns, put)
    }

    fn finding(&self, files: &[MappedFile]) -> Option<(Severity, String)> {
        finding::of_module(self, files)
    }
}
