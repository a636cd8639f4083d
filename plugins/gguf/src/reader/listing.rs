//! Stored tensors under their Hugging Face names, with the order of their rows.

use super::Listed;
use crate::arch::{Architecture, Named, RowOrder, hugging_face_name};
use crate::container::{Header, StoredTensor};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{self, Role, UnitKind};

/// All tensors in file order, shard by shard.
pub(super) fn list(
    arch: Option<&Architecture>,
    main: &Header,
    headers: &[Header],
) -> Result<(Vec<Listed>, Vec<wire::StoredTensor>), Error> {
    let mut listed = Vec::new();
    let mut tensors = Vec::new();
    let all = headers.iter().enumerate().flat_map(|(file, header)| header.tensors.iter().map(move |t| (file, t)));
    for (file, stored) in all {
        let named = arch.and_then(|arch| hugging_face_name(arch, &stored.info.name));
        let order = match (arch, &named) {
            (Some(arch), Some(named)) => row_order(arch, main, named, stored)?,
            _ => RowOrder::AsStored,
        };
        tensors.push(wire::StoredTensor {
            name: named.as_ref().map_or_else(String::new, |named| named.name.clone()),
            stored_name: stored.info.name.clone(),
            shape: stored.info.row_major(),
            encoding: stored.info.encoding.name().to_owned(),
            bytes: stored.bytes,
            unit: named.as_ref().map(unit),
        });
        listed.push(Listed { file, stored: stored.clone(), order });
    }
    Ok((listed, tensors))
}

fn unit(named: &Named) -> UnitKind {
    match (&named.role, named.layer) {
        (_, Some(_)) => UnitKind::Layer,
        (Role::TokenEmbedding | Role::PositionEmbedding | Role::TokenTypeEmbedding | Role::EmbeddingNorm, None) => {
            UnitKind::Embeddings
        }
        _ => UnitKind::Head,
    }
}

fn row_order(arch: &Architecture, main: &Header, named: &Named, stored: &StoredTensor) -> Result<RowOrder, Error> {
    let heads = match named.role {
        Role::AttnQ if arch.rotates_neighbours => "head_count",
        Role::AttnK if arch.rotates_neighbours => "head_count_kv",
        _ => return Ok(RowOrder::AsStored),
    };
    let key = format!("{}.attention.{heads}", arch.name);
    let fallback = format!("{}.attention.head_count", arch.name);
    let heads = main.unsigned(&key).or_else(|| main.unsigned(&fallback)).unwrap_or(0);
    let rows = stored.info.ne.last().copied().unwrap_or(0);
    let head = rows.checked_div(heads).unwrap_or(0);
    if head < 2 || !head.is_multiple_of(2) || head * heads != rows || stored.info.ne.len() > 2 {
        let message = format!(
            "the tensor `{}` has {rows} rows, which {heads} heads (`{key}`) cannot share evenly",
            stored.info.name
        );
        return Err(Error::new(Kind::CorruptInput, message).subject(&stored.info.name));
    }
    Ok(RowOrder::Neighbours { head: head as usize })
}
