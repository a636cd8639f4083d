//! Where the usual calibration text lies on the Hugging Face Hub.

/// The repository (of type `dataset`) of WikiText.
pub const WIKITEXT_REPOSITORY: &str = "Salesforce/wikitext";
/// WikiText-2's training text: for calibration.
pub const WIKITEXT_TRAIN: &str = "wikitext-2-raw-v1/train-00000-of-00001.parquet";
/// WikiText-2's test text: for evaluation, never for calibration.
pub const WIKITEXT_TEST: &str = "wikitext-2-raw-v1/test-00000-of-00001.parquet";
/// Its rows are lines; published perplexities put this between them ([`crate::TextOptions::join`]).
pub const WIKITEXT_JOIN: &str = "\n\n";
