//! What a backend says of itself: formats, levels, options, devices, what it needs to see.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
    /// Settings with which every level looks at the weights alone: options with their values, all of which have to be given.
    /// Such a request is planned without statistics, and its plan asks for none.
    #[serde(default)]
    pub weights_alone: Vec<Map<String, Value>>,
}

impl FormatDescriptor {
    /// A level as it is with these options: it neither requires nor uses statistics if they say so.
    pub fn with_options(&self, level: &Level, options: &Map<String, Value>) -> Level {
        let default = |name: &str| self.options.iter().find(|spec| spec.name == name).map(|spec| &spec.default);
        let is_set = |(name, value): (&String, &Value)| options.get(name).or(default(name)) == Some(value);
        let mut level = level.clone();
        if self.weights_alone.iter().any(|settings| settings.iter().all(is_set)) {
            level.requires_statistics.clear();
            level.uses_statistics.clear();
        }
        level
    }

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
    /// Which activations the statistics of later layers come from unless the user says otherwise.
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
    /// Layers are calibrated and quantized in turn: what arrives at a layer comes from the layers before it as the backend's
    /// own reader decodes them from the growing output.
    Quantized,
    /// Like `Quantized`, but within a layer stage by stage: linears that share an input are one stage.
    QuantizedByStage,
}

impl SeenByLaterLayers {
    /// All of them.
    pub const ALL: [SeenByLaterLayers; 3] =
        [SeenByLaterLayers::Original, SeenByLaterLayers::Quantized, SeenByLaterLayers::QuantizedByStage];

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            SeenByLaterLayers::Original => "original",
            SeenByLaterLayers::Quantized => "quantized",
            SeenByLaterLayers::QuantizedByStage => "quantized-by-stage",
        }
    }

    /// Whether one pass of the original model serves all layers.
    pub fn is_original(&self) -> bool {
        *self == SeenByLaterLayers::Original
    }
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
    use serde_json::json;

    #[test]
    fn options_may_make_statistics_needless() {
        let level = |id: &str| {
            json!({"id": id, "bits_per_weight": 4.0, "summary": "", "requires_statistics": ["gram"],
            "uses_statistics": ["sum"], "max_relative_error": 0.1})
        };
        let word = |name: &str, default: &str| {
            json!({"name": name, "help": "", "type": "choice", "values": ["yes", "no"],
            "default": default})
        };
        let format: FormatDescriptor = serde_json::from_value(json!({"id": "toy", "summary": "", "can_write": true,
            "can_read": true, "container": "file", "levels": [level("FOUR")],
            "options": [word("search", "yes"), word("cut", "no")], "weights_alone": [{"search": "no", "cut": "no"}]}))
        .unwrap();
        let required = |options: Value| {
            let options = options.as_object().cloned().unwrap();
            let level = format.with_options(&format.levels[0], &options);
            assert_eq!(level.requires_statistics.len(), level.uses_statistics.len());
            level.requires_statistics.len()
        };
        assert_eq!(required(json!({})), 1);
        assert_eq!(required(json!({"search": "no"})), 0);
        assert_eq!(required(json!({"search": "no", "cut": "yes"})), 1);
    }

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
