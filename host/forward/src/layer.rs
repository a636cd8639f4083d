//! One decoder layer over a batch of samples.

use crate::attention::attention;
use crate::experts::mixture;
use crate::feed_forward::block;
use crate::{
    Arrangement, Arrival, Device, FeedForward, ForwardError, Layer, Norm, NormValues, Observer, Rows, Tokens, Weights,
};

/// What every step of a layer needs.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// Tokens of a sample; all samples are as long.
    pub length: usize,
    /// Where numbers come from.
    pub weights: &'a dyn Weights,
}

/// Runs hidden states, a row per token, through a layer.
pub fn run_layer<D: Device>(
    device: &D,
    layer: &Layer,
    batch: Batch<'_>,
    states: Rows,
    observer: &mut dyn Observer,
) -> Result<Rows, ForwardError> {
    if batch.length == 0 || !states.count().is_multiple_of(batch.length) {
        return Err(ForwardError::Samples { rows: states.count(), length: batch.length });
    }
    let mut x = device.upload(states)?;
    let normed = normalise(device, layer.attn_norm.as_ref(), &x, batch)?;
    let attended = attention(device, &layer.attention, batch, normed.as_ref().unwrap_or(&x), observer)?;
    let attended = normalise(device, layer.attn_post_norm.as_ref(), &attended, batch)?.unwrap_or(attended);
    let fed = match layer.arrangement {
        Arrangement::Sequential => {
            device.add(&mut x, &attended, layer.residual_scale)?;
            normed.into_iter().for_each(|normed| device.discard(normed));
            let normed = normalise(device, layer.ffn_norm.as_ref(), &x, batch)?;
            let fed = feed_forward(device, &layer.ffn, batch, normed.as_ref().unwrap_or(&x), observer)?;
            normed.into_iter().for_each(|normed| device.discard(normed));
            fed
        }
        Arrangement::Parallel => {
            let own = normalise(device, layer.ffn_norm.as_ref(), &x, batch)?;
            let arriving = own.as_ref().or(normed.as_ref()).unwrap_or(&x);
            let fed = feed_forward(device, &layer.ffn, batch, arriving, observer)?;
            [own, normed].into_iter().flatten().for_each(|normed| device.discard(normed));
            device.add(&mut x, &attended, layer.residual_scale)?;
            fed
        }
    };
    let fed = normalise(device, layer.ffn_post_norm.as_ref(), &fed, batch)?.unwrap_or(fed);
    device.add(&mut x, &fed, layer.residual_scale)?;
    [attended, fed].into_iter().for_each(|block| device.discard(block));
    device.download(x)
}

fn feed_forward<D: Device>(
    device: &D,
    ffn: &FeedForward,
    batch: Batch<'_>,
    x: &D::Matrix,
    observer: &mut dyn Observer,
) -> Result<D::Matrix, ForwardError> {
    match ffn {
        FeedForward::Dense(dense) => block(device, dense, batch.weights, x, (None, Tokens::All), observer),
        FeedForward::Mixture(experts) => mixture(device, experts, batch.weights, x, observer),
    }
}

/// The whole row normalised, if there is a norm.
fn normalise<D: Device>(
    device: &D,
    norm: Option<&Norm>,
    x: &D::Matrix,
    batch: Batch<'_>,
) -> Result<Option<D::Matrix>, ForwardError> {
    let Some(norm) = norm else { return Ok(None) };
    let values = norm_values(norm, batch.weights)?;
    let columns = device.rows(x)?.columns;
    device.norm(x, &values, columns).map(Some)
}

/// Tells that rows of all tokens arrive at linear layers outside of experts.
pub(crate) fn arrive<D: Device>(
    device: &D,
    linears: &[usize],
    rows: &D::Matrix,
    observer: &mut dyn Observer,
) -> Result<(), ForwardError> {
    let rows = device.rows(rows)?;
    observer.arrive(Arrival { linears, expert: None, tokens: Tokens::All, rows: &rows });
    Ok(())
}

/// The numbers of a norm.
pub(crate) fn norm_values(norm: &Norm, weights: &dyn Weights) -> Result<NormValues, ForwardError> {
    let mut weight = Vec::new();
    for vector in &norm.weight {
        weight.append(&mut vector.load(weights)?);
    }
    weight.iter_mut().for_each(|w| *w += norm.offset);
    let bias = norm.bias.map(|vector| vector.load(weights)).transpose()?;
    Ok(NormValues { kind: norm.kind, epsilon: norm.epsilon, weight, bias })
}
