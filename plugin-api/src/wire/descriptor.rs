//! What a backend says of itself: formats, levels, options, devices, what it needs to see.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The whole self-description of a backend. The host turns it into help, validation and `plugins info`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Descriptor {
    /// Plugin id, `[a-z0-9-]+`. Must equal the manifest's.
    pub id: String,
    /// The plugin's own version. Must equal the manifest's.
    pub version: String,
    /// One sentence for `plugins list`.
    pub summary: String,
    /// SPDX expression.
    #[serde(default)]
    pub license: String,
    /// What it can write and read.
    pub formats: Vec<FormatDescriptor>,
    /// Devices the code paths exist for. Whether one is usable here is asked with
    /// [`crate::sdk::Backend::probe_device`].
    pub devices: Vec<DeviceKind>,
    /// Largest number of units that may be quantized at the same time by one session; 1 = strictly in turn.
    #[serde(default = "one")]
    pub concurrent_units: u32,
}

fn one() -> u32 {
    1
}

impl Descriptor {
    /// The format of a given id.
    pub fn format(&self, id: &str) -> Option<&FormatDescriptor> {
        self.formats.iter().find(|f| f.id == id)
    }
}

/// One output or input format.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FormatDescriptor {
    /// Format id as typed on the command line, `[a-z0-9-]+`.
    pub id: String,
    /// One sentence for help texts.
    pub summary: String,
    /// Whether sessions for this format can be opened.
    pub can_write: bool,
    /// Whether [`crate::sdk::Backend::open`] reads it.
    pub can_read: bool,
    /// One file, or a folder of files.
    pub container: Container,
    /// File name ending without the dot, for [`Container::File`].
    #[serde(default)]
    pub extension: String,
    /// Quantization levels, best known first.
    pub levels: Vec<Level>,
    /// Options of this format. Each becomes `--name` (underscores as dashes) once the format is chosen.
    #[serde(default)]
    pub options: Vec<OptionSpec>,
    /// Family ids that can be written; empty = every family, tensor by tensor.
    #[serde(default)]
    pub families: Vec<String>,
    /// Encodings that [`super::Request::encodings`] may give to a tensor, best known first; empty = nobody but the level
    /// chooses.
    #[serde(default)]
    pub encodings: Vec<EncodingDescriptor>,
}

impl FormatDescriptor {
    /// The level a user means: exact id or alias, ASCII case ignored.
    pub fn level(&self, word: &str) -> Option<&Level> {
        self.levels
            .iter()
            .find(|l| l.id.eq_ignore_ascii_case(word) || l.aliases.iter().any(|a| a.eq_ignore_ascii_case(word)))
    }

    /// The encoding a user means, ASCII case ignored.
    pub fn encoding(&self, word: &str) -> Option<&EncodingDescriptor> {
        self.encodings.iter().find(|e| e.id.eq_ignore_ascii_case(word))
    }
}

/// One way to store a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodingDescriptor {
    /// Its name as slots show it, for example `Q4_K`.
    pub id: String,
    /// Weights of one block. Rows must be whole blocks.
    pub block_weights: u64,
    /// Bytes of one block.
    pub block_bytes: u64,
    /// Largest accepted `||w - decode(encode(w))|| / ||w||` of a tensor's sampled rows in this encoding.
    pub max_relative_error: f64,
}

impl EncodingDescriptor {
    /// Bytes of a tensor of this row-major shape; `None` if its rows are not whole blocks or the number is too large.
    pub fn bytes(&self, shape: &[u64]) -> Option<u64> {
        let columns = shape.last().copied().unwrap_or(1);
        if self.block_weights == 0 || !columns.is_multiple_of(self.block_weights) {
            return None;
        }
        let rows = shape.iter().rev().skip(1).try_fold(1u64, |rows, n| rows.checked_mul(*n))?;
        (columns / self.block_weights).checked_mul(rows)?.checked_mul(self.block_bytes)
    }
}

/// Shape of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// One file.
    File,
    /// A folder, as Hugging Face models are.
    Folder,
}

/// A device class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Host processor; every backend must work on it.
    Cpu,
    /// NVIDIA GPU through the CUDA driver.
    Cuda,
    /// A device class this build does not know.
    #[serde(other)]
    Unknown,
}

/// One quantization level.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Level {
    /// Id as shown, for example `Q4_K_M`.
    pub id: String,
    /// Other accepted spellings.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Typical bits per weight of a whole model.
    pub bits_per_weight: f64,
    /// One sentence: what it is good for.
    pub summary: String,
    /// Statistics kinds without which this level is refused; see [`crate::sdk::StatisticKind::word`].
    #[serde(default)]
    pub requires_statistics: Vec<String>,
    /// Statistics kinds that are used when they are there.
    #[serde(default)]
    pub uses_statistics: Vec<String>,
    /// Which activations the statistics of later layers must come from.
    #[serde(default)]
    pub later_layers_see: SeenByLaterLayers,
    /// Largest accepted `||w - decode(encode(w))|| / ||w||` of a tensor's sampled rows. The host refuses a file beyond.
    pub max_relative_error: f64,
    /// Nothing is encoded anew: every tensor keeps what it is stored as. Only for models in this very format.
    #[serde(default)]
    pub keeps_encodings: bool,
}

/// Whether calibration runs on original or on already quantized layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenByLaterLayers {
    /// One forward pass of the original model serves all layers.
    #[default]
    Original,
    /// The forward pass continues with the dequantized weights that the session feeds back, layer by layer.
    Quantized,
    /// Like `Quantized`, but within a layer stage by stage: linears that share an input are one stage.
    QuantizedByStage,
}

/// One typed option.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OptionSpec {
    /// Name, `[a-z0-9_]+`.
    pub name: String,
    /// One sentence for help texts.
    pub help: String,
    /// Type and limits.
    #[serde(flatten)]
    pub kind: OptionKind,
    /// Value when it is not given; null = absent.
    #[serde(default)]
    pub default: Value,
}

/// Types an option can have. The host validates before a session is opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OptionKind {
    /// Free text.
    Text,
    /// `true` or `false`; given without a value it means `true`.
    Flag,
    /// Whole number within limits, both inclusive.
    Integer {
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
    /// Number within limits, both inclusive.
    Number {
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
    },
    /// Several texts: the option may be given more than once, and its value is an array of strings in the order given.
    Texts,
    /// One of a few words.
    Choice {
        /// The words.
        values: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_tensor_follow_from_its_shape() {
        let q4_k =
            EncodingDescriptor { id: "Q4_K".into(), block_weights: 256, block_bytes: 144, max_relative_error: 0.1 };
        assert_eq!(q4_k.bytes(&[64, 512]), Some(64 * 2 * 144));
        assert_eq!(q4_k.bytes(&[8, 64, 256]), Some(8 * 64 * 144));
        assert_eq!(q4_k.bytes(&[256]), Some(144));
        assert_eq!(q4_k.bytes(&[64, 300]), None);
        assert_eq!(q4_k.bytes(&[u64::MAX, 1 << 40]), None);
        assert_eq!(EncodingDescriptor { block_weights: 0, ..q4_k }.bytes(&[4, 4]), None);
    }
}
