//! The method itself: one row of weights becomes int8 codes and one scale. Pure functions over slices.

/// Largest code. -128 is never used, so that the grid is symmetric.
pub const MAX_CODE: f32 = 127.0;

/// Scales that are tried between the clip limit and the row's largest weight, both included.
const CANDIDATES: usize = 17;

/// The scale of one row: `weight = code * scale`.
///
/// `clip` is the smallest share of the row's largest magnitude that may become code 127; with 1 nothing is clipped.
/// Below 1 the candidates compete, and the one with the least squared error wins, where `importance` (mean square of
/// each input, as long as the row) weighs the errors if it is there. The first of equals is kept, so that the result
/// does not depend on anything but the arguments. A row of zeros has scale 0.
pub fn choose_scale(row: &[f32], importance: Option<&[f32]>, clip: f32) -> f32 {
    let largest = row.iter().fold(0.0f32, |max, w| max.max(w.abs()));
    let widest = largest / MAX_CODE;
    if clip >= 1.0 || largest == 0.0 {
        return widest;
    }
    let mut best = (f64::INFINITY, widest);
    for step in 0..CANDIDATES {
        let share = 1.0 - (1.0 - clip) * step as f32 / (CANDIDATES - 1) as f32;
        let scale = widest * share;
        let error = squared_error(row, importance, scale);
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

/// The code of one weight.
pub fn encode(weight: f32, scale: f32) -> i8 {
    // A scale below the smallest normal number would overflow the quotient; such rows are zero for every purpose.
    if scale < f32::MIN_POSITIVE { 0 } else { (weight / scale).round_ties_even().clamp(-MAX_CODE, MAX_CODE) as i8 }
}

/// The weight that a code stands for.
pub fn decode(code: i8, scale: f32) -> f32 {
    f32::from(code) * scale
}

fn squared_error(row: &[f32], importance: Option<&[f32]>, scale: f32) -> f64 {
    let error = |w: f32| f64::from(w - decode(encode(w, scale), scale)).powi(2);
    match importance {
        Some(importance) => row.iter().zip(importance).map(|(w, i)| error(*w) * f64::from(*i)).sum(),
        None => row.iter().map(|w| error(*w)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(row: &[f32], importance: Option<&[f32]>, clip: f32) -> Vec<f32> {
        let scale = choose_scale(row, importance, clip);
        row.iter().map(|w| decode(encode(*w, scale), scale)).collect()
    }

    #[test]
    fn without_clipping_no_weight_moves_by_more_than_half_a_step() {
        let row: Vec<f32> = (0..300).map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0).collect();
        let step = choose_scale(&row, None, 1.0);
        for (before, after) in row.iter().zip(round_trip(&row, None, 1.0)) {
            assert!((before - after).abs() <= step * 0.5001, "{before} became {after}");
        }
    }

    #[test]
    fn zeros_and_denormals_stay_harmless() {
        assert_eq!(round_trip(&[0.0; 5], None, 0.5), [0.0; 5]);
        assert_eq!(round_trip(&[1e-44, -1e-44], None, 1.0), [0.0; 2]);
    }

    #[test]
    fn clipping_pays_only_where_it_lowers_the_error() {
        let mut row = vec![0.5f32; 4000];
        for (i, w) in row.iter_mut().enumerate() {
            *w *= (i as f32 * 0.7).sin();
        }
        row[7] = 0.51; // no outlier worth clipping for
        let error = |clip| squared_error(&row, None, choose_scale(&row, None, clip));
        assert!(error(0.5) <= error(1.0));
    }

    #[test]
    fn importance_moves_the_choice() {
        let row = [1.0f32, 0.301, -0.299, 0.302, 0.298];
        let on_the_small = [0.0f32, 1.0, 1.0, 1.0, 1.0];
        let free = choose_scale(&row, Some(&on_the_small), 0.5);
        let outlier_matters = choose_scale(&row, Some(&[1000.0, 1.0, 1.0, 1.0, 1.0]), 0.5);
        assert!(free < outlier_matters, "{free} {outlier_matters}");
    }
}
