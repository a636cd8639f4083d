//! From assigned tensors to a session: places, headers and the plan's slots, whatever the source is.

use super::collect::Gathered;
use super::importance::Weighting;
use super::plan::sources;
use super::scratch::Shelf;
use super::shards::{self, Splitting};
use super::{GgufSession, SlotWork};
use crate::container::TensorInfo;
use crate::mixture::{Assignment, Candidate};
use crate::value::KeyValue;
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::Error;
use llmq_plugin_api::wire::{LiteralSpan, Plan, Slot};

/// Everything that is decided about an output, in the order of its tensors.
pub(super) struct Draft {
    /// Name of the output without its ending.
    pub stem: String,
    /// Metadata without `split.*`.
    pub key_values: Vec<KeyValue>,
    /// Tensors.
    pub tensors: Vec<Gathered>,
    /// One per tensor.
    pub candidates: Vec<Candidate>,
    /// One per tensor.
    pub assigned: Vec<Assignment>,
    /// Importance of each tensor, and what to say about it.
    pub weightings: Vec<(Weighting, String)>,
    /// One per tensor: why it has its encoding, if that is not simply the level's.
    pub notes: Vec<String>,
    /// How they are spread over files.
    pub splitting: Splitting,
    /// What there is to say already: dropped tensors, warnings, notes.
    pub plan: Plan,
}

impl Draft {
    /// Lays everything out; `work` says how a tensor is made.
    pub(super) fn assemble(
        self,
        work: impl Fn(Gathered, (BlockType, Weighting), &Candidate) -> SlotWork,
    ) -> Result<GgufSession, Error> {
        let infos = self.tensors.iter().zip(&self.assigned).map(|(tensor, assignment)| TensorInfo {
            name: tensor.name.clone(),
            ne: tensor.ne.clone(),
            encoding: assignment.encoding,
        });
        let layout = shards::lay_out(&self.stem, &self.key_values, infos.collect(), &self.splitting)?;
        let mut plan = self.plan;
        let literal = |(file, header): (usize, &Vec<u8>)| LiteralSpan {
            file: file as u32,
            offset: 0,
            bytes: header.len() as u64,
        };
        plan.literals = layout.headers.iter().enumerate().map(literal).collect();
        plan.files = layout.files;
        let mut works = Vec::with_capacity(self.tensors.len());
        let choices = self.candidates.iter().zip(self.assigned).zip(self.weightings).zip(self.notes);
        for ((tensor, (((candidate, assignment), (weighting, lack)), note)), (file, stored)) in
            self.tensors.into_iter().zip(choices).zip(&layout.places)
        {
            plan.slots.push(Slot {
                name: tensor.name.clone(),
                unit: tensor.unit,
                sources: sources(&tensor.origin),
                encoding: assignment.encoding.name().to_owned(),
                shape: stored.info.row_major(),
                file: *file,
                offset: stored.offset,
                bytes: stored.bytes,
                note: [note, lack].into_iter().filter(|note| !note.is_empty()).collect::<Vec<_>>().join("; "),
                choosable: assignment.choosable,
            });
            works.push(work(tensor, (assignment.encoding, weighting), candidate));
        }
        plan.refuses_non_finite = true;
        Ok(GgufSession { plan, headers: layout.headers, work: works, shelf: Shelf::default() })
    }
}
