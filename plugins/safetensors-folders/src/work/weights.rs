//! Rows of a source tensor, and of one that is stored the other way round, refused where a weight is no finite number.

use llmq_plugin_api::sdk::{Error, Kind, Tensor};

/// Inputs of a turned matrix that are read at a time.
const STRIP: usize = 64;

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

/// Reads `count` weights of a matrix of linear layers, whole outputs from `first` on. If it is `turned`, stored as
/// `[inputs, outputs]`, they are columns of the source.
pub fn outputs(tensor: &Tensor, turned: bool, first: usize, count: usize) -> Result<Vec<f32>, Error> {
    if !turned {
        return read(tensor, first, count);
    }
    let (inputs, stored) = (tensor.rows(), tensor.columns());
    let wanted = count / inputs.max(1);
    if first + wanted > stored || wanted * inputs != count {
        let message =
            format!("{count} weights from output {first} were asked of tensor `{}` [{inputs}, {stored}]", tensor.name);
        return Err(Error::new(Kind::Other, message).subject(tensor.name));
    }
    let mut weights = vec![0f32; count];
    for input in (0..inputs).step_by(STRIP) {
        let strip = read(tensor, input, STRIP.min(inputs - input) * stored)?;
        for (at, row) in strip.chunks_exact(stored).enumerate() {
            for (output, weight) in row[first..first + wanted].iter().enumerate() {
                weights[output * inputs + input + at] = *weight;
            }
        }
    }
    Ok(weights)
}

/// Values `[outputs, inputs]` by number of output and input, told in the rows of a source that is stored the other way round:
/// `tell` takes the first input and whole rows of the source.
pub fn tell_turned(
    shape: [usize; 2],
    value: impl Fn(usize, usize) -> f32,
    mut tell: impl FnMut(usize, &[f32]) -> Result<(), Error>,
) -> Result<(), Error> {
    let [outputs, inputs] = shape;
    for first in (0..inputs).step_by(STRIP) {
        let some = first..inputs.min(first + STRIP);
        let rows: Vec<f32> =
            some.flat_map(|input| (0..outputs).map(move |output| (output, input))).map(|(o, i)| value(o, i)).collect();
        tell(first, &rows)?;
    }
    Ok(())
}
