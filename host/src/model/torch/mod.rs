//! Weights in PyTorch's own format (`pytorch_model.bin`), read without executing anything.
//!
//! The format is a pickle: a program for a small stack machine that, in Python, may call any function. Here the
//! machine knows only the operations that `torch.save` writes for a dictionary of tensors, and a closed list of names;
//! anything else is refused by its name. Tensors come out as places in the mapped file: nothing is copied.
//!
//! | file | what it knows |
//! |---|---|
//! | `machine` | the stack machine and its operations |
//! | `objects` | what the machine builds, in flat lists, so that no nesting can exhaust the stack |
//! | `globals` | the names that a pickle may use |
//! | `rebuild` | what calling one of them means |
//! | `state_dict` | from the finished dictionary to places of tensors |
//! | `zip` | the container since torch 1.6 |
//! | `archive` | `data.pkl` and the storages in that container |
//! | `stream` | the format before torch 1.6: pickles and storages one after the other |

mod archive;
mod globals;
mod machine;
mod objects;
mod rebuild;
mod state_dict;
mod stream;
mod zip;

use super::ModelError;
use super::stored::StoredTensor;

/// What is wrong with a file, in words that follow the file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// It is damaged or was tampered with.
    Damaged(String),
    /// It may be sound, and is beyond this reader.
    Unsupported(String),
}

impl Fault {
    fn map(self, words: impl FnOnce(String) -> String) -> Fault {
        match self {
            Fault::Damaged(problem) => Fault::Damaged(words(problem)),
            Fault::Unsupported(problem) => Fault::Unsupported(words(problem)),
        }
    }
}

fn damaged(problem: impl Into<String>) -> Fault {
    Fault::Damaged(problem.into())
}

fn unsupported(problem: impl Into<String>) -> Fault {
    Fault::Unsupported(problem.into())
}

/// Reads the tensors of a whole file given as bytes, sorted by name. Nothing in the file is executed.
pub fn read_torch(file: &str, bytes: &[u8]) -> Result<Vec<StoredTensor>, ModelError> {
    let found = if bytes.starts_with(zip::LOCAL_HEADER) {
        archive::read(bytes)
    } else if bytes.starts_with(stream::MAGIC) {
        stream::read(bytes)
    } else {
        Err(damaged("is neither a zip archive nor a stream that torch.save wrote"))
    };
    found.map_err(|fault| match fault {
        Fault::Damaged(problem) => ModelError::Weights { file: file.to_owned(), problem },
        Fault::Unsupported(problem) => ModelError::LegacyPytorch { file: file.to_owned(), problem },
    })
}
