//! From rows to logits.

use crate::layer::norm_values;
use crate::{Arrival, Device, ForwardError, Head, Network, Observer, Rows, Tokens, Weights};

/// The norm behind the last layer.
pub fn final_norm<D: Device>(
    device: &D,
    network: &Network,
    rows: Rows,
    weights: &dyn Weights,
) -> Result<Rows, ForwardError> {
    let Some(norm) = &network.norm else { return Ok(rows) };
    let columns = rows.columns;
    let x = device.upload(rows)?;
    let normed = device.norm(&x, &norm_values(norm, weights)?, columns)?;
    device.download(normed)
}

/// Logits of normed rows: a row per token, a column per token id. Many: 4 bytes times tokens times vocabulary.
pub fn logits<D: Device>(
    device: &D,
    head: &Head,
    normed: Rows,
    weights: &dyn Weights,
    observer: &mut dyn Observer,
) -> Result<Rows, ForwardError> {
    let arrival = Arrival { linears: &[head.linear.weight], expert: None, tokens: Tokens::All, rows: &normed };
    observer.arrive(arrival);
    let x = device.upload(normed)?;
    let out = device.linear(&x, &head.linear, weights)?;
    let mut logits = device.download(out)?;
    if head.scale != 1.0 {
        logits.values.iter_mut().for_each(|x| *x *= head.scale);
    }
    if let Some(cap) = head.cap {
        logits.values.iter_mut().for_each(|x| *x = cap * (*x / cap).tanh());
    }
    Ok(logits)
}
