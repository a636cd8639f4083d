//! Super weights planted in a small network are found at their coordinates; the same network without them has none.

use super::*;
use crate::findings::median;

const WIDTH: usize = 32;
const HIDDEN: usize = 64;
const LAYERS: usize = 6;
const TOKENS: usize = 24;

/// A stack of gated feed-forward layers on a residual stream, each behind a norm.
struct Network {
    gate: Vec<Vec<f32>>,
    up: Vec<Vec<f32>>,
    down: Vec<Vec<f32>>,
}

/// Evenly spread in -1..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn matrix(&mut self, size: usize, scale: f32) -> Vec<f32> {
        (0..size).map(|_| self.next() * scale).collect()
    }
}

impl Network {
    fn new(seed: u64) -> Self {
        let mut noise = Noise(seed);
        let mut matrices = |scale| (0..LAYERS).map(|_| noise.matrix(WIDTH * HIDDEN, scale)).collect::<Vec<_>>();
        Self { gate: matrices(0.5), up: matrices(0.5), down: matrices(0.2) }
    }

    /// Channel `column` of the hidden layer becomes large, and its weight to `row` too.
    fn plant(&mut self, layer: usize, row: usize, column: usize, weight: f32) {
        for at in column * WIDTH..(column + 1) * WIDTH {
            self.gate[layer][at] *= 12.0;
            self.up[layer][at] *= 12.0;
        }
        self.down[layer][row * HIDDEN + column] = weight;
    }

    fn peaks(&self, with_typical: bool) -> Vec<DownProjection> {
        let mut noise = Noise(99);
        let mut stream: Vec<Vec<f32>> = (0..TOKENS).map(|_| noise.matrix(WIDTH, 1.0)).collect();
        let product = |weights: &[f32], x: &[f32]| -> Vec<f32> {
            weights.chunks(x.len()).map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
        };
        (0..LAYERS)
            .map(|layer| {
                let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
                for token in &mut stream {
                    let rms = (token.iter().map(|x| x * x).sum::<f32>() / WIDTH as f32).sqrt();
                    let normed: Vec<f32> = token.iter().map(|x| x / rms).collect();
                    let up = product(&self.up[layer], &normed);
                    let gate = product(&self.gate[layer], &normed);
                    let hidden: Vec<f32> = gate.iter().zip(&up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
                    let output = product(&self.down[layer], &hidden);
                    token.iter_mut().zip(&output).for_each(|(x, y)| *x += y);
                    inputs.push(hidden);
                    outputs.push(output);
                }
                DownProjection {
                    tensor: format!("model.layers.{layer}.mlp.down_proj.weight"),
                    layer: layer as u32,
                    expert: None,
                    input: peak(&inputs, with_typical),
                    output: peak(&outputs, with_typical),
                }
            })
            .collect()
    }

    fn found(&self, with_typical: bool) -> Vec<(u32, usize, usize)> {
        let found = super_weights(&self.peaks(with_typical), &SuperWeightRule::default());
        found.iter().map(|weight| (weight.layer, weight.row, weight.column)).collect()
    }
}

fn peak(rows: &[Vec<f32>], with_typical: bool) -> Peak {
    let mut channels = vec![0.0f32; rows[0].len()];
    for row in rows {
        for (most, value) in channels.iter_mut().zip(row) {
            *most = if value.abs() > most.abs() { *value } else { *most };
        }
    }
    let channel = (0..channels.len()).max_by(|a, b| channels[*a].abs().total_cmp(&channels[*b].abs())).unwrap();
    let typical = with_typical.then(|| median(channels.iter().map(|value| f64::from(value.abs()))).unwrap());
    Peak { channel, value: f64::from(channels[channel]), typical }
}

#[test]
fn a_control_has_none() {
    for seed in 0..20 {
        for with_typical in [false, true] {
            assert_eq!(Network::new(seed).found(with_typical), []);
        }
    }
}

#[test]
fn planted_weights_are_found_and_gone_when_zeroed() {
    for seed in 0..20 {
        let (row, column) = ((seed * 7 % 32) as usize, (seed * 13 % 64) as usize);
        for layer in [0, 1, 5] {
            let mut network = Network::new(seed);
            network.plant(layer, row, column, 9.0);
            for with_typical in [false, true] {
                assert_eq!(network.found(with_typical), [(layer as u32, row, column)], "seed {seed}");
            }
            network.down[layer][row * HIDDEN + column] = 0.0;
            let again = network.found(true);
            assert!(!again.contains(&(layer as u32, row, column)), "{again:?}");
        }
    }
}

#[test]
fn two_layers_at_once() {
    let mut network = Network::new(3);
    network.plant(1, 20, 50, 9.0);
    network.plant(2, 4, 33, -11.0);
    assert_eq!(network.found(true), [(1, 20, 50), (2, 4, 33)]);
}

#[test]
fn a_large_weight_with_an_ordinary_input_is_none() {
    for seed in 0..20 {
        let mut network = Network::new(seed);
        network.down[1][20 * HIDDEN + 50] = 90.0;
        let peaks = network.peaks(true);
        assert_eq!(peaks[1].output.channel, 20, "the output spikes");
        assert_eq!(network.found(true), [], "the input does not");
    }
}

fn projection(layer: u32, input: f64, output: f64) -> DownProjection {
    let peak = |channel, value| Peak { channel, value, typical: None };
    DownProjection { tensor: "down".to_owned(), layer, expert: None, input: peak(7, input), output: peak(9, output) }
}

#[test]
fn the_paper_s_threshold_and_the_usual() {
    let find = |peaks: &[(f64, f64)]| -> Vec<u32> {
        let all: Vec<_> = peaks.iter().enumerate().map(|(l, (i, o))| projection(l as u32, *i, *o)).collect();
        super_weights(&all, &SuperWeightRule::default()).iter().map(|found| found.layer).collect()
    };
    // The signs of the peaks do not matter; the last layer is large, as last layers are, not super.
    assert_eq!(find(&[(3.0, 2.0), (4.0, 2.0), (-800.0, -700.0), (5.0, 3.0), (40.0, 200.0)]), [2]);
    // All large: nothing stands out.
    assert!(find(&[(300.0, 200.0); 5]).is_empty());
    // A small model: below 50, far above its other layers.
    assert_eq!(find(&[(0.1, 0.1), (9.0, 7.0), (0.1, 0.1), (0.12, 0.1)]), [1]);
    // Only one side.
    assert!(find(&[(1.0, 1.0), (900.0, 3.0), (1.0, 1.0), (1.0, 900.0)]).is_empty());
    // One layer alone: the paper's threshold is all there is.
    assert_eq!(find(&[(51.0, 60.0)]), [0]);
    assert!(find(&[(49.0, 60.0)]).is_empty());
    assert!(find(&[(f64::NAN, 60.0), (1.0, f64::INFINITY), (0.0, 0.0)]).is_empty());
    assert!(find(&[]).is_empty());
}

#[test]
fn each_is_measured_against_the_others() {
    for size in 1..9 {
        let values: Vec<f64> = (0..size).map(|at| f64::from(at * 5 % 7)).collect();
        let peaks: Vec<Peak> = values.iter().map(|value| Peak { channel: 0, value: -value, typical: None }).collect();
        let side = Side::new(peaks.iter());
        for own in 0..values.len() {
            let others = values.iter().enumerate().filter(|(other, _)| *other != own).map(|(_, value)| *value);
            assert_eq!(side.median_without(values[own]), median(others), "{values:?} without {own}");
        }
    }
}

#[test]
fn the_term_that_makes_an_output() {
    let (mut row, mut input) = (vec![0.1f32; 64], vec![0.5f32; 64]);
    (row[50], input[50]) = (-9.0, 80.0);
    let found = dominant_term(&row, &input).unwrap();
    assert_eq!((found.column, found.product), (50, -720.0));
    assert!(found.share > 0.99);
    assert_eq!(share_of_term(&row, &input, 50), Some(found.share));
    assert!(share_of_term(&row, &input, 3).unwrap() < 1e-3);
    assert_eq!((share_of_term(&row, &input[1..], 3), share_of_term(&row, &input, 64)), (None, None));
    assert_eq!(dominant_term(&row, &input[1..]), None);
    assert_eq!(dominant_term(&[0.0; 3], &[1.0; 3]), None);
}
