//! One file or several: which tensors go where, as llama-gguf-split and llama-quantize lay shards out.

use crate::container::{ContainerError, Encoded, StoredTensor, TensorInfo, encode};
use crate::value::{KeyValue, Value};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::OutputFile;

/// The keys that make a file a shard; they describe one file and never pass from source to output.
pub(super) const SPLIT_KEYS: [&str; 3] = ["split.no", "split.count", "split.tensors.count"];

/// Alignment that sizes are counted with, whatever the file's own is.
const COUNTED_ALIGNMENT: u64 = 32;

/// Most shards: their number is stored in 16 bits and printed with five digits.
const MOST_SHARDS: usize = u16::MAX as usize;

/// How tensors are spread over files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Splitting {
    /// One file.
    #[default]
    Whole,
    /// Files of at most so many tensors.
    Tensors(u64),
    /// Files of at most so many bytes of tensors, unless a single one is larger.
    Bytes(u64),
    /// The source's shards: the shard number of every tensor, ascending.
    Kept(Vec<usize>),
}

/// All files of an output.
pub(super) struct Layout {
    pub files: Vec<OutputFile>,
    /// One per file.
    pub headers: Vec<Vec<u8>>,
    /// File and place of every tensor.
    pub places: Vec<(u32, StoredTensor)>,
}

/// Lays out an output. Metadata go to the first file, as every reader expects.
pub(super) fn lay_out(
    stem: &str,
    key_values: &[KeyValue],
    tensors: Vec<TensorInfo>,
    splitting: &Splitting,
) -> Result<Layout, Error> {
    let refused = |error: ContainerError| Error::new(Kind::UnsupportedModel, error.to_string());
    let shards = spread(&tensors, splitting).map_err(refused)?;
    let count = shards.last().map_or(1, |last| last + 1);
    if count > MOST_SHARDS {
        let message = format!("the output would be {count} files; at most {MOST_SHARDS} are possible");
        return Err(Error::new(Kind::InvalidRequest, message).hint("allow larger shards"));
    }
    let total = tensors.len();
    let mut layout = Layout { files: Vec::new(), headers: Vec::new(), places: Vec::with_capacity(total) };
    let mut rest = tensors.into_iter().zip(shards).peekable();
    for shard in 0..count {
        let mut own = Vec::new();
        while let Some((tensor, _)) = rest.next_if(|(_, place)| *place == shard) {
            own.push(tensor);
        }
        let mut keys = if shard == 0 { key_values.to_vec() } else { Vec::new() };
        if count > 1 {
            keys.extend(split_keys(shard, count, total, matches!(splitting, Splitting::Kept(_))));
        }
        // Readers take each shard's alignment from its own header.
        if let Some(alignment) = key_values.iter().find(|pair| pair.key == crate::container::ALIGNMENT_KEY)
            && shard > 0
        {
            keys.insert(0, alignment.clone());
        }
        let Encoded { header, tensors, file_bytes } = encode(&keys, own).map_err(refused)?;
        let name = match count {
            1 => format!("{stem}.gguf"),
            _ => format!("{stem}-{:05}-of-{count:05}.gguf", shard + 1),
        };
        layout.files.push(OutputFile { name, bytes: file_bytes });
        layout.headers.push(header);
        layout.places.extend(tensors.into_iter().map(|tensor| (shard as u32, tensor)));
    }
    Ok(layout)
}

/// The order is part of the bytes: llama-gguf-split sets the count a second time once it is known, which moves it to the
/// end; llama-quantize knows it from the start.
fn split_keys(shard: usize, count: usize, total: usize, kept: bool) -> [KeyValue; 3] {
    let no = KeyValue::new("split.no", Value::U16(shard as u16));
    let count = KeyValue::new("split.count", Value::U16(count as u16));
    let tensors = KeyValue::new("split.tensors.count", Value::I32(i32::try_from(total).unwrap_or(i32::MAX)));
    if kept { [no, count, tensors] } else { [no, tensors, count] }
}

/// The shard of every tensor, ascending from 0 without gaps.
fn spread(tensors: &[TensorInfo], splitting: &Splitting) -> Result<Vec<usize>, ContainerError> {
    match splitting {
        Splitting::Whole => Ok(vec![0; tensors.len()]),
        Splitting::Tensors(most) => Ok((0..tensors.len()).map(|i| i / (*most).max(1) as usize).collect()),
        Splitting::Kept(shards) => Ok(shards.clone()),
        Splitting::Bytes(most) => {
            let (mut shard, mut filled) = (0, 0u64);
            let mut out = Vec::with_capacity(tensors.len());
            for (place, tensor) in tensors.iter().enumerate() {
                let bytes = tensor.checked_bytes()?.next_multiple_of(COUNTED_ALIGNMENT);
                filled = filled.saturating_add(bytes);
                if place > 0 && filled > *most {
                    shard += 1;
                    filled = bytes;
                }
                out.push(shard);
            }
            Ok(out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_ggml_blocks::BlockType::F32;

    fn tensors(sizes: &[u64]) -> Vec<TensorInfo> {
        let one = |(i, n): (usize, &u64)| TensorInfo { name: format!("t{i}"), ne: vec![*n], encoding: F32 };
        sizes.iter().enumerate().map(one).collect()
    }

    #[test]
    fn shards_are_filled_up_to_the_limit_and_large_tensors_stand_alone() {
        let spread = |splitting| spread(&tensors(&[8, 8, 1, 100, 8]), &splitting).unwrap();
        assert_eq!(spread(Splitting::Whole), [0; 5]);
        assert_eq!(spread(Splitting::Tensors(2)), [0, 0, 1, 1, 2]);
        // 32, 32, 4 counted as 32, 400 counted as 416, 32 bytes.
        assert_eq!(spread(Splitting::Bytes(64)), [0, 0, 1, 2, 3]);
        assert_eq!(spread(Splitting::Bytes(96)), [0, 0, 0, 1, 2]);
        assert_eq!(spread(Splitting::Bytes(1)), [0, 1, 2, 3, 4]);
        assert_eq!(spread(Splitting::Bytes(u64::MAX)), [0; 5]);
    }

    #[test]
    fn names_keys_and_places_are_those_of_shards() {
        let keys = [KeyValue::new("general.architecture", "llama")];
        let layout = lay_out("m", &keys, tensors(&[8, 8, 8]), &Splitting::Tensors(2)).unwrap();
        let names: Vec<&str> = layout.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]);
        let files: Vec<u32> = layout.places.iter().map(|(file, _)| *file).collect();
        assert_eq!(files, [0, 0, 1]);
        let second = crate::container::decode(&layout.headers[1], 1 << 20).unwrap();
        let found: Vec<(&str, &Value)> =
            second.key_values.iter().map(|pair| (pair.key.as_str(), &pair.value)).collect();
        let (no, all, two) = (Value::U16(1), Value::I32(3), Value::U16(2));
        assert_eq!(found, [("split.no", &no), ("split.tensors.count", &all), ("split.count", &two)]);
        let whole = lay_out("m", &keys, tensors(&[8, 8]), &Splitting::Tensors(2)).unwrap();
        assert_eq!(whole.files[0].name, "m.gguf");
    }

    #[test]
    fn more_shards_than_their_numbers_can_count_are_refused() {
        let many = tensors(&vec![1; MOST_SHARDS + 1]);
        let Err(error) = lay_out("m", &[], many, &Splitting::Tensors(1)) else { panic!("refused") };
        assert!(error.message.contains("65536 files"), "{}", error.message);
    }
}
