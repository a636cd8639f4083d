//! A specimen as a source model.

use super::super::specimen::Specimen;
use llmq_plugin_api::client::{self, SourceTensor};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire;

/// A borrowed specimen.
pub struct Source<'a>(pub &'a Specimen);

fn no_tensor(index: u32) -> Error {
    Error::new(Kind::Other, format!("the model has no tensor {index}"))
}

impl client::Source for Source<'_> {
    fn description(&self) -> String {
        wire::encode(&self.0.description)
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, Error> {
        let found = self.0.files.iter().find(|(known, _)| known == name);
        found.map(|(_, bytes)| bytes.clone()).ok_or_else(|| Error::new(Kind::Io, format!("there is no file {name}")))
    }

    fn tensor(&self, index: u32) -> Result<SourceTensor<'_>, Error> {
        let at = index as usize;
        let tensor = self.0.description.tensors.get(at).ok_or_else(|| no_tensor(index))?;
        Ok(SourceTensor {
            index,
            name: &tensor.name,
            dtype: &tensor.dtype,
            shape: &tensor.shape,
            data: &self.0.data[at],
        })
    }

    fn read_rows(&self, index: u32, first_row: u64, out: &mut [f32]) -> Result<(), Error> {
        let tensor = self.0.description.tensors.get(index as usize).ok_or_else(|| no_tensor(index))?;
        let start = first_row.saturating_mul(tensor.columns()) as usize;
        let rows = self.0.values[index as usize].get(start..start.saturating_add(out.len()));
        out.copy_from_slice(rows.ok_or_else(|| Error::new(Kind::Other, "rows beyond the tensor were asked for"))?);
        Ok(())
    }

    fn encode_text(&self, text: &str, special: bool) -> Result<Vec<u32>, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::new(Kind::Other, e.to_string());
        let tokenizer = self.0.tokenizer.as_ref().ok_or_else(|| failed(&"the specimen has no tokenizer"))?;
        Ok(tokenizer.encode(text, special).map_err(|e| failed(&e))?.get_ids().to_vec())
    }

    fn decode_tokens(&self, ids: &[u32]) -> Result<String, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::new(Kind::Other, e.to_string());
        let tokenizer = self.0.tokenizer.as_ref().ok_or_else(|| failed(&"the specimen has no tokenizer"))?;
        tokenizer.decode(ids, false).map_err(|e| failed(&e))
    }
}
