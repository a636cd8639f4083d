//! Statistics files: what one holds, what it calls a model's tensors, in which forms it can be written. Since 1.1.

use serde::{Deserialize, Serialize};

/// What a statistics file holds, without the values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsSummary {
    /// Form id, for example `dat`.
    pub form: String,
    /// Word of [`crate::sdk::StatisticKind`]; every entry holds this kind.
    pub kind: String,
    /// One per tensor, in file order.
    pub entries: Vec<StatisticsEntry>,
    /// What the counts of the entries count.
    #[serde(default)]
    pub counted: Counted,
    /// Tokens of one chunk of the text, if the file says so.
    #[serde(default)]
    pub chunk_size: Option<u64>,
    /// Chunks of text that were read, if the file says so.
    #[serde(default)]
    pub chunk_count: Option<u64>,
    /// Names of the texts.
    #[serde(default)]
    pub datasets: Vec<String>,
    /// Sentences about oddities of the file.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Unit of the counts of a statistics file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Tokens.
    #[default]
    Tokens,
    /// Chunks of tokens, whose length the file does not tell; values are sums of the chunks' means.
    Chunks,
}

/// The statistics of one tensor: `counts.len()` vectors of equal length behind each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsEntry {
    /// Name in the words of the backend.
    pub name: String,
    /// Values of all vectors together.
    pub values: u64,
    /// What went into each vector. A file may have a single count for several vectors (experts).
    pub counts: Vec<u64>,
}

/// What a backend's statistics files call the tensors of one model: every name for which there could be an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsNames {
    /// One per name.
    pub names: Vec<StatisticsName>,
}

/// One name and what it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsName {
    /// Name in the words of the backend.
    pub name: String,
    /// Length of each vector: input channels of the linear, in the order of the source tensor.
    pub columns: u64,
    /// The source tensor of each vector.
    pub parts: Vec<StatisticsPart>,
}

/// A source tensor, or one expert of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StatisticsPart {
    /// Tensor index.
    pub tensor: u32,
    /// Number of the vector, where a source tensor has several: experts first, then matrices that a backend cuts from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<u32>,
}

/// A form in which a backend writes statistics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsForm {
    /// Id as typed, `[a-z0-9-]+`.
    pub id: String,
    /// File name ending without the dot.
    pub extension: String,
    /// One sentence.
    pub summary: String,
}

/// All forms of a backend, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsForms {
    /// One per form.
    pub forms: Vec<StatisticsForm>,
}

/// Where the statistics of a job come from, for formats that record it. Nothing in it depends on folders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsOrigin {
    /// File names without their folders, in the order given.
    pub files: Vec<String>,
    /// Names of the texts, as the files state them.
    #[serde(default)]
    pub datasets: Vec<String>,
    /// Entries, those that the model does not have included.
    pub entries: u64,
    /// Chunks of text; 0 if the files do not tell.
    #[serde(default)]
    pub chunks: u64,
}
