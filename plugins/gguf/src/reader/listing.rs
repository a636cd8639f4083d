//! Stored tensors under their Hugging Face names: stacks taken apart, fused tensors put together again.

use super::{Listed, Offered, Piece};
use crate::arch::{Architecture, Heads, Latent, Named, View, hugging_face_name};
use crate::container::{Header, StoredTensor};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{self, Role, UnitKind};
use std::collections::HashMap;

/// More experts in one stack than any model has: a hostile file must not make a list of billions.
const MOST_EXPERTS: u64 = 1 << 16;

/// What is in the files.
#[derive(Default)]
pub(super) struct Listing {
    /// Stored tensors in file order, shard by shard.
    pub listed: Vec<Listed>,
    /// Tensors as Hugging Face has them.
    pub offered: Vec<Offered>,
    /// The same for the summary.
    pub tensors: Vec<wire::StoredTensor>,
}

/// Lists all tensors.
pub(super) fn list(arch: Option<&Architecture>, main: &Header, headers: &[Header]) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    let mut places = HashMap::new();
    let heads = arch.map_or(Heads::default(), |arch| heads(arch, main));
    let all = headers.iter().enumerate().flat_map(|(file, header)| header.tensors.iter().map(move |t| (file, t)));
    for (file, stored) in all {
        listing.listed.push(Listed { file, stored: stored.clone() });
        match arch.and_then(|arch| hugging_face_name(arch, &stored.info.name)) {
            None => {
                let shape = stored.info.row_major();
                let view = View::plain(stored.info.rows() as usize, stored.info.columns() as usize);
                listing.offer(stored, shape, view);
            }
            Some(named) if named.is_stack() => listing.offer_experts(stored, &named)?,
            Some(named) => listing.offer_arranged(stored, &named, heads, &mut places)?,
        }
    }
    Ok(listing)
}

fn heads(arch: &Architecture, main: &Header) -> Heads {
    let count = |key: &str| main.unsigned(&format!("{}.attention.{key}", arch.name)).map(|n| n as usize);
    let query = count("head_count").unwrap_or(0);
    let unsigned = |key: &str| main.unsigned(&format!("{}.{key}", arch.name));
    let latent = Latent::recover(unsigned).unwrap_or_default();
    Heads {
        query,
        key: count("head_count_kv").unwrap_or(query),
        latent_key: latent.plain as usize,
        latent_value: latent.value as usize,
    }
}

fn corrupt(stored: &StoredTensor, problem: String) -> Error {
    let name = &stored.info.name;
    Error::new(Kind::CorruptInput, format!("the tensor `{name}` {problem}")).subject(name)
}

impl Listing {
    /// Offers the last stored tensor, without a name, and gives what was made for it.
    fn offer(&mut self, stored: &StoredTensor, shape: Vec<u64>, view: View) -> usize {
        let columns = shape.last().copied().unwrap_or(1) as usize;
        let rows = shape.iter().rev().skip(1).product::<u64>() as usize;
        let pieces = vec![Piece { listed: self.listed.len() - 1, first_row: 0, view }];
        self.offered.push(Offered { columns, rows, shift: 0.0, pieces });
        self.tensors.push(wire::StoredTensor {
            name: String::new(),
            stored_name: stored.info.name.clone(),
            shape,
            encoding: stored.info.encoding.name().to_owned(),
            bytes: stored.bytes,
            unit: None,
        });
        self.tensors.len() - 1
    }

    /// One tensor per expert.
    fn offer_experts(&mut self, stored: &StoredTensor, named: &Named) -> Result<(), Error> {
        let shape = stored.info.row_major();
        let (experts, rows, columns) = match shape[..] {
            [experts, rows, columns] => (experts, rows, columns),
            // Vectors, one per head.
            [heads, columns] => (heads, 1, columns),
            _ => {
                let problem = format!("has the shape {shape:?}; stacks have three dimensions, or two of vectors");
                return Err(corrupt(stored, problem));
            }
        };
        let part = if shape.len() == 2 { vec![columns] } else { vec![rows, columns] };
        if experts > MOST_EXPERTS {
            return Err(corrupt(stored, format!("is a stack of {experts} experts, more than {MOST_EXPERTS}")));
        }
        for expert in 0..experts {
            let place = self.offer(stored, part.clone(), View::plain(rows as usize, columns as usize));
            self.offered[place].pieces[0].first_row = (expert * rows) as usize;
            let tensor = &mut self.tensors[place];
            tensor.name = named.expert(expert);
            tensor.unit = Some(unit(named));
            tensor.bytes = stored.bytes / experts;
        }
        Ok(())
    }

    /// A whole tensor, or another piece of one that was offered before.
    fn offer_arranged(
        &mut self,
        stored: &StoredTensor,
        named: &Named,
        heads: Heads,
        places: &mut HashMap<String, usize>,
    ) -> Result<(), Error> {
        let shape = named.line.layout.source_shape(&stored.info.row_major(), heads);
        let (_, view) = named.line.layout.view(&shape, heads).map_err(|problem| corrupt(stored, problem))?;
        let Some(place) = places.get(&named.name).copied() else {
            let place = self.offer(stored, shape, view);
            places.insert(named.name.clone(), place);
            self.tensors[place].name.clone_from(&named.name);
            self.tensors[place].unit = Some(unit(named));
            if !named.name.ends_with(".bias") {
                self.offered[place].shift = named.line.shift;
            }
            return Ok(());
        };
        let tensor = &mut self.tensors[place];
        if tensor.shape != shape {
            let problem = format!("and `{}` are parts of one tensor, but their shapes do not fit", tensor.stored_name);
            return Err(corrupt(stored, problem));
        }
        tensor.stored_name = format!("{} + {}", tensor.stored_name, stored.info.name);
        tensor.bytes = tensor.bytes.saturating_add(stored.bytes);
        self.offered[place].pieces.push(Piece { listed: self.listed.len() - 1, first_row: 0, view });
        Ok(())
    }
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
