//! Rows of a source tensor, refused where a weight is no finite number.

use llmq_plugin_api::sdk::{Error, Kind, Tensor};

/// Reads `count` weights, whole rows from `first_row` on.
pub fn read(tensor: &Tensor, first_row: usize, count: usize) -> Result<Vec<f32>, Error> {
    let mut weights = vec![0f32; count];
    tensor.read_rows(first_row, &mut weights)?;
    match weights.iter().position(|weight| !weight.is_finite()) {
        None => Ok(weights),
        Some(at) => {
            let place = first_row * tensor.columns() + at;
            let message = format!("tensor `{}` holds {} at weight {place}", tensor.name, weights[at]);
            Err(Error::new(Kind::CorruptInput, message).subject(tensor.name))
        }
    }
}
