//! Attention of one layer: projections, norms and rotation of queries and keys, softmax, output projection.

use crate::latent::latent;
use crate::layer::{Batch, arrive, norm_values};
use crate::{Attend, Attention, Device, ForwardError, FusedOrder, HeadNorm, Observer, Projections};
use std::ops::Range;

/// Queries, keys and values, ready to be attended to.
pub(crate) struct Projected<M> {
    pub(crate) q: M,
    pub(crate) k: M,
    pub(crate) v: M,
}

/// Runs normed rows through attention.
pub(crate) fn attention<D: Device>(
    device: &D,
    attention: &Attention,
    batch: Batch<'_>,
    x: &D::Matrix,
    observer: &mut dyn Observer,
) -> Result<D::Matrix, ForwardError> {
    let weights = batch.weights;
    let projected = match &attention.projections {
        Projections::Latent(low_rank) => latent(device, attention, low_rank, batch, x, observer)?,
        Projections::Separate { q, k, v } => {
            arrive(device, &[q.weight, k.weight, v.weight], x, observer)?;
            let [q, k, v] = device.linear_of_each(x, [q, k, v], weights)?;
            clamp_normalise_rotate(device, attention, batch, Projected { q, k, v })?
        }
        Projections::Fused { qkv, order } => {
            arrive(device, &[qkv.weight], x, observer)?;
            let joined = device.linear(x, qkv, weights)?;
            let [q, k, v] = fused_runs(attention, *order).map(|runs| device.columns(&joined, &runs));
            device.discard(joined);
            clamp_normalise_rotate(device, attention, batch, Projected { q: q?, k: k?, v: v? })?
        }
    };
    let attend = Attend {
        length: batch.length,
        heads: attention.heads,
        kv_heads: attention.kv_heads,
        head_dim: attention.head_dim,
        value_dim: attention.value_dim,
        scale: attention.scale,
        cap: attention.cap,
        window: attention.window,
        sinks: attention.sinks.map(|sinks| sinks.load(batch.weights)).transpose()?,
    };
    let mut heads = device.attend(&projected.q, &projected.k, &projected.v, &attend)?;
    [projected.q, projected.k, projected.v].into_iter().for_each(|matrix| device.discard(matrix));
    if let Some(norm) = &attention.sub_norm {
        let normed = device.norm(&heads, &norm_values(norm, batch.weights)?, attention.output.inputs)?;
        device.discard(std::mem::replace(&mut heads, normed));
    }
    arrive(device, &[attention.output.weight], &heads, observer)?;
    let out = device.linear(&heads, &attention.output, batch.weights)?;
    device.discard(heads);
    Ok(out)
}

/// Columns of queries, keys and values in the outputs of one matrix.
fn fused_runs(attention: &Attention, order: FusedOrder) -> [Vec<Range<usize>>; 3] {
    let (dim, kv_heads) = (attention.head_dim, attention.kv_heads);
    let of = |from: usize, heads: usize| from..from + heads * dim;
    match order {
        FusedOrder::Stacked => {
            let (q, kv) = (attention.heads * dim, kv_heads * dim);
            [vec![of(0, attention.heads)], vec![of(q, kv_heads)], vec![of(q + kv, kv_heads)]]
        }
        FusedOrder::ByGroup => {
            let queries = attention.heads / kv_heads;
            let group = (queries + 2) * dim;
            let runs = |first: usize, heads: usize| {
                (0..kv_heads).map(|head| of(head * group + first * dim, heads)).collect::<Vec<_>>()
            };
            [runs(0, queries), runs(queries, 1), runs(queries + 1, 1)]
        }
    }
}

fn clamp_normalise_rotate<D: Device>(
    device: &D,
    attention: &Attention,
    batch: Batch<'_>,
    mut projected: Projected<D::Matrix>,
) -> Result<Projected<D::Matrix>, ForwardError> {
    if let Some(limit) = attention.clamp {
        for matrix in [&mut projected.q, &mut projected.k, &mut projected.v] {
            device.clamp(matrix, limit)?;
        }
    }
    let norms: [(&Option<HeadNorm>, &mut D::Matrix); 2] =
        [(&attention.q_norm, &mut projected.q), (&attention.k_norm, &mut projected.k)];
    for (norm, matrix) in norms {
        if let Some(HeadNorm { norm, group }) = norm {
            let normed = device.norm(matrix, &norm_values(norm, batch.weights)?, *group)?;
            device.discard(std::mem::replace(matrix, normed));
        }
    }
    if let Some(rope) = &attention.rope {
        let rotation = rope.rotation(batch.length);
        for matrix in [&mut projected.q, &mut projected.k] {
            device.rotate(matrix, &rotation, attention.head_dim, 0, batch.length)?;
        }
    }
    Ok(projected)
}
