//! Stacked tensors of a checkpoint as the single tensors that their family describes, without copying a byte.

use super::family::Family;
use super::stored::StoredTensor;

/// Replaces every tensor that the family calls a stack by its parts, each a piece of the stack's bytes; tells in a
/// sentence if there were any.
pub fn unstack(
    family: &Family,
    tensors: Vec<(usize, StoredTensor)>,
    notes: &mut Vec<String>,
) -> Vec<(usize, StoredTensor)> {
    let mut out = Vec::with_capacity(tensors.len());
    let mut stacks = 0;
    for (file, tensor) in tensors {
        // Parts of a tensor with strides of its own do not lie one behind the other.
        let contiguous = tensor.strides.is_none().then_some(&family.stacked);
        let mut stacks_of_family = contiguous.into_iter().flatten();
        let parts = stacks_of_family.find_map(|stacked| stacked.split(&tensor.name, &tensor.shape));
        let Some(parts) = parts else {
            out.push((file, tensor));
            continue;
        };
        stacks += usize::from(parts.len() > 1);
        let bytes = tensor.range.len() / parts.len();
        for (i, (name, shape)) in parts.into_iter().enumerate() {
            let start = tensor.range.start + i * bytes;
            out.push((file, StoredTensor { name, shape, range: start..start + bytes, ..tensor.clone() }));
        }
    }
    if stacks > 0 {
        notes.push(format!("{stacks} tensors hold all experts of a layer; they are read as tensors of single experts"));
    }
    out
}
