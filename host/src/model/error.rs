//! Everything that can be wrong with a model folder, one variant each, with the way out.

use std::path::PathBuf;

/// Coarse class of a [`ModelError`], for exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelErrorKind {
    /// There is no model at that place, or only a part of one.
    NotFound,
    /// The place holds something that this command does not take.
    Argument,
    /// The model is damaged, incomplete or contradicts itself.
    Damaged,
    /// The model is sound but beyond what this version reads.
    Unsupported,
    /// The operating system refused.
    Io,
}

/// Why a model folder could not be opened or read. The text says what is wrong and where;
/// [`ModelError::suggestion`] says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Nothing exists at the path.
    #[error("there is no model at `{}`", path.display())]
    NotFound {
        /// As the user gave it.
        path: PathBuf,
    },
    /// The path leads to a file.
    #[error("`{}` is {what}, not a model folder", path.display())]
    NotAFolder {
        /// As the user gave it.
        path: PathBuf,
        /// What was recognised there, for example `a GGUF file`.
        what: &'static str,
    },
    /// A folder without config.json.
    #[error("`{}` has no config.json, so it is not a Hugging Face model folder", path.display())]
    NoConfig {
        /// The folder.
        path: PathBuf,
    },
    /// config.json declares a quantized checkpoint.
    #[error("the model is already quantized: config.json has a quantization_config with method `{method}`")]
    AlreadyQuantized {
        /// `quant_method`, or `unknown`.
        method: String,
    },
    /// A folder without any weights.
    #[error("`{}` holds no weights: neither safetensors (model.safetensors, model-*.safetensors) nor pytorch_model*.bin \
             are there", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// Weights in PyTorch's old format that hold more than tensors, or are written in a way that is not read.
    #[error("{file} (PyTorch's old format) {problem}")]
    LegacyPytorch {
        /// The file.
        file: String,
        /// What it holds or asks for.
        problem: String,
    },
    /// Only adapter weights.
    #[error("`{}` holds an adapter (adapter_config.json), not a whole model", path.display())]
    Adapter {
        /// The folder.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// `read`, `open`, `map`, ...
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A name that must be a regular file is something else.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// The place.
        path: PathBuf,
    },
    /// A side file beyond its cap.
    #[error("`{file}` is {size} bytes long; at most {limit} are accepted for it")]
    TooLarge {
        /// The file.
        file: String,
        /// Its length in bytes.
        size: u64,
        /// The cap in bytes.
        limit: u64,
    },
    /// A side file that the model does not offer.
    #[error("the model has no file `{file}`")]
    NoSuchFile {
        /// The name asked for.
        file: String,
    },
    /// An index outside the description.
    #[error("tensor {index} was asked for, but the model has {count} tensors")]
    NoSuchTensor {
        /// The index asked for.
        index: usize,
        /// Number of tensors.
        count: usize,
    },
    /// Rows outside a tensor, or a buffer that is no whole number of rows.
    #[error("tensor `{tensor}`: {problem}")]
    BadRows {
        /// The tensor.
        tensor: String,
        /// What does not fit, with numbers.
        problem: String,
    },
    /// JSON that does not parse or has the wrong form.
    #[error("{file} is not usable: {problem}")]
    Json {
        /// The file.
        file: String,
        /// The parser's words, with line and column.
        problem: String,
    },
    /// A key of config.json that cannot be.
    #[error("config.json: `{key}` is {value}, expected {expected}")]
    Config {
        /// Path of the key, for example `rope_scaling.factor`.
        key: String,
        /// What is there, shortened.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// A class that no family description knows.
    #[error("architecture `{class}` is not supported yet{}", list(" (nearest supported: ", nearest, ")"))]
    UnknownArchitecture {
        /// The class in config.json.
        class: String,
        /// Supported classes with similar names, nearest first.
        nearest: Vec<String>,
    },
    /// A description of a family by the user that cannot be used.
    #[error("the family description `{}` {problem}", path.display())]
    OwnFamily {
        /// The file, or the folder of all of them.
        path: PathBuf,
        /// The rest of the sentence.
        problem: String,
    },
    /// A weight file that is damaged or hostile.
    #[error("{file}: {problem}")]
    Weights {
        /// The weight file.
        file: String,
        /// What is wrong, with tensor names and byte positions.
        problem: String,
    },
    /// Shards and index that do not belong together.
    #[error("the weight files do not fit together: {problem}")]
    Shards {
        /// What is missing or twice there, by name.
        problem: String,
    },
    /// A tensor that the family description does not know.
    #[error("tensor `{tensor}` in {file} is unknown to family `{family}`{}", list(" (nearest: ", nearest, ")"))]
    UnknownTensor {
        /// The tensor.
        tensor: String,
        /// Where it was found.
        file: String,
        /// The family that was chosen by the class.
        family: String,
        /// Known names, nearest first.
        nearest: Vec<String>,
    },
    /// A tensor whose presence contradicts config.json.
    #[error("tensor `{tensor}` contradicts config.json: {problem}")]
    UnexpectedTensor {
        /// The tensor.
        tensor: String,
        /// Which key says otherwise.
        problem: String,
    },
    /// Tensors that the model must have.
    #[error("the weights lack {}: {}", tensors(*count), shortened(names, *count))]
    MissingTensors {
        /// How many.
        count: usize,
        /// The first of them.
        names: Vec<String>,
    },
    /// A tensor whose shape contradicts config.json.
    #[error("tensor `{tensor}` has shape {found:?}, but config.json implies {expected:?} ({formula})")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Shape in the weight file.
        found: Vec<u64>,
        /// Shape by the hyperparameters.
        expected: Vec<u64>,
        /// The rule of the family description.
        formula: String,
    },
    /// Weights that are not floating-point numbers this version reads.
    #[error("tensor `{tensor}` in {file} has dtype {dtype}; weights must be F32, F16, BF16 or F64")]
    Dtype {
        /// The tensor.
        tensor: String,
        /// The weight file.
        file: String,
        /// Its dtype.
        dtype: String,
    },
    /// A quantized weight whose scale is missing or does not fit.
    #[error("tensor `{tensor}` in {file} is stored as {dtype}, and {problem}")]
    Scale {
        /// The tensor.
        tensor: String,
        /// The weight file.
        file: String,
        /// Its dtype.
        dtype: String,
        /// What is wrong with its scale.
        problem: String,
    },
    /// A weight that no quantizer can represent.
    #[error("tensor `{tensor}` holds {value} at row {row}, column {column}; weights must be finite numbers")]
    NonFinite {
        /// The tensor.
        tensor: String,
        /// Row, counting all dimensions but the last together.
        row: u64,
        /// Column.
        column: u64,
        /// NaN or an infinity.
        value: f32,
    },
    /// A file that changed after it was opened.
    #[error("`{}` changed while it was in use: {problem}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is different.
        problem: String,
    },
}

impl ModelError {
    /// The coarse class, for exit codes.
    pub fn kind(&self) -> ModelErrorKind {
        use ModelError::*;
        match self {
            NotFound { .. } | NoConfig { .. } | NoWeights { .. } => ModelErrorKind::NotFound,
            NotAFolder { .. } | AlreadyQuantized { .. } | Adapter { .. } | OwnFamily { .. } => ModelErrorKind::Argument,
            LegacyPytorch { .. } | UnknownArchitecture { .. } | UnknownTensor { .. } | Dtype { .. } => {
                ModelErrorKind::Unsupported
            }
            Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => ModelErrorKind::NotFound,
            Io { .. } => ModelErrorKind::Io,
            _ => ModelErrorKind::Damaged,
        }
    }

    /// One sentence on what to do next.
    pub fn suggestion(&self) -> String {
        use ModelError::*;
        match self {
            NotFound { .. } => "Check the path; it must be a folder with config.json and the weights.".into(),
            NotAFolder { .. } => "Give the folder that holds config.json and the safetensors files.".into(),
            NoConfig { .. } => "Download config.json next to the weights, or give the folder that has it.".into(),
            AlreadyQuantized { .. } => "Start from the original, unquantized model.".into(),
            NoWeights { .. } => "Download the safetensors files of the model into this folder.".into(),
            LegacyPytorch { .. } => "Download the model's safetensors files instead. Files that ask for other names \
                                     than weights need can run programs when Python opens them."
                .into(),
            Adapter { .. } => "Merge the adapter into its base model and quantize the result.".into(),
            Io { .. } | NotAFile { .. } => "Check that the file exists and may be read.".into(),
            TooLarge { .. } | Json { .. } => "Download the file again; it does not look like the one published.".into(),
            NoSuchFile { .. } | NoSuchTensor { .. } | BadRows { .. } => {
                "This is a fault of the calling program; please report it.".into()
            }
            Config { key, .. } => format!("Compare `{key}` with the model's published config.json and correct it."),
            UnknownArchitecture { .. } => {
                "Choose a model of a supported architecture, or describe this one if it computes like one of them (README: A family of your own).".into()
            }
            OwnFamily { .. } => "Correct the description (README: A family of your own), or remove the file.".into(),
            Weights { .. } => "The file is damaged or was not downloaded completely; download it again.".into(),
            Shards { .. } => "Download the missing files, or remove files left over from another download.".into(),
            UnknownTensor { .. } => {
                "Nothing is dropped silently: if the tensor is not needed, remove it from the weights.".into()
            }
            UnexpectedTensor { .. } => "Correct config.json, or remove the tensor if it is left over.".into(),
            MissingTensors { .. } => "Download the model again; if it is complete, config.json does not belong to \
                                      these weights."
                .into(),
            Shape { .. } => "config.json does not belong to these weights; take both from the same revision.".into(),
            Dtype { .. } => "Start from a checkpoint in BF16, F16 or F32.".into(),
            Scale { .. } => {
                "Download the whole checkpoint again, config.json included, or start from one in BF16, F16 or F32."
                    .into()
            }
            NonFinite { .. } => {
                "The model was saved from a run that had diverged, or the file is damaged; use another \
                                 checkpoint."
                    .into()
            }
            Changed { .. } => "Do not write to the model while it is being quantized; start again.".into(),
        }
    }
}

fn list(before: &str, names: &[String], after: &str) -> String {
    if names.is_empty() { String::new() } else { format!("{before}{}{after}", names.join(", ")) }
}

fn tensors(count: usize) -> String {
    if count == 1 { "1 tensor".to_owned() } else { format!("{count} tensors") }
}

fn shortened(names: &[String], count: usize) -> String {
    let rest = count.saturating_sub(names.len());
    let shown = names.join(", ");
    if rest == 0 { shown } else { format!("{shown} and {rest} more") }
}
