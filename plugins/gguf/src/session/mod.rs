//! One quantization: from a model description to the exact file, then unit by unit.
//!
//! | where | what |
//! |---|---|
//! | `options` | the backend's own options |
//! | `chosen` | what those options do to the encodings |
//! | `collect` | source tensors grouped into output tensors, with names and row orders |
//! | `converter_dtype` | the encoding a tensor has before any level touches it |
//! | `importance` | which tensors use importance weights, which lack them, and what then |
//! | `header` | all metadata, in the order of the reference's files |
//! | `stored` | the same for sources that are GGUF files themselves |
//! | `assemble` | places, headers and slots, whatever the source is |
//! | `shards` | one file or several |
//! | `quantizer_options`, `override_kv`, `prune` | the options of llama-quantize |
//! | `plan` | [`GgufSession::open`]: encodings, order, places, needs, warnings |
//! | `rows` | rows of an output tensor, gathered from its sources |
//! | `quantize`, `copy`, `scratch` | the work on one unit, and the memory for it |

mod assemble;
#[cfg(test)]
mod balance;
mod chosen;
mod collect;
mod converter_dtype;
mod copy;
mod header;
mod importance;
mod options;
mod override_kv;
mod phi3_name;
mod plan;
mod pooling;
mod prune;
mod quantize;
mod quantizer_options;
mod rows;
mod scratch;
mod shards;
mod stored;

#[cfg(test)]
pub(crate) use collect::Origin;
pub(crate) use collect::{Gathered, collect};
pub use options::specs as option_specs;
pub(crate) use stored::gather;

use crate::arch::View;
use importance::Weighting;
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Context, Error, Kind, Output, Session, Unit};
use llmq_plugin_api::wire::{Plan, UnitReport};

/// A planned job.
pub struct GgufSession {
    plan: Plan,
    /// The literals: the header of each file.
    headers: Vec<Vec<u8>>,
    /// One per slot of the plan.
    work: Vec<SlotWork>,
    shelf: scratch::Shelf,
}

/// What has to be done for one slot.
enum SlotWork {
    /// Bytes that followed from config.json.
    Derived(Vec<u8>),
    /// Rows of source tensors.
    Encode(Encoding),
    /// The stored bytes of a source tensor, unchanged.
    Copy(usize),
}

/// How rows of source tensors become rows of a slot.
struct Encoding {
    /// Source tensors whose rows follow each other (experts), or the only one.
    parts: Vec<usize>,
    /// What each part contributes; the elements of a vector whose order changes count as rows.
    view: View,
    /// Rows of each part.
    rows_per_part: usize,
    /// Rows that share one set of importance weights: of a part, or of each expert in it.
    rows_per_matrix: usize,
    /// Where importance weights come from.
    weighting: Weighting,
    /// Weights of a row.
    columns: usize,
    /// Added to every value.
    shift: f32,
    /// The format that values pass through first, as in a conversion with an intermediate file.
    intermediate: Option<BlockType>,
    /// The slot's encoding.
    target: BlockType,
}

impl Session for GgufSession {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn literal(&self, index: usize, out: &mut [u8]) -> Result<(), Error> {
        match self.headers.get(index).filter(|header| header.len() == out.len()) {
            Some(header) => out.copy_from_slice(header),
            None => {
                let message =
                    format!("literal {index} of {} bytes was asked for; the plan has no such literal", out.len());
                return Err(Error::new(Kind::Other, message));
            }
        }
        Ok(())
    }

    fn quantize(&self, cx: &Context, unit: &Unit, out: &Output) -> Result<UnitReport, Error> {
        quantize::quantize(self, cx, unit, out)
    }
}
