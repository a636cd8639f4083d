//! Feed-forward block: two or three linear layers around an activation.

use crate::layer::norm_values;
use crate::{Arrival, Block, Device, ForwardError, Observer, Tokens, UpGate, Weights};

/// Runs rows through a block; `of` says which expert's rows they are.
pub(crate) fn block<D: Device>(
    device: &D,
    block: &Block,
    weights: &dyn Weights,
    x: &D::Matrix,
    of: (Option<u32>, Tokens<'_>),
    observer: &mut dyn Observer,
) -> Result<D::Matrix, ForwardError> {
    let (expert, tokens) = of;
    let linears: &[usize] = match &block.up {
        UpGate::Up(up) => &[up.weight],
        UpGate::Both { gate, up } => &[gate.weight, up.weight],
        UpGate::Halves(both) | UpGate::Alternating(both) => &[both.weight],
    };
    observer.arrive(Arrival { linears, expert, tokens, rows: &*device.rows(x)? });
    let activate = |gate: Option<D::Matrix>, mut up: D::Matrix| {
        device.activate(block.activation, gate.as_ref(), &mut up)?;
        gate.into_iter().for_each(|gate| device.discard(gate));
        Ok::<D::Matrix, ForwardError>(up)
    };
    let mut product = match &block.up {
        UpGate::Up(up) => activate(None, device.linear(x, up, weights)?)?,
        UpGate::Both { gate, up } => match device.gated(x, (gate, up), block.activation, weights)? {
            Some(product) => product,
            None => {
                let [gate, up] = device.linear_of_each(x, [gate, up], weights)?;
                activate(Some(gate), up)?
            }
        },
        UpGate::Halves(both) => {
            let (joined, half) = (device.linear(x, both, weights)?, both.outputs / 2);
            let cut = |from: usize| device.columns(&joined, std::slice::from_ref(&(from..from + half)));
            let (gate, up) = (cut(0)?, cut(half)?);
            device.discard(joined);
            activate(Some(gate), up)?
        }
        UpGate::Alternating(both) => {
            let joined = device.linear(x, both, weights)?;
            activate(Some(device.alternate(&joined, 0)?), device.alternate(&joined, 1)?)?
        }
    };
    if let Some(norm) = &block.sub_norm {
        let normed = device.norm(&product, &norm_values(norm, weights)?, block.down.inputs)?;
        device.discard(std::mem::replace(&mut product, normed));
    }
    let linears = &[block.down.weight];
    observer.arrive(Arrival { linears, expert, tokens, rows: &*device.rows(&product)? });
    let out = device.linear(&product, &block.down, weights)?;
    device.discard(product);
    observer.leave(Arrival { linears, expert, tokens, rows: &*device.rows(&out)? });
    Ok(out)
}
