//! The files as they are, for sessions that turn GGUF into GGUF: every tensor under its own name, every byte of the
//! headers.

use super::Listed;
use crate::container::{ContainerError, Header, decode};
use crate::value::{Array, Value};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use llmq_plugin_api::wire::{PlacedTensor, StoredView};

/// The side file with the headers of all shards, by shard number: the length of each as a 64-bit number, then its bytes.
pub const REST: &str = "source.gguf-headers";

/// Indices of the files by shard number.
pub(super) fn shards_in_order(headers: &[Header]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..headers.len()).collect();
    order.sort_by_key(|file| headers[*file].unsigned("split.no").unwrap_or(0));
    order
}

/// Indices of the stored tensors, shard by shard and in file order within each.
pub(super) fn in_order(listed: &[Listed], shards: &[usize]) -> Vec<usize> {
    let shard = |listed: &Listed| shards.iter().position(|file| *file == listed.file).unwrap_or(0);
    let mut order: Vec<usize> = (0..listed.len()).collect();
    order.sort_by_key(|tensor| (shard(&listed[*tensor]), listed[*tensor].stored.offset));
    order
}

/// The view without translation.
pub(super) fn view(main: &Header, listed: &[Listed], in_order: &[usize]) -> StoredView {
    let architecture = main.text("general.architecture").unwrap_or_default().to_owned();
    let tensor = |place: &usize| {
        let Listed { file, stored } = &listed[*place];
        PlacedTensor {
            name: stored.info.name.clone(),
            shape: stored.info.row_major(),
            encoding: stored.info.encoding.name().to_owned(),
            file: *file as u32,
            offset: stored.offset,
            bytes: stored.bytes,
            layer: layer(&stored.info.name),
        }
    };
    let blocks = main.first_unsigned(&format!("{architecture}.block_count"));
    StoredView {
        layers: blocks.and_then(|blocks| u32::try_from(blocks).ok()).unwrap_or(0),
        architecture,
        tensors: in_order.iter().map(tensor).collect(),
        rest: REST.to_owned(),
    }
}

fn layer(name: &str) -> Option<u32> {
    name.strip_prefix("blk.")?.split('.').next()?.parse().ok()
}

/// The side file [`REST`].
pub(super) fn rest(headers: &[Header], shards: &[usize], files: &[MappedFile]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for shard in shards {
        let (header, file) = (&headers[*shard], files.get(*shard));
        let bytes = usize::try_from(header.data_start).ok().and_then(|end| {
            // A file without tensors may end before the padding of its header does.
            let data = file?.data;
            data.get(..end.min(data.len()))
        });
        let bytes = bytes.ok_or_else(|| Error::new(Kind::CorruptInput, format!("shard {shard} is not mapped")))?;
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    }
    Ok(out)
}

/// The headers in [`REST`], by shard number.
///
/// # Errors
/// What is wrong with a header; lengths that do not add up count as cut off.
pub fn parse_rest(mut rest: &[u8]) -> Result<Vec<Header>, ContainerError> {
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let cut =
            || ContainerError::Truncated { what: "the headers of a source", at: 0, wanted: 8, left: rest.len() as u64 };
        let (length, behind) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
        let (header, behind) = behind.split_at_checked(length).ok_or_else(cut)?;
        // The data are not here; the host checked their extent when it opened the files.
        headers.push(decode(header, u64::MAX)?);
        rest = behind;
    }
    Ok(headers)
}

impl Header {
    /// A number, or the first of an array of numbers: some models give one per layer.
    pub fn first_unsigned(&self, key: &str) -> Option<u64> {
        let Value::Array(array) = self.get(key)? else { return self.unsigned(key) };
        match array {
            Array::U32(v) => v.first().map(|n| u64::from(*n)),
            Array::I32(v) => v.first().and_then(|n| u64::try_from(*n).ok()),
            Array::U64(v) => v.first().copied(),
            Array::I64(v) => v.first().and_then(|n| u64::try_from(*n).ok()),
            _ => None,
        }
    }
}
