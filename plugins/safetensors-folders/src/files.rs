//! Files and slots: pieces in model order, cut into shards, each with its header.

use crate::checkpoint::{self, Dtype, INDEX};
use crate::config::{is_carried, pretty};
use crate::pieces::{self, Piece};
use llmq_plugin_api::sdk::{Error, Kind, Model};
use llmq_plugin_api::wire::{LiteralSpan, ModelDescription, OutputFile, Plan, Slot};
use serde_json::{Map, Value, json};

/// Where a source tensor goes.
#[derive(Debug, Clone)]
pub enum Place<M> {
    /// Into one slot, as it is.
    Plain {
        /// The slot.
        slot: usize,
        /// The stored type.
        dtype: Dtype,
    },
    /// Into several, which follow each other.
    Packed {
        /// What the backend knows of the matrix.
        matrix: Box<M>,
        /// The first slot.
        first: usize,
    },
}

/// A matrix with the tensors that replace it.
#[derive(Debug)]
pub struct Replaced<M> {
    /// Index of the source tensor.
    pub source: usize,
    /// What the backend knows of it.
    pub matrix: M,
    /// The tensors.
    pub pieces: Vec<Piece>,
}

/// A tensor whose contents are known before any weight is read.
#[derive(Debug)]
pub struct Constant {
    /// Its name.
    pub name: String,
    /// Its stored type.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<u64>,
    /// Its bytes, as many as type and shape ask for.
    pub bytes: Vec<u8>,
}

/// A plan with its literal bytes and the place of every tensor.
#[derive(Debug)]
pub struct Layout<M> {
    /// What the host asks for.
    pub plan: Plan,
    /// Contents of the plan's literals, in order.
    pub literals: Vec<Vec<u8>>,
    /// One entry for each source tensor.
    pub places: Vec<Place<M>>,
}

/// A piece with its source tensor.
struct Sourced {
    source: usize,
    piece: Piece,
}

impl<M> Layout<M> {
    /// Lays out the weights: matrices, in model order, replaced by their pieces, everything else as it is. Constants close
    /// the last file.
    pub fn weights(
        description: &ModelDescription,
        replaced: Vec<Replaced<M>>,
        constants: Vec<Constant>,
        shard_bytes: u64,
    ) -> Result<Layout<M>, Error> {
        let mut layout = Layout { plan: Plan::default(), literals: Vec::new(), places: Vec::new() };
        let mut all: Vec<Sourced> = Vec::new();
        let mut replaced = replaced.into_iter().peekable();
        for (source, tensor) in description.tensors.iter().enumerate() {
            let first = all.len();
            if let Some(of) = replaced.next_if(|of| of.source == source) {
                all.extend(of.pieces.into_iter().map(|piece| Sourced { source, piece }));
                layout.places.push(Place::Packed { matrix: Box::new(of.matrix), first });
            } else {
                let piece = pieces::plain(tensor)?;
                layout.places.push(Place::Plain { slot: first, dtype: piece.dtype });
                all.push(Sourced { source, piece });
            }
        }
        layout.plan.slots = all.iter().map(|of| slot(of, description.tensors[of.source].unit)).collect();
        let shards = cut(&all, shard_bytes);
        let names: Vec<String> = constants.iter().map(|constant| constant.name.clone()).collect();
        let constant: u64 = constants.iter().map(|constant| constant.bytes.len() as u64).sum();
        let mut constants = Some(constants);
        for (number, range) in shards.iter().enumerate() {
            let closing = if number + 1 == shards.len() { constants.take() } else { None };
            layout.shard(shard_name(number, shards.len()), &all, range.clone(), closing.unwrap_or_default());
        }
        if shards.len() > 1 {
            let index = layout.index(&all, &names, constant);
            layout.carry(INDEX, index);
        }
        Ok(layout)
    }

    /// One file of weights. Four-byte tensors come first, so that every tensor lies at a multiple of its element's size.
    fn shard(&mut self, name: String, all: &[Sourced], range: std::ops::Range<usize>, constants: Vec<Constant>) {
        let mut order: Vec<usize> = range.collect();
        order.sort_by_key(|index| std::cmp::Reverse(all[*index].piece.dtype.bytes())); // stable: model order within
        let entries = order.iter().map(|index| {
            let piece = &all[*index].piece;
            (piece.name.as_str(), piece.dtype, piece.shape.as_slice(), piece.bytes)
        });
        let closing = constants.iter().map(|constant| {
            (constant.name.as_str(), constant.dtype, constant.shape.as_slice(), constant.bytes.len() as u64)
        });
        let header = checkpoint::header(entries.chain(closing));
        let file = self.plan.files.len() as u32;
        let mut at = header.len() as u64;
        for index in order {
            let slot = &mut self.plan.slots[index];
            (slot.file, slot.offset) = (file, at);
            at += slot.bytes;
        }
        self.plan.literals.push(LiteralSpan { file, offset: 0, bytes: header.len() as u64 });
        self.literals.push(header);
        for constant in constants {
            let bytes = constant.bytes.len() as u64;
            self.plan.literals.push(LiteralSpan { file, offset: at, bytes });
            self.literals.push(constant.bytes);
            at += bytes;
        }
        self.plan.files.push(OutputFile { name, bytes: at });
    }

    /// `constants` and their `constant` bytes are in the last file.
    fn index(&self, all: &[Sourced], constants: &[String], constant: u64) -> Vec<u8> {
        let mut names: Vec<(&str, u32)> = self.plan.slots.iter().map(|slot| (slot.name.as_str(), slot.file)).collect();
        let last = self.plan.files.len() as u32 - 1;
        names.extend(constants.iter().map(|name| (name.as_str(), last)));
        names.sort_unstable();
        let file = |file: u32| Value::from(self.plan.files[file as usize].name.as_str());
        let map: Map<String, Value> = names.into_iter().map(|(name, at)| (name.to_owned(), file(at))).collect();
        let total = all.iter().map(|of| of.piece.bytes).sum::<u64>() + constant;
        pretty(&json!({ "metadata": { "total_size": total }, "weight_map": map }))
    }

    /// Side files of the source, but for weights and the files that are written anew.
    pub fn carry_along(&mut self, model: &Model, anew: &[&str]) -> Result<(), Error> {
        for name in model.description().files.iter().filter(|name| is_carried(name, anew)) {
            self.carry(name, model.file(name)?);
        }
        Ok(())
    }

    /// Bytes of a literal.
    pub fn literal(&self, index: usize, out: &mut [u8]) -> Result<(), Error> {
        match self.literals.get(index) {
            Some(bytes) if bytes.len() == out.len() => out.copy_from_slice(bytes),
            _ => return Err(Error::new(Kind::Other, format!("there is no literal {index} of {} bytes", out.len()))),
        }
        Ok(())
    }

    /// Adds a file whose contents are known.
    pub fn carry(&mut self, name: &str, bytes: Vec<u8>) {
        let (file, length) = (self.plan.files.len() as u32, bytes.len() as u64);
        self.plan.files.push(OutputFile { name: name.into(), bytes: length });
        self.plan.literals.push(LiteralSpan { file, offset: 0, bytes: length });
        self.literals.push(bytes);
    }
}

fn slot(of: &Sourced, unit: u32) -> Slot {
    Slot {
        name: of.piece.name.clone(),
        unit,
        sources: vec![of.source as u32],
        encoding: of.piece.encoding.clone(),
        shape: of.piece.weights.clone(),
        file: 0,
        offset: 0, // both are known once the file's header is
        bytes: of.piece.bytes,
        note: String::new(),
        choosable: false,
    }
}

/// Runs of pieces of at most `most` bytes. Pieces of one source stay together; a source that is larger has a file of its own.
fn cut(all: &[Sourced], most: u64) -> Vec<std::ops::Range<usize>> {
    let mut shards = Vec::new();
    let (mut start, mut size, mut at) = (0, 0u64, 0);
    while at < all.len() {
        let end = all[at..].iter().position(|of| of.source != all[at].source).map_or(all.len(), |count| at + count);
        let bytes = all[at..end].iter().fold(0u64, |sum, of| sum.saturating_add(of.piece.bytes));
        if at > start && size.saturating_add(bytes) > most {
            shards.push(start..at);
            (start, size) = (at, 0);
        }
        size = size.saturating_add(bytes);
        at = end;
    }
    shards.push(start..all.len());
    shards
}

fn shard_name(number: usize, count: usize) -> String {
    if count == 1 { checkpoint::SINGLE.into() } else { format!("model-{:05}-of-{count:05}.safetensors", number + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_one_tensor_stay_in_one_file() {
        let piece = |source: usize, bytes: u64| Sourced {
            source,
            piece: Piece {
                name: String::new(),
                dtype: Dtype::F32,
                shape: vec![bytes],
                bytes,
                weights: vec![0],
                encoding: String::new(),
            },
        };
        let all = [piece(0, 10), piece(1, 4), piece(1, 4), piece(2, 1), piece(3, 90), piece(4, 1)];
        assert_eq!(cut(&all, 10), [0..1, 1..4, 4..5, 5..6]);
        assert_eq!(cut(&all, 1000), std::iter::once(0..6).collect::<Vec<_>>());
        assert_eq!(cut(&all, 18), [0..3, 3..4, 4..5, 5..6]);
        assert_eq!(shard_name(0, 1), "model.safetensors");
        assert_eq!(shard_name(1, 3), "model-00002-of-00003.safetensors");
    }
}
