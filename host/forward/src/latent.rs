//! Multi-head latent attention: keys and values come out of one narrow vector per token.
//!
//! DeepSeek-V2, arXiv 2405.04434. Every head's queries and keys have a plain part and a rotated part; the rotated part of
//! keys is computed once and serves all heads.

use crate::attention::Projected;
use crate::layer::{Batch, arrive, norm_values};
use crate::{Attention, Device, ForwardError, Latent, LatentQueries, Observer};
use std::ops::Range;

/// Queries, keys and values of latent attention.
pub(crate) fn latent<D: Device>(
    device: &D,
    attention: &Attention,
    latent: &Latent,
    batch: Batch<'_>,
    x: &D::Matrix,
    observer: &mut dyn Observer,
) -> Result<Projected<D::Matrix>, ForwardError> {
    let weights = batch.weights;
    let (heads, plain, rotated) = (attention.heads, latent.plain_dim, latent.rotated_dim);
    let first = match &latent.queries {
        LatentQueries::Direct(q) => q.weight,
        LatentQueries::LowRank { a, .. } => a.weight,
    };
    arrive(device, &[first, latent.kv_a.weight], x, observer)?;

    let mut q = match &latent.queries {
        LatentQueries::Direct(q) => device.linear(x, q, weights)?,
        LatentQueries::LowRank { a, norm, b } => {
            let narrow = device.linear(x, a, weights)?;
            let narrow = device.norm(&narrow, &norm_values(norm, weights)?, a.outputs)?;
            arrive(device, &[b.weight], &narrow, observer)?;
            device.linear(&narrow, b, weights)?
        }
    };
    let down = device.linear(x, &latent.kv_a, weights)?;
    let narrow = device.columns(&down, &one(0..latent.rank))?;
    let mut shared = device.columns(&down, &one(latent.rank..latent.rank + rotated))?;
    let narrow = device.norm(&narrow, &norm_values(&latent.kv_a_norm, weights)?, latent.rank)?;
    arrive(device, &[latent.kv_b.weight], &narrow, observer)?;
    let up = device.linear(&narrow, &latent.kv_b, weights)?;

    let head = plain + attention.value_dim;
    let runs = |within: Range<usize>| -> Vec<Range<usize>> {
        (0..heads).map(|h| h * head + within.start..h * head + within.end).collect()
    };
    let keys = device.columns(&up, &runs(0..plain))?;
    let v = device.columns(&up, &runs(plain..head))?;
    if let Some(rope) = &attention.rope {
        let rotation = rope.rotation(batch.length);
        device.rotate(&mut q, &rotation, plain + rotated, plain, batch.length)?;
        device.rotate(&mut shared, &rotation, rotated, 0, batch.length)?;
    }
    let k = device.join_heads(&keys, plain, &shared, rotated)?;
    Ok(Projected { q, k, v })
}

fn one(run: Range<usize>) -> [Range<usize>; 1] {
    [run]
}
