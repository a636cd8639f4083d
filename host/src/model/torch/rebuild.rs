//! What calling one of the known names means: dictionaries, tensors, storages.

use super::globals::Global;
use super::objects::{Objects, Storage, Value, View};
use super::{Fault, damaged, unsupported};
use crate::model::stored::MAX_DIMENSIONS;

/// The result of calling `function`.
pub fn call(objects: &mut Objects<'_>, function: Global, arguments: Value) -> Result<Value, Fault> {
    let arguments = objects.tuple(arguments).ok_or_else(|| damaged("calls a function without a tuple of arguments"))?;
    match (function, arguments) {
        (Global::OrderedDict, []) => Ok(objects.new_dict(Vec::new())),
        // Python 2 wrote the entries as one list of pairs.
        (Global::OrderedDict, &[Value::List(entries)]) => {
            let pair = |value: &Value| match value {
                Value::List(at) | Value::Tuple(at) => objects.sequences[*at].first_chunk::<2>().copied(),
                _ => None,
            };
            let entries: Option<Vec<_>> = objects.sequences[entries].iter().map(pair).collect();
            let entries = entries.ok_or_else(|| damaged("makes a dictionary of what are no pairs"))?;
            Ok(objects.new_dict(entries.into_iter().map(|[key, value]| (key, value)).collect()))
        }
        // Whether it is trained further, and hooks: nothing that a weight's value depends on.
        (Global::RebuildParameter, &[tensor @ Value::Tensor(_), _, _]) => Ok(tensor),
        (Global::RebuildTensor, &[storage, offset, shape, strides]) => {
            view(objects, None, [storage, offset, shape, strides])
        }
        (Global::RebuildTensorV2, &[storage, offset, shape, strides, _, _]) => {
            view(objects, None, [storage, offset, shape, strides])
        }
        (Global::RebuildTensorV2, &[storage, offset, shape, strides, _, _, metadata]) => {
            refuse_metadata(objects, metadata)?;
            view(objects, None, [storage, offset, shape, strides])
        }
        (Global::RebuildTensorV3, &[storage, offset, shape, strides, _, _, dtype]) => {
            view(objects, Some(dtype), [storage, offset, shape, strides])
        }
        (Global::RebuildTensorV3, &[storage, offset, shape, strides, _, _, dtype, metadata]) => {
            refuse_metadata(objects, metadata)?;
            view(objects, Some(dtype), [storage, offset, shape, strides])
        }
        _ => Err(damaged(format!("calls {function:?} with {} arguments that do not fit it", arguments.len()))),
    }
}

/// Lazily conjugated or negated tensors carry a note of it, and their bytes are not their values.
fn refuse_metadata(objects: &Objects<'_>, metadata: Value) -> Result<(), Fault> {
    match metadata {
        Value::None => Ok(()),
        Value::Dict(at) if objects.dicts[at].is_empty() => Ok(()),
        _ => Err(unsupported("holds a tensor with marks of its own (conjugated or negated), which are not read")),
    }
}

fn view(objects: &mut Objects<'_>, dtype: Option<Value>, parts: [Value; 4]) -> Result<Value, Fault> {
    let [Value::Storage(storage), Value::Int(offset), shape, strides] = parts else {
        return Err(damaged("makes a tensor of what is no storage and offset"));
    };
    let numbers = |value: Value| -> Option<Vec<u64>> {
        let number = |value: &Value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        objects.tuple(value)?.iter().map(number).collect()
    };
    let (Ok(offset), Some(shape), Some(strides)) = (u64::try_from(offset), numbers(shape), numbers(strides)) else {
        return Err(damaged("makes a tensor whose offset, shape or strides are not whole numbers from 0 on"));
    };
    if shape.len() != strides.len() || shape.len() > MAX_DIMENSIONS {
        let (dimensions, steps) = (shape.len(), strides.len());
        let problem =
            format!("makes a tensor of {dimensions} dimensions and {steps} strides; at most {MAX_DIMENSIONS}");
        return Err(damaged(problem));
    }
    let dtype = match dtype {
        None => objects.storages[storage].dtype,
        Some(Value::Global(Global::Dtype(dtype))) => Some(dtype),
        Some(_) => None,
    };
    let dtype = dtype.ok_or_else(|| damaged("makes a tensor without an element type"))?;
    objects.tensors.push(View { storage, dtype, offset, shape, strides });
    Ok(Value::Tensor(objects.tensors.len() - 1))
}

/// The storage behind a persistent id: `("storage", class, key, device, elements)`.
pub fn storage_of(objects: &mut Objects<'_>, id: Value) -> Result<Value, Fault> {
    let parts = objects.tuple(id).ok_or_else(|| damaged("refers to a storage by what is no tuple"))?;
    let (&[kind, class, key, _, elements], view) = (match parts {
        [first @ .., view] if parts.len() == 6 => (first, *view),
        all => (all, Value::None),
    }) else {
        return Err(damaged(format!("refers to a storage by {} parts instead of 5", parts.len())));
    };
    if objects.text(kind) != Some("storage") {
        return Err(unsupported("refers to an outside object that is no storage"));
    }
    if view != Value::None {
        return Err(unsupported("holds storages that are parts of others, as torch before 0.4 wrote them"));
    }
    let (Value::Global(Global::Storage(dtype)), Some(key), Value::Int(elements)) = (class, objects.text(key), elements)
    else {
        return Err(damaged("refers to a storage without class, name or length"));
    };
    let elements = u64::try_from(elements).map_err(|_| damaged("refers to a storage of negative length"))?;
    objects.storages.push(Storage { key, dtype, elements });
    Ok(Value::Storage(objects.storages.len() - 1))
}
