//! Rounding against plain definitions: a textbook GPTQ in f64, the quadratic form itself, and rounding to nearest.

use llmq_linear_grids::{Alone, Factor, Grid, Method, Order, Rounded, cost, expected_cost, fitted, nearest, round};

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    }

    fn bell(&mut self) -> f64 {
        (0..6).map(|_| self.next()).sum::<f64>() / 1.4
    }
}

/// Inputs with common directions and a few strong channels, as activations have.
fn gram(columns: usize, tokens: usize, seed: u64) -> Vec<f32> {
    let mut noise = Noise(seed);
    let mut gram = vec![0.0f64; columns * columns];
    for _ in 0..tokens {
        let common: [f64; 4] = std::array::from_fn(|_| noise.bell());
        let x: Vec<f64> = (0..columns)
            .map(|j| (noise.bell() + 1.5 * common[j % 4]) * if j % 37 == 5 { 6.0 } else { 1.0 + (j % 5) as f64 * 0.3 })
            .collect();
        for i in 0..columns {
            for j in 0..columns {
                gram[i * columns + j] += x[i] * x[j];
            }
        }
    }
    gram.into_iter().map(|value| value as f32).collect()
}

fn weights(rows: usize, columns: usize, seed: u64) -> Vec<f32> {
    let mut noise = Noise(seed);
    (0..rows * columns).map(|_| noise.bell() as f32 * 0.05).collect()
}

fn method(bits: u32, symmetric: bool, group: usize) -> Method {
    Method::new(Grid::new(bits, symmetric), group)
}

fn value(rounded: &Rounded, groups: &[u32], columns: usize, count: usize, row: usize, column: usize) -> f64 {
    let steps = rounded.steps[row * count + groups[column] as usize];
    f64::from(steps.value(rounded.codes[row * columns + column]))
}

/// tr(dW G dW^T), by its definition.
fn error(weights: &[f32], rounded: &Rounded, groups: &[u32], gram: &[f32], count: usize) -> f64 {
    let columns = groups.len();
    let mut sum = 0.0;
    for (row, weights) in weights.chunks(columns).enumerate() {
        let change: Vec<f64> =
            (0..columns).map(|j| value(rounded, groups, columns, count, row, j) - f64::from(weights[j])).collect();
        for i in 0..columns {
            for j in 0..columns {
                sum += change[i] * f64::from(gram[i * columns + j]) * change[j];
            }
        }
    }
    sum
}

fn natural_groups(columns: usize, group: usize) -> Vec<u32> {
    (0..columns).map(|column| (column / group) as u32).collect()
}

#[test]
fn the_reported_error_is_the_quadratic_form() {
    let (rows, columns, group) = (37, 160, 32);
    let (gram, weights) = (gram(columns, 300, 1), weights(rows, columns, 2));
    for (bits, symmetric, order, polish) in [
        (4, true, Order::WithinGroups, 0),
        (3, false, Order::Natural, 0),
        (2, true, Order::Descending, 2),
        (2, false, Order::WithinGroups, 3),
        (8, true, Order::WithinGroups, 0),
    ] {
        let method = Method { order, polish, ..method(bits, symmetric, group) };
        let factor = Factor::of(&gram, columns, &method, &Alone).unwrap().unwrap();
        let rounded = round(&weights, &gram, &factor, &method, &|| false).unwrap();
        let exact = error(&weights, &rounded, factor.groups(), &gram, method.groups(columns));
        let size: f64 = {
            let zeros = Rounded { codes: vec![0; weights.len()], ..rounded.clone() };
            let zeros = Rounded {
                steps: rounded.steps.iter().map(|s| llmq_linear_grids::Steps { zero: 0, ..*s }).collect(),
                ..zeros
            };
            error(&weights, &zeros, factor.groups(), &gram, method.groups(columns))
        };
        assert!((rounded.size / size - 1.0).abs() < 1e-5, "{bits}: size {} for {size}", rounded.size);
        // The squares of feedback are those of the damped matrix: what is subtracted costs a few digits at 8 bits.
        assert!((rounded.error - exact).abs() < 2e-3 * exact + 1e-8 * size, "{bits}: {} for {exact}", rounded.error);
    }
}

#[test]
fn every_step_lowers_the_error() {
    let (rows, columns, group) = (64, 256, 64);
    let (gram, weights) = (gram(columns, 500, 3), weights(rows, columns, 4));
    let groups = natural_groups(columns, group);
    for (bits, symmetric) in [(4, true), (3, true), (2, true), (4, false), (3, false), (2, false)] {
        let plain = method(bits, symmetric, group);
        let of = |rounded: &Rounded| error(&weights, rounded, &groups, &gram, plain.groups(columns));
        let mut before = of(&nearest(&weights, columns, &plain));
        for (order, candidates, polish) in [
            (Order::Natural, 1, 0),
            (Order::WithinGroups, 8, 0),
            (Order::WithinGroups, 8, 1),
            (Order::WithinGroups, 8, 3),
        ] {
            let method = Method { order, candidates, polish, ..plain };
            let factor = Factor::of(&gram, columns, &method, &Alone).unwrap().unwrap();
            let after = of(&round(&weights, &gram, &factor, &method, &|| false).unwrap());
            assert!(after < before, "{bits} {symmetric} {candidates} {polish}: {after} after {before}");
            before = after;
        }
    }
}

#[test]
fn codes_are_those_of_the_textbook() {
    let (rows, columns, group) = (40, 96, 32);
    let (gram, weights) = (gram(columns, 400, 5), weights(rows, columns, 6));
    let method = Method { order: Order::Natural, candidates: 1, ..method(4, true, group) };
    let factor = Factor::of(&gram, columns, &method, &Alone).unwrap().unwrap();
    let rounded = round(&weights, &gram, &factor, &method, &|| false).unwrap();
    let inverse = upper_factor_of_inverse(&gram, columns, 0.05);
    let mut differ = 0;
    for (row, weights) in weights.chunks(columns).enumerate() {
        let mut w: Vec<f64> = weights.iter().map(|w| f64::from(*w)).collect();
        for j in 0..columns {
            let steps = rounded.steps[row * 3 + j / group];
            if j % group == 0 {
                let now: Vec<f32> = w[j..j + group].iter().map(|w| *w as f32).collect();
                assert!((method.grid.reaching(&now).scale / steps.scale - 1.0).abs() < 2e-3);
            }
            let code = ((w[j] / f64::from(steps.scale)).round_ties_even() + 8.0).clamp(0.0, 15.0);
            differ += usize::from(code != f64::from(rounded.codes[row * columns + j]));
            // Go on from the code that was taken, or one tie would change all that follows.
            let taken = f64::from(steps.value(rounded.codes[row * columns + j]));
            let e = (w[j] - taken) / inverse[j * columns + j];
            for k in j + 1..columns {
                w[k] -= e * inverse[j * columns + k];
            }
        }
    }
    assert!(differ <= rows * columns / 500, "{differ} codes differ");
}

/// The upper Cholesky factor of H^-1 as the paper computes it: invert, then decompose, in f64.
fn upper_factor_of_inverse(gram: &[f32], n: usize, damp: f64) -> Vec<f64> {
    let mut h: Vec<f64> = gram.iter().map(|g| f64::from(*g)).collect();
    let mean = (0..n).map(|i| h[i * n + i]).sum::<f64>() / n as f64;
    (0..n).for_each(|i| h[i * n + i] += damp * mean);
    let mut inverse = vec![0.0; n * n];
    (0..n).for_each(|i| inverse[i * n + i] = 1.0);
    for i in 0..n {
        let pivot = h[i * n + i];
        for j in 0..n {
            h[i * n + j] /= pivot;
            inverse[i * n + j] /= pivot;
        }
        for k in (0..n).filter(|k| *k != i) {
            let share = h[k * n + i];
            for j in 0..n {
                h[k * n + j] -= share * h[i * n + j];
                inverse[k * n + j] -= share * inverse[i * n + j];
            }
        }
    }
    // inverse = U^T U.
    let mut u = vec![0.0; n * n];
    for i in 0..n {
        for j in i..n {
            let known: f64 = (0..i).map(|k| u[k * n + i] * u[k * n + j]).sum();
            let rest = inverse[i * n + j] - known;
            u[i * n + j] = if i == j { rest.sqrt() } else { rest / u[i * n + i] };
        }
    }
    u
}

#[test]
fn rows_do_not_see_each_other() {
    for (rows, columns, group, some) in [(50, 64, 16, 7), (290, 200, 64, 41)] {
        let (gram, weights) = (gram(columns, 200, 7), weights(rows, columns, 8));
        let method = Method { polish: 1, ..method(3, false, group) };
        let factor = Factor::of(&gram, columns, &method, &Alone).unwrap().unwrap();
        let whole = round(&weights, &gram, &factor, &method, &|| false).unwrap();
        let (mut codes, mut steps) = (Vec::new(), Vec::new());
        for rows in weights.chunks(some * columns) {
            let part = round(rows, &gram, &factor, &method, &|| false).unwrap();
            codes.extend(part.codes);
            steps.extend(part.steps);
        }
        assert_eq!((codes, steps), (whole.codes, whole.steps), "{rows} rows, {some} at a time");
    }
}

#[test]
fn weights_on_the_grid_stay() {
    let columns = 64;
    let gram = gram(columns, 300, 9);
    let method = method(4, true, 32);
    let mut noise = Noise(10);
    let mut weights: Vec<f32> = (0..columns * 8).map(|_| (noise.next() * 7.4).round() as f32 * 0.125).collect();
    // One weight at the end of every group's range, so that the steps that reach all are these steps.
    weights.chunks_mut(32).for_each(|group| group[3] = -7.5 * 0.125);
    let factor = Factor::of(&gram, columns, &method, &Alone).unwrap().unwrap();
    let rounded = round(&weights, &gram, &factor, &method, &|| false).unwrap();
    assert!(rounded.error < 1e-3 * rounded.size, "{} of {}", rounded.error, rounded.size);
}

#[test]
fn odd_inputs_give_codes_all_the_same() {
    let columns = 70;
    let mut dead = gram(columns, 200, 11);
    for i in 0..columns {
        (dead[i * columns + 3], dead[3 * columns + i]) = (0.0, 0.0);
    }
    for (weights, group) in [
        (vec![0.0; columns * 3], 32),
        (vec![1e-30; columns * 2], 32),
        (vec![3e38; columns], 70),
        (weights(5, columns, 12).iter().map(|w| w * 1e5).collect(), 48),
    ] {
        for symmetric in [true, false] {
            let method = Method { polish: 1, ..method(4, symmetric, group) };
            let factor = Factor::of(&dead, columns, &method, &Alone).unwrap().unwrap();
            let rounded = round(&weights, &dead, &factor, &method, &|| false).unwrap();
            assert!(rounded.codes.iter().all(|code| *code < 16));
            assert!(rounded.steps.iter().all(|steps| steps.scale != 0.0 && steps.scale.is_finite()));
        }
    }
}

#[test]
fn dead_columns_are_rounded_to_nearest() {
    let columns = 64;
    let mut dead = gram(columns, 200, 13);
    for i in 0..columns {
        (dead[i * columns + 20], dead[20 * columns + i]) = (0.0, 0.0);
    }
    let weights = weights(16, columns, 14);
    let method = Method { candidates: 1, ..method(8, true, 64) };
    let factor = Factor::of(&dead, columns, &method, &Alone).unwrap().unwrap();
    let rounded = round(&weights, &dead, &factor, &method, &|| false).unwrap();
    for row in 0..16 {
        let value = value(&rounded, factor.groups(), columns, 1, row, 20);
        let steps = rounded.steps[row];
        assert!((value - f64::from(weights[row * columns + 20])).abs() <= 0.51 * f64::from(steps.scale.abs()));
    }
}

#[test]
fn the_code_without_an_opposite_stands_on_either_side() {
    let (columns, group) = (64, 32);
    let gram = gram(columns, 300, 15);
    let method = method(4, true, group);
    let factor = Factor::of(&gram, columns, &method, &Alone).unwrap().unwrap();
    for side in [1.0, -1.0] {
        // Eight steps to one side, seven at most to the other.
        let mut weights: Vec<f32> = (0..columns * 32).map(|i| ((i * 7 + i / 13) % 15) as f32 - 7.0).collect();
        weights.chunks_mut(group).for_each(|group| group[5] = 8.0 * side);
        let share = 0.125;
        weights.iter_mut().for_each(|weight| *weight *= share);
        let rounded = round(&weights, &gram, &factor, &method, &|| false).unwrap();
        assert!(rounded.error < 2e-3 * rounded.size, "{side}: {} of {}", rounded.error, rounded.size);
        let turned = rounded.steps.iter().filter(|steps| steps.scale * side > 0.0).count();
        assert!(turned < rounded.steps.len() / 4, "{side}: {turned} of {}", rounded.steps.len());
    }
}

#[test]
fn zeros_below_the_least_are_never_chosen() {
    let (columns, group) = (64, 16);
    let gram = gram(columns, 300, 16);
    // Nothing is negative: a zero of 0 would be best.
    let weights: Vec<f32> = weights(40, columns, 17).iter().map(|weight| weight.abs()).collect();
    let error = |least_zero: u8| {
        let grid = Grid { least_zero, ..Grid::new(3, false) };
        let method = Method { polish: 1, ..Method::new(grid, group) };
        let factor = Factor::of(&gram, columns, &method, &Alone).unwrap().unwrap();
        let rounded = round(&weights, &gram, &factor, &method, &|| false).unwrap();
        let plain = nearest(&weights, columns, &method);
        let zeros = || rounded.steps.iter().chain(&plain.steps).map(|steps| steps.zero);
        assert!(zeros().all(|zero| zero >= least_zero), "{least_zero}");
        (rounded.error, zeros().any(|zero| zero == 0))
    };
    let ((free, used), (held, _)) = (error(0), error(1));
    assert!(used && free < held && held < 2.0 * free, "{free} {held}");
}

#[test]
fn a_wish_to_stop_is_heard_between_columns() {
    let columns = 512;
    let gram = gram(columns, 40, 18);
    let weights = weights(300, columns, 19);
    let method = Method { polish: 1, ..method(4, true, 64) };
    let factor = Factor::of(&gram, columns, &method, &Alone).unwrap().unwrap();
    let asked = std::cell::Cell::new(0);
    let stop_at = |last: usize| {
        asked.set(0);
        let stop = || asked.replace(asked.get() + 1) >= last;
        round(&weights, &gram, &factor, &method, &stop).is_none()
    };
    assert!(!stop_at(usize::MAX));
    let all = asked.get();
    assert!(all > 2 * 512 / 128, "{all} times in two panels");
    for last in [0, 1, 5, all / 2, all - 1] {
        assert!(stop_at(last) && asked.get() == last + 1, "stopped at {last}, asked {} times", asked.get());
    }
}

#[test]
fn fitted_steps_have_less_squared_error_than_those_that_reach_all_weights() {
    let (rows, columns) = (37, 300);
    let weights = weights(rows, columns, 21);
    for (bits, symmetric, group) in [(4, true, 128), (4, false, 64), (2, true, 32), (3, false, 300), (8, true, 128)] {
        let method = method(bits, symmetric, group);
        let (groups, count) = (natural_groups(columns, group), method.groups(columns));
        let squares = |rounded: &Rounded, row: usize, of: usize| -> f64 {
            let members = (0..columns).filter(|column| groups[*column] as usize == of);
            let weight = |column: usize| f64::from(weights[row * columns + column]);
            members.map(|j| (value(rounded, &groups, columns, count, row, j) - weight(j)).powi(2)).sum()
        };
        let (plain, fit) = (nearest(&weights, columns, &method), fitted(&weights, columns, &method));
        let mut sums = (0.0, 0.0);
        for row in 0..rows {
            for of in 0..count {
                let (before, after) = (squares(&plain, row, of), squares(&fit, row, of));
                assert!(after <= before * 1.0001, "{bits} bits, row {row}: {after} after {before}");
                sums = (sums.0 + before, sums.1 + after);
            }
        }
        assert!(sums.1 < 0.995 * sums.0, "{bits} bits: {} after {}", sums.1, sums.0);
        let one = fitted(&weights, columns, &Method { candidates: 1, ..method });
        assert_eq!((one.codes, one.steps), (plain.codes, plain.steps));
        // Rows do not see each other.
        assert_eq!(fitted(&weights[columns * 33..], columns, &method).codes, fit.codes[columns * 33..]);
    }
}

#[test]
fn the_factor_of_divided_inputs_and_what_rounding_behind_it_costs() {
    let (rows, columns, group) = (40, 160, 32);
    let (gram, weights) = (gram(columns, 700, 31), weights(rows, columns, 32));
    let scales: Vec<f32> = (0..columns).map(|column| 0.4 + (column * 7 % 11) as f32 * 0.2).collect();
    let divided: Vec<f32> =
        (0..columns * columns).map(|at| gram[at] / scales[at / columns] / scales[at % columns]).collect();
    let scaled: Vec<f32> = weights.iter().zip(scales.iter().cycle()).map(|(w, s)| w * s).collect();
    for symmetric in [false, true] {
        // In natural order and without damping both are the same factor.
        let method = Method { damp: 0.0, order: Order::Natural, candidates: 1, ..method(4, symmetric, group) };
        let of = |gram: &[f32]| Factor::of(gram, columns, &method, &Alone).unwrap().unwrap();
        let (mut moved, fresh) = (of(&gram), of(&divided));
        moved.divide_inputs(&scales);
        for (a, b) in moved.costs().iter().zip(fresh.costs()) {
            assert!((a / b - 1.0).abs() < 1e-2, "{a} for {b}");
        }
        let never = || false;
        let (found, wanted) = (
            cost(&scaled, &moved, &method, &never).unwrap(),
            round(&scaled, &divided, &fresh, &method, &never).unwrap().error,
        );
        assert!((found / wanted - 1.0).abs() < 2e-2, "{found} for {wanted}");
        let expected = expected_cost(&scaled, &moved.costs(), &method);
        assert!((0.7..1.4).contains(&(expected / found)), "{expected} expected, {found} found");
        assert_eq!(cost(&scaled, &moved, &method, &|| true), None);
    }
}
