//! What rounding to nearest costs at the output under given scales: tr(dW G dW^T) with dW = Q(W diag(s)) diag(1/s) - W.
//!
//! Exactly what AWQ measures by running a linear layer on all tokens, whatever their number: sum over tokens of the squared
//! change of the output is the quadratic form in G = sum x x^T.

use llmq_linear_grids::{Method, expected_cost, nearest_changes, output_size};

/// The loss of rows of weights. `scales` has one number per column.
///
/// # Panics
/// If `weights` are not whole rows, or `gram` is not `[columns, columns]`.
pub fn loss(weights: &[f32], scales: &[f32], gram: &[f32], method: &Method) -> f64 {
    let columns = scales.len();
    let mut changes = nearest_changes(&scaled(weights, scales), columns, method);
    for row in changes.chunks_mut(columns) {
        row.iter_mut().zip(scales).for_each(|(change, scale)| *change /= scale);
    }
    output_size(&changes, gram, columns)
}

/// What rounding with error feedback is expected to cost under given scales; `costs` are those of the factor without them.
///
/// # Panics
/// If `weights` are not whole rows.
pub fn expected(weights: &[f32], scales: &[f32], costs: &[f32], method: &Method) -> f64 {
    // Inputs divided by s cost 1 / s^2 as much: the factor's U becomes U diag(s).
    let costs: Vec<f32> = costs.iter().zip(scales).map(|(cost, scale)| cost / (scale * scale)).collect();
    expected_cost(&scaled(weights, scales), &costs, method)
}

/// Columns of rows times their scales.
pub fn scaled(weights: &[f32], scales: &[f32]) -> Vec<f32> {
    weights.iter().zip(scales.iter().cycle()).map(|(weight, scale)| weight * scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_linear_grids::Grid;

    #[test]
    fn it_is_the_squared_change_of_the_output_over_all_tokens() {
        let (rows, columns, tokens, group) = (5usize, 24usize, 40usize, 8usize);
        let number = |seed: usize| ((seed * 7919 + 13) % 997) as f32 / 997.0 - 0.5;
        let weights: Vec<f32> = (0..rows * columns).map(number).collect();
        let inputs: Vec<f32> = (0..tokens * columns).map(|i| number(i * 3 + 5) + number(i / columns)).collect();
        let scales: Vec<f32> = (0..columns).map(|c| 0.5 + number(c * 11).abs() * 3.0).collect();
        let mut gram = vec![0.0f32; columns * columns];
        for x in inputs.chunks(columns) {
            for i in 0..columns {
                for j in 0..columns {
                    gram[i * columns + j] += x[i] * x[j];
                }
            }
        }
        for symmetric in [true, false] {
            let grid = Grid::new(4, symmetric);
            let mut expected = 0.0f64;
            for row in weights.chunks(columns) {
                let scaled: Vec<f32> = row.iter().zip(&scales).map(|(w, s)| w * s).collect();
                let change: Vec<f32> = scaled
                    .chunks(group)
                    .flat_map(|of| {
                        let steps = grid.reaching(of);
                        of.iter().map(move |w| steps.value(grid.code(*w, steps) as u8) - w).collect::<Vec<_>>()
                    })
                    .zip(&scales)
                    .map(|(change, s)| change / s)
                    .collect();
                for x in inputs.chunks(columns) {
                    let y: f64 = change.iter().zip(x).map(|(c, x)| f64::from(*c) * f64::from(*x)).sum();
                    expected += y * y;
                }
            }
            let found = loss(&weights, &scales, &gram, &Method::new(grid, group));
            assert!((found / expected - 1.0).abs() < 1e-4, "{found} for {expected}");
        }
    }
}
