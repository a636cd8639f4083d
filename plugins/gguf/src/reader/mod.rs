//! GGUF files back to Hugging Face's view: names, row orders, config.json, rows as numbers.
//!
//! | where | what |
//! |---|---|
//! | `open` | headers of one file or of all shards, checked against each other |
//! | `lookup` | typed access to metadata |
//! | `listing` | stored tensors under their Hugging Face names |
//! | `config` | config.json rebuilt |
//! | `stored` | the files as they are, for sessions that turn GGUF into GGUF |
//! | `shown` | metadata for people, long arrays shortened |
//! | `tokenizer` | tokenizer.json and tokenizer_config.json rebuilt |
//! | `rows` | rows of a tensor as single precision |
//! | `validate` | structure, completeness and every block's scales |

mod config;
mod listing;
mod lookup;
mod open;
mod rows;
mod shown;
mod stored;
mod tokenizer;
mod validate;

use crate::arch::{Architecture, View};
use crate::container::{Header, StoredTensor};
use llmq_plugin_api::sdk::{Context, Error, Kind, MappedFile, Reader};
use llmq_plugin_api::wire::{ReaderSummary, ValidationReport};

pub use stored::{REST, parse_rest};

/// A parsed model; it keeps no file bytes.
pub struct GgufReader {
    /// Metadata and tensor list of each file.
    headers: Vec<Header>,
    /// Which of them has the model's metadata.
    main: usize,
    /// The architecture, if its table is known.
    arch: Option<&'static Architecture>,
    /// One per stored tensor.
    listed: Vec<Listed>,
    /// One per tensor of the summary.
    offered: Vec<Offered>,
    /// Indices of the stored tensors, shard by shard.
    in_order: Vec<usize>,
    /// Indices of the files, by shard number.
    shards: Vec<usize>,
    summary: ReaderSummary,
}

/// Where a stored tensor is.
struct Listed {
    file: usize,
    stored: StoredTensor,
}

/// A tensor as Hugging Face has it, with what it is made of.
struct Offered {
    /// Columns of its rows.
    columns: usize,
    /// Rows.
    rows: usize,
    /// What was added to every value.
    shift: f32,
    /// Stored tensors that hold its elements.
    pieces: Vec<Piece>,
}

/// Rows of a stored tensor that hold elements of an offered one.
struct Piece {
    /// Index of the stored tensor.
    listed: usize,
    /// The stored row that is row 0 of the view.
    first_row: usize,
    /// Which elements of the offered tensor they are.
    view: View,
}

impl Reader for GgufReader {
    fn summary(&self) -> ReaderSummary {
        self.summary.clone()
    }

    fn decode_rows(&self, files: &[MappedFile], tensor: usize, first_row: usize, out: &mut [f32]) -> Result<(), Error> {
        if let Some(offered) = self.offered.get(tensor) {
            return rows::decode_offered(offered, &self.listed, files, first_row, out);
        }
        let stored = tensor.checked_sub(self.offered.len()).and_then(|place| self.in_order.get(place));
        let stored = stored.ok_or_else(|| {
            let all = self.offered.len() + self.in_order.len();
            Error::new(Kind::Other, format!("tensor number {tensor} was asked for; there are {all}"))
        })?;
        rows::decode_rows(&self.listed[*stored], files, first_row, out)
    }

    fn sidecar(&self, files: &[MappedFile], name: &str) -> Result<Vec<u8>, Error> {
        match name {
            stored::REST => stored::rest(&self.headers, &self.shards, files),
            known if self.summary.sidecars.iter().any(|sidecar| sidecar == known) => {
                let failed = |problem| {
                    Error::new(Kind::CorruptInput, format!("{known} cannot be rebuilt: {problem}")).subject(known)
                };
                tokenizer::file(&self.headers[self.main], known).map_err(failed)
            }
            other => Err(Error::new(Kind::Other, format!("`{other}` cannot be rebuilt from a GGUF file"))),
        }
    }

    fn validate(&self, cx: &Context, files: &[MappedFile]) -> Result<ValidationReport, Error> {
        validate::validate(self, cx, files)
    }
}

/// The bytes of a stored tensor in the host's mapping.
fn tensor_bytes<'a>(files: &[MappedFile<'a>], file: usize, stored: &StoredTensor) -> Result<&'a [u8], Error> {
    let data = files.get(file).map_or(&[][..], |file| file.data);
    let end = stored.offset.saturating_add(stored.bytes);
    let range = usize::try_from(stored.offset).ok().zip(usize::try_from(end).ok());
    range.and_then(|(start, end)| data.get(start..end)).ok_or_else(|| {
        let message =
            format!("the tensor `{}` ends at byte {end}, the mapped file has {}", stored.info.name, data.len());
        Error::new(Kind::CorruptInput, message).subject(&stored.info.name)
    })
}
