//! Root-mean-square and layer normalisation.
//!
//! Zhang and Sennrich, arXiv 1910.07467: x / sqrt(mean(x^2) + epsilon) times a factor per column; Ba et al., arXiv
//! 1607.06450: the mean taken off first. Sums in double precision.

use super::PIECE;
use super::lanes::{sum, widest};
use super::spare;
use crate::{ForwardError, NormKind, NormValues, Rows};
use rayon::prelude::*;

/// Normalises groups of `group` neighbouring columns.
pub(super) fn norm(x: &Rows, norm: &NormValues, group: usize) -> Result<Rows, ForwardError> {
    let columns = x.columns;
    for (what, values) in [("a norm's factors", Some(&norm.weight)), ("a norm's summands", norm.bias.as_ref())] {
        let found = values.map_or(0, Vec::len);
        if found != 0 && found != group && found != columns {
            return Err(ForwardError::Shape { what, found, expected: group });
        }
    }
    if group == 0 || !columns.is_multiple_of(group) {
        return Err(ForwardError::Shape { what: "a norm's group", found: group, expected: columns });
    }
    let mut out = spare::rows(x.count(), columns);
    let pieces = out.values.par_chunks_mut(columns * PIECE);
    pieces.zip(x.values.par_chunks(columns * PIECE)).for_each(|(rows, x)| {
        widest(
            #[inline(always)]
            || {
                for (row, x) in rows.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
                    for (number, (values, x)) in row.chunks_exact_mut(group).zip(x.chunks_exact(group)).enumerate() {
                        normalise(values, x, norm, if norm.weight.len() > group { number * group } else { 0 });
                    }
                }
            },
        );
    });
    Ok(out)
}

#[inline(always)]
fn normalise(values: &mut [f32], x: &[f32], norm: &NormValues, first: usize) {
    let count = values.len() as f64;
    let scale = |square: f64| (1.0 / (square / count + f64::from(norm.epsilon)).sqrt()) as f32;
    let factors = norm.weight.get(first..first + values.len());
    match (norm.kind, factors) {
        (NormKind::Rms, factors) => {
            let scale = scale(sum(x, |x| x * x));
            match factors {
                Some(factors) => {
                    values.iter_mut().zip(x).zip(factors).for_each(|((y, x), w)| *y = x * scale * w);
                }
                None => values.iter_mut().zip(x).for_each(|(y, x)| *y = x * scale),
            }
        }
        (NormKind::Layer, factors) => {
            let mean = (sum(x, |x| x) / count) as f32;
            values.iter_mut().zip(x).for_each(|(y, x)| *y = x - mean);
            let scale = scale(sum(values, |x| x * x));
            values.iter_mut().for_each(|y| *y *= scale);
            factors.into_iter().for_each(|factors| values.iter_mut().zip(factors).for_each(|(y, w)| *y *= w));
        }
    }
    if let Some(bias) = &norm.bias {
        let first = if bias.len() > values.len() { first } else { 0 };
        values.iter_mut().zip(&bias[first..]).for_each(|(x, b)| *x += b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_share_factors_or_have_their_own() {
        let x = Rows { values: vec![3.0, 4.0, 6.0, 8.0], columns: 4 };
        let mut values = NormValues { kind: NormKind::Rms, epsilon: 0.0, weight: vec![1.0, 2.0], bias: None };
        let root = 12.5f32.sqrt();
        let same = norm(&x, &values, 2).unwrap().values;
        assert!((same[0] - 3.0 / root).abs() < 1e-6 && (same[3] - 8.0 / root).abs() < 1e-6, "{same:?}");
        values.weight = vec![1.0, 1.0, 5.0, 5.0];
        assert!((norm(&x, &values, 2).unwrap().values[2] - 5.0 * 3.0 / root).abs() < 1e-6);
        values.weight = vec![1.0; 3];
        assert!(norm(&x, &values, 2).is_err());
    }

    #[test]
    fn the_mean_is_taken_off() {
        let x = Rows { values: vec![1.0, 3.0], columns: 2 };
        let values = NormValues { kind: NormKind::Layer, epsilon: 0.0, weight: vec![], bias: Some(vec![0.5, 0.5]) };
        assert_eq!(norm(&x, &values, 2).unwrap().values, [-0.5, 1.5]);
    }
}
