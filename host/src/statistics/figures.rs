//! Figures of every entry, as llama-imatrix shows them: how much goes through a tensor, how evenly, how alike its
//! neighbour in the layer before.

use super::{Entry, Table};
pub use llmq_measure::findings::TensorFigures as Figures;

/// A mean square of at most this counts as inactive.
const INACTIVE: f64 = 1e-5;

/// Figures of all entries with data: by tensor, then largest sum first.
pub fn figures(table: &Table) -> Vec<Figures> {
    let mut all: Vec<Figures> = table.entries.iter().filter_map(|(name, entry)| of(table, name, entry)).collect();
    all.sort_by(|a, b| a.tensor.cmp(&b.tensor).then(b.sum.total_cmp(&a.sum)).then(a.layer.cmp(&b.layer)));
    all
}

fn of(table: &Table, name: &str, entry: &Entry) -> Option<Figures> {
    let columns = entry.columns();
    if columns == 0 {
        return None;
    }
    let vectors = entry.values.chunks(columns).zip(&entry.counts).filter(|(_, count)| **count > 0);
    let means: Vec<f64> =
        vectors.flat_map(|(values, count)| values.iter().map(move |v| f64::from(*v) / *count as f64)).collect();
    if means.is_empty() {
        return None;
    }
    let elements = means.len() as f64;
    let sum: f64 = means.iter().sum();
    let mean = sum / elements;
    let squares: f64 = means.iter().map(|value| value * value).sum();
    let stddev = (squares / elements - mean * mean).max(0.0).sqrt();
    let share = |test: &dyn Fn(f64) -> bool| means.iter().filter(|value| test(**value)).count() as f64 / elements;
    let bits = |value: &f64| if *value > 0.0 { -(value / sum) * (value / sum).log2() } else { 0.0 };
    let entropy = if sum > 0.0 { means.iter().map(bits).sum() } else { 0.0 };
    let layer = layer(name);
    Some(Figures {
        name: name.to_owned(),
        layer: layer.map(|(number, ..)| number),
        tensor: layer.map_or(name, |(_, _, rest)| rest).trim_end_matches(".weight").to_owned(),
        count: entry.counts.iter().copied().max().unwrap_or(0),
        vectors: entry.counts.len(),
        unseen: entry.counts.iter().filter(|count| **count == 0).count(),
        elements: means.len(),
        sum,
        min: means.iter().copied().fold(f64::INFINITY, f64::min),
        max: means.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        mean,
        stddev,
        active: share(&|value| value > INACTIVE),
        entropy,
        entropy_share: if elements > 1.0 { entropy / elements.log2() } else { 0.0 },
        z_density: if stddev > 0.0 { share(&|value| (value - mean) / stddev > 1.0) } else { 0.0 },
        cosine: layer.and_then(|(number, head, rest)| {
            let before = format!("{head}.{}.{rest}", number.checked_sub(1)?);
            cosine(&entry.values, &table.entries.get(&before)?.values)
        }),
    })
}

/// Number, what stands before and what behind it, of a name like `blk.3.attn_q.weight`.
fn layer(name: &str) -> Option<(u32, &str, &str)> {
    let mut start = 0;
    for part in name.split('.') {
        if let (Ok(number), true) = (part.parse(), start > 0) {
            return Some((number, &name[..start - 1], name.get(start + part.len() + 1..)?));
        }
        start += part.len() + 1;
    }
    None
}

fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    (a.len() == b.len() && norms > 0.0).then(|| dot(a, b) / norms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_hand_computed_entry() {
        let entry = |values: &[f32], counts: &[u64]| Entry { values: values.to_vec(), counts: counts.to_vec() };
        let entries = [
            ("blk.1.ffn_down.weight".to_owned(), entry(&[2.0, 2.0, 0.0, 12.0], &[2])),
            ("blk.0.ffn_down.weight".to_owned(), entry(&[2.0, 2.0, 0.0, 0.0], &[4])),
            ("output.weight".to_owned(), entry(&[5.0, 1.0, 9.0, 9.0], &[1, 0])),
        ];
        let all = figures(&Table { entries: entries.into(), ..Table::default() });
        let names: Vec<&str> = all.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["blk.1.ffn_down.weight", "blk.0.ffn_down.weight", "output.weight"]);
        let one = &all[0];
        assert_eq!((one.layer, one.tensor.as_str(), one.count, one.elements), (Some(1), "ffn_down", 2, 4));
        // Mean squares 1, 1, 0, 6.
        assert_eq!((one.sum, one.min, one.max, one.mean), (8.0, 0.0, 6.0, 2.0));
        assert!((one.stddev - 5.5f64.sqrt()).abs() < 1e-12 && one.active == 0.75 && one.z_density == 0.25);
        let entropy = 2.0 * 0.125 * 3.0 + 0.75 * (4.0f64 / 3.0).log2();
        assert!((one.entropy - entropy).abs() < 1e-12 && (one.entropy_share - entropy / 2.0).abs() < 1e-12);
        assert!((one.cosine.unwrap() - 8.0 / (152.0f64 * 8.0).sqrt()).abs() < 1e-12);
        assert_eq!((all[1].cosine, all[2].cosine, all[2].layer), (None, None, None));
        // The vector without data is left out.
        assert_eq!((all[2].elements, all[2].vectors, all[2].unseen, all[2].sum), (2, 2, 1, 6.0));
    }
}
