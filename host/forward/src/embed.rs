//! From tokens to rows of the residual stream.

use crate::{Embedding, ForwardError, Rows, Weights};

/// Rows of tokens in samples of `length` each.
pub fn embed(
    embedding: &Embedding,
    tokens: &[u32],
    length: usize,
    weights: &dyn Weights,
) -> Result<Rows, ForwardError> {
    let width = embedding.width;
    let mut rows = Rows::zeros(tokens.len(), width);
    for (position, (token, row)) in tokens.iter().zip(rows.values.chunks_exact_mut(width)).enumerate() {
        if *token as usize >= embedding.vocab {
            return Err(ForwardError::Token { token: *token, position, vocab: embedding.vocab });
        }
        weights.rows(embedding.table, u64::from(*token), row)?;
        if embedding.scale != 1.0 {
            row.iter_mut().for_each(|x| *x *= embedding.scale);
        }
    }
    if let Some((table, context)) = embedding.positions {
        if length > context {
            return Err(ForwardError::Context { length, context });
        }
        let mut positions = vec![0.0; length * width];
        weights.rows(table, 0, &mut positions)?;
        for sample in rows.values.chunks_mut(length * width) {
            sample.iter_mut().zip(&positions).for_each(|(x, p)| *x += p);
        }
    }
    Ok(rows)
}
