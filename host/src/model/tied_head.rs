//! What to do with an output head that is stored although config.json ties it to the embeddings.

use super::family::Assignment;

/// A head that is stored although config.json ties it: a copy of the embeddings is dropped, another matrix is kept, as
/// transformers 5 does (4 would tie it). Tells whether the embeddings turned out not to be tied.
pub fn settle_tied_head<'a>(
    assignment: &mut Assignment,
    bytes: impl Fn(usize) -> &'a [u8],
    notes: &mut Vec<String>,
) -> bool {
    let Some((embedding, head)) = assignment.stored_tied_head else { return false };
    let [(a, a_place), (b, b_place)] = [&assignment.tensors[embedding], &assignment.tensors[head]];
    let copy = a.dtype == b.dtype && bytes(*a_place) == bytes(*b_place);
    let what = if copy {
        "is a copy of the token embeddings, as tie_word_embeddings says, and is left behind"
    } else {
        "differs from the token embeddings although tie_word_embeddings is true; it is kept as a head of its own"
    };
    notes.push(format!("{} {what}", b.name));
    if copy {
        assignment.tensors.remove(head);
    }
    !copy
}
