//! What to do with an output head that is stored although config.json ties it to the embeddings.

use super::family::Assignment;

/// A head that is stored although config.json ties it: a copy of the embeddings is dropped, another matrix is kept, as transformers 5 does (4 would tie it). Tells whether the embeddings
/// are tied after all.
pub fn settle_tied_head(assignment: &mut Assignment, head: usize, copy: bool, notes: &mut Vec<String>) -> bool {
    let what = if copy {
        "is a copy of the token embeddings, as tie_word_embeddings says, and is left behind"
    } else {
        "differs from the token embeddings although tie_word_embeddings is true; it is kept as a head of its own"
    };
    notes.push(format!("{} {what}", assignment.tensors[head].0.name));
    if copy {
        assignment.tensors.remove(head);
    }
    copy
}
