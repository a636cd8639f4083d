//! Mixture of experts: every token goes through the few experts that the router chooses for it.

use crate::feed_forward::block;
use crate::router::choose;
use crate::{Arrival, Device, ForwardError, Mixture, Observer, Rows, Spread, Tokens, Weights};

/// Runs rows through the chosen experts, one expert after the other, and the shared block.
pub(crate) fn mixture<D: Device>(
    device: &D,
    mixture: &Mixture,
    weights: &dyn Weights,
    x: &D::Matrix,
    observer: &mut dyn Observer,
) -> Result<D::Matrix, ForwardError> {
    let routers = [mixture.router.weight];
    let shared_gate = mixture.shared.as_ref().and_then(|shared| shared.gate);
    let arriving: Vec<usize> = routers.into_iter().chain(shared_gate.map(|gate| gate.weight)).collect();
    let (rows, columns) = {
        let rows = device.rows(x)?;
        observer.arrive(Arrival { linears: &arriving, expert: None, tokens: Tokens::All, rows: &rows });
        (rows.count(), rows.columns)
    };
    let routed = device.linear(x, &mixture.router, weights)?;
    let correction = mixture.correction.map(|vector| vector.load(weights)).transpose()?;
    let routes = routes(&*device.rows(&routed)?, correction.as_deref(), mixture);

    let mut sum = device.upload(Rows::zeros(rows, columns))?;
    for (number, (expert, route)) in mixture.experts.iter().zip(&routes).enumerate() {
        if route.tokens.is_empty() {
            continue;
        }
        let own = device.gather(x, &route.tokens)?;
        let of = (Some(number as u32), Tokens::Some(&route.tokens));
        let out = block(device, expert, weights, &own, of, observer)?;
        device.spread(&mut sum, &out, Spread { rows: &route.tokens, weights: &route.weights })?;
    }
    if let Some(shared) = &mixture.shared {
        let mut out = block(device, &shared.block, weights, x, (None, Tokens::All), observer)?;
        if let Some(gate) = &shared.gate {
            let logits = device.linear(x, gate, weights)?;
            device.gate_rows(&mut out, &logits)?;
        }
        device.add(&mut sum, &out, 1.0)?;
    }
    Ok(sum)
}

/// The tokens of one expert, in rising order, and the weights of its results.
#[derive(Debug, Clone, Default)]
struct Route {
    tokens: Vec<u32>,
    weights: Vec<f32>,
}

fn routes(logits: &Rows, correction: Option<&[f32]>, mixture: &Mixture) -> Vec<Route> {
    let mut routes = vec![Route::default(); mixture.experts.len()];
    for token in 0..logits.count() {
        for chosen in choose(logits.row(token), correction, &mixture.choice) {
            let route = &mut routes[chosen.expert];
            route.tokens.push(token as u32);
            route.weights.push(chosen.weight);
        }
    }
    routes
}
