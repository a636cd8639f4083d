//! The source model as the author sees it while planning.

use super::{Error, Tensor};
use crate::{abi, wire};

/// Read-only access to the source model.
pub struct Model<'a> {
    raw: &'a (dyn abi::Model + 'a),
    description: wire::ModelDescription,
}

impl<'a> Model<'a> {
    pub(crate) fn from_abi(raw: &'a (dyn abi::Model + 'a)) -> Result<Model<'a>, Error> {
        let text = raw.description();
        Ok(Model { raw, description: wire::decode("model description", text.as_str())? })
    }

    /// Everything about the model but its numbers.
    pub fn description(&self) -> &wire::ModelDescription {
        &self.description
    }

    /// Bytes of a side file such as `tokenizer.json`. Ask only for names in [`wire::ModelDescription::files`].
    pub fn file(&self, name: &str) -> Result<Vec<u8>, Error> {
        Ok(self.raw.file(name.into()).into_result()?.into_vec())
    }

    /// A side file if the model has it.
    pub fn optional_file(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        if self.description.files.iter().any(|f| f == name) { self.file(name).map(Some) } else { Ok(None) }
    }

    /// A tensor by its index in the description, for the few that a plan must look at (for example to compare a tied
    /// head with the embeddings).
    pub fn tensor(&self, index: usize) -> Result<Tensor<'_>, Error> {
        Ok(Tensor::from_abi(self.raw.tensor(index as u32).into_result()?, self.raw))
    }

    /// Token ids of a text by the model's own tokenizer; `special` adds what its post-processor adds.
    pub fn encode_text(&self, text: &str, special: bool) -> Result<Vec<u32>, Error> {
        Ok(self.raw.encode_text(text.into(), special).into_result()?.into_vec())
    }

    /// Text of token ids, special tokens included.
    pub fn decode_tokens(&self, ids: &[u32]) -> Result<String, Error> {
        Ok(self.raw.decode_tokens(ids.into()).into_result()?.into_string())
    }
}
