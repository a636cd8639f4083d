//! The GGUF form: per tensor `<name>.in_sum2`, the sums of squares, and `<name>.counts`, the tokens behind them.

use super::{GGUF, ImatrixError, ImatrixFile, SUM_SQUARES, chunk_size, sorted, whole_chunks};
use crate::container::{Header, StoredTensor, TensorInfo, decode, encode};
use crate::value::{Array, KeyValue, Value};
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Error, Kind, Output};
use llmq_plugin_api::wire::{Counted, StatisticsEntry, StatisticsSummary};
use std::collections::BTreeMap;

const TYPE_KEY: &str = "general.type";
const TYPE: &str = "imatrix";
const DATASETS: &str = "imatrix.datasets";
const CHUNK_COUNT: &str = "imatrix.chunk_count";
const CHUNK_SIZE: &str = "imatrix.chunk_size";
const SUMS: &str = ".in_sum2";
const COUNTS: &str = ".counts";
/// Largest count: beyond it single precision and the reference's own integers do not count any more.
const MAX_COUNT: f32 = 9.0e15;
/// Values converted at a time while writing.
const STEP: usize = 64 * 1024;

/// Whether the head of a GGUF file holds the key that names its kind.
pub(super) fn says_imatrix(head: &[u8]) -> bool {
    let mut pair = (TYPE_KEY.len() as u64).to_le_bytes().to_vec();
    pair.extend(TYPE_KEY.as_bytes());
    pair.extend(8u32.to_le_bytes());
    pair.extend((TYPE.len() as u64).to_le_bytes());
    pair.extend(TYPE.as_bytes());
    head.windows(pair.len()).any(|window| window == pair)
}

pub(super) fn parse(data: &[u8]) -> Result<ImatrixFile, ImatrixError> {
    let header = decode(data, data.len() as u64)?;
    match header.get(TYPE_KEY) {
        Some(Value::String(kind)) if kind == TYPE => {}
        Some(Value::String(kind)) => return Err(ImatrixError::OtherKind(kind.clone())),
        _ => return Err(ImatrixError::Key(TYPE_KEY)),
    }
    let datasets = match header.get(DATASETS) {
        Some(Value::Array(Array::String(texts))) => {
            texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
        }
        _ => return Err(ImatrixError::Key(DATASETS)),
    };
    let mut file = ImatrixFile {
        summary: StatisticsSummary {
            form: GGUF.into(),
            kind: SUM_SQUARES.into(),
            counted: Counted::Tokens,
            chunk_size: Some(number(&header, CHUNK_SIZE)?),
            chunk_count: Some(number(&header, CHUNK_COUNT)?),
            datasets,
            ..StatisticsSummary::default()
        },
        offsets: Vec::new(),
    };
    let mut pairs: BTreeMap<&str, [Option<&StoredTensor>; 2]> = BTreeMap::new();
    for tensor in &header.tensors {
        let name = tensor.info.name.as_str();
        match (name.strip_suffix(SUMS), name.strip_suffix(COUNTS)) {
            (Some(name), _) => pairs.entry(name).or_default()[0] = Some(tensor),
            (_, Some(name)) => pairs.entry(name).or_default()[1] = Some(tensor),
            _ => file.summary.warnings.push(format!("`{name}` is neither sums nor counts and is not used")),
        }
    }
    for (name, [sums, counts]) in pairs {
        let half = |missing| ImatrixError::Half { name: name.to_owned(), missing };
        let (sums, counts) = (sums.ok_or_else(|| half("in_sum2"))?, counts.ok_or_else(|| half("counts"))?);
        for tensor in [sums, counts] {
            if tensor.info.encoding != BlockType::F32 {
                let encoding = tensor.info.encoding.name();
                return Err(ImatrixError::Encoding { name: tensor.info.name.clone(), encoding });
            }
        }
        let (values, vectors) = (sums.bytes / 4, counts.bytes / 4);
        if !values.is_multiple_of(vectors) {
            return Err(ImatrixError::Ragged { name: name.to_owned(), values, counts: vectors });
        }
        // `decode` has compared every tensor's place with the length of the file.
        let bytes = &data[counts.offset as usize..(counts.offset + counts.bytes) as usize];
        let counts = bytes.as_chunks::<4>().0.iter().enumerate();
        let counts = counts.map(|(index, chunk)| count(name, index, f32::from_le_bytes(*chunk)));
        file.summary.entries.push(StatisticsEntry {
            name: name.into(),
            values,
            counts: counts.collect::<Result<_, _>>()?,
        });
        file.offsets.push(sums.offset);
    }
    if file.offsets.is_empty() { Err(ImatrixError::Empty) } else { Ok(file) }
}

fn number(header: &Header, key: &'static str) -> Result<u64, ImatrixError> {
    match header.get(key) {
        Some(Value::U32(number)) => Ok(u64::from(*number)),
        _ => Err(ImatrixError::Key(key)),
    }
}

/// A count is rounded as the reference rounds it.
fn count(name: &str, index: usize, count: f32) -> Result<u64, ImatrixError> {
    if (0.0..=MAX_COUNT).contains(&count) {
        return Ok(count.round() as u64);
    }
    Err(ImatrixError::Count { name: name.to_owned(), index, count: count.to_string() })
}

pub(super) fn write(summary: &StatisticsSummary, values: &[&[f32]], out: &Output) -> Result<(), Error> {
    let order = sorted(summary);
    let chunk = chunk_size(summary);
    let datasets = summary.datasets.iter().map(|name| name.as_bytes().to_vec()).collect();
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let key_values = [
        KeyValue::new(TYPE_KEY, Value::String(TYPE.into())),
        KeyValue::new(DATASETS, Value::Array(Array::String(datasets))),
        KeyValue::new(CHUNK_COUNT, Value::U32(small(whole_chunks(summary, chunk)))),
        KeyValue::new(CHUNK_SIZE, Value::U32(small(chunk))),
    ];
    let mut infos = Vec::with_capacity(order.len() * 2);
    for entry in &order {
        let (name, vectors) = (&summary.entries[*entry].name, summary.entries[*entry].counts.len() as u64);
        let columns = values[*entry].len() as u64 / vectors;
        for (ending, columns) in [(SUMS, columns), (COUNTS, 1)] {
            // A trailing dimension of one is not stored.
            let ne = if vectors == 1 { vec![columns] } else { vec![columns, vectors] };
            infos.push(TensorInfo { name: format!("{name}{ending}"), ne, encoding: BlockType::F32 });
        }
    }
    let file = encode(&key_values, infos).map_err(|error| Error::new(Kind::InvalidRequest, error.to_string()))?;
    out.write(0, 0, &file.header)?;
    let mut at = file.header.len() as u64;
    let mut put = |place: u64, values: &mut dyn Iterator<Item = f32>| -> Result<(), Error> {
        let mut bytes = vec![0; (place - at) as usize];
        for value in values {
            bytes.extend(value.to_le_bytes());
            if bytes.len() >= STEP * 4 {
                out.write(0, at, &bytes)?;
                at += bytes.len() as u64;
                bytes.clear();
            }
        }
        out.write(0, at, &bytes)?;
        at += bytes.len() as u64;
        Ok(())
    };
    for (place, entry) in file.tensors.chunks(2).zip(order) {
        put(place[0].offset, &mut values[entry].iter().copied())?;
        put(place[1].offset, &mut summary.entries[entry].counts.iter().map(|count| *count as f32))?;
    }
    put(file.file_bytes, &mut std::iter::empty())
}
