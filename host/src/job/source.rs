//! The source model as the plugin interface wants it, with the model's own tokenizer behind it.

use super::weights::Weights;
use crate::failure::{Class, Failure};
use llmq_plugin_api::client::{Source, SourceTensor};
use llmq_plugin_api::{sdk, wire};
use std::sync::OnceLock;
use tokenizers::Tokenizer;

/// One model for the length of one job.
pub struct JobSource<'a> {
    weights: Box<dyn Weights + 'a>,
    tokenizer: OnceLock<Result<Tokenizer, String>>,
}

impl<'a> JobSource<'a> {
    /// Wraps a model. The tokenizer is parsed when it is first asked for.
    pub fn new(weights: Box<dyn Weights + 'a>) -> JobSource<'a> {
        JobSource { weights, tokenizer: OnceLock::new() }
    }

    /// The model.
    pub fn weights(&self) -> &dyn Weights {
        &*self.weights
    }

    /// Everything about the model but its numbers.
    pub fn model(&self) -> &wire::ModelDescription {
        self.weights.description()
    }

    /// A tensor as a view for plugins.
    pub fn view(&self, index: usize) -> Result<SourceTensor<'_>, Failure> {
        let Some(tensor) = self.model().tensors.get(index) else {
            let message = format!("tensor {index} was asked for, the model has {}", self.model().tensors.len());
            return Err(Failure::new(Class::General, message));
        };
        Ok(SourceTensor {
            index: index as u32,
            name: &tensor.name,
            dtype: &tensor.dtype,
            shape: &tensor.shape,
            data: self.weights.bytes(index)?,
        })
    }

    fn tokenizer(&self) -> Result<&Tokenizer, sdk::Error> {
        let parsed = self.tokenizer.get_or_init(|| {
            let bytes = self.weights.file("tokenizer.json").map_err(|f| f.message)?;
            Tokenizer::from_bytes(bytes).map_err(|e| format!("tokenizer.json is not usable: {e}"))
        });
        parsed
            .as_ref()
            .map_err(|message| sdk::Error::new(sdk::Kind::UnsupportedModel, message).subject("tokenizer.json"))
    }
}

impl Source for JobSource<'_> {
    fn description(&self) -> String {
        wire::encode(self.model())
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, sdk::Error> {
        self.weights.file(name).map_err(|failure| plugin_error(failure, name))
    }

    fn tensor(&self, index: u32) -> Result<SourceTensor<'_>, sdk::Error> {
        self.view(index as usize).map_err(|failure| plugin_error(failure, ""))
    }

    fn read_rows(&self, index: u32, first_row: u64, out: &mut [f32]) -> Result<(), sdk::Error> {
        self.weights.read_rows(index as usize, first_row, out).map_err(|failure| plugin_error(failure, ""))
    }

    fn encode_text(&self, text: &str, special: bool) -> Result<Vec<u32>, sdk::Error> {
        let encoding = self.tokenizer()?.encode_fast(text, special).map_err(tokenizer_error)?;
        Ok(encoding.get_ids().to_vec())
    }

    fn decode_tokens(&self, ids: &[u32]) -> Result<String, sdk::Error> {
        self.tokenizer()?.decode(ids, false).map_err(tokenizer_error)
    }
}

fn plugin_error(failure: Failure, subject: &str) -> sdk::Error {
    sdk::Error::new(sdk::Kind::Io, failure.message).hint(failure.suggestion).subject(subject)
}

fn tokenizer_error(error: tokenizers::Error) -> sdk::Error {
    sdk::Error::new(sdk::Kind::CorruptInput, format!("the model's tokenizer failed: {error}")).subject("tokenizer.json")
}
