//! Whether the chunks of a unit keep many threads busy: a count of work, no clock.

use super::quantize::{Chunk, cut};
use super::{Encoding, Weighting};
use crate::arch::View;
use llmq_ggml_blocks::BlockType;

/// Threads of a large machine.
const THREADS: usize = 64;

/// Units at work at the same time, as the backend's description says.
const SIDE_BY_SIDE: usize = 2;

/// A matrix, or as many of one shape as there are experts.
fn matrices(experts: usize, rows: usize, columns: usize) -> Encoding {
    Encoding {
        parts: (0..experts).collect(),
        view: View::plain(rows, columns),
        rows_per_part: rows,
        rows_per_matrix: rows,
        weighting: Weighting::None,
        columns,
        shift: 0.0,
        intermediate: None,
        target: BlockType::Q4_K,
    }
}

/// Weights of each chunk of a unit, in the order in which they are taken.
fn chunks(unit: &[Encoding]) -> Vec<usize> {
    let mut chunks: Vec<Chunk> = Vec::new();
    unit.iter().enumerate().for_each(|(slot, encoding)| cut(slot, encoding, &mut chunks));
    chunks.iter().map(|chunk| chunk.rows * chunk.encoding.columns).collect()
}

/// Share of the threads' time that is work, if every free thread takes the next chunk of the units at work and a unit
/// begins when an earlier one is finished.
fn busy(units: &[Vec<usize>]) -> f64 {
    let mut free = [0usize; THREADS];
    let mut ends: Vec<usize> = Vec::new();
    for (place, unit) in units.iter().enumerate() {
        let begin = place.checked_sub(SIDE_BY_SIDE).map_or(0, |earlier| ends[earlier]);
        let mut end = begin;
        for weights in unit {
            let thread = (0..THREADS).min_by_key(|thread| free[*thread]).unwrap_or(0);
            free[thread] = free[thread].max(begin) + weights;
            end = end.max(free[thread]);
        }
        ends.push(end);
    }
    let work: usize = units.iter().flatten().sum();
    let last = ends.into_iter().max().unwrap_or(1);
    work as f64 / (THREADS * last) as f64
}

fn layer(hidden: usize, ffn: usize, kv: usize) -> Vec<Encoding> {
    let attention = [(hidden, hidden), (kv, hidden), (kv, hidden), (hidden, hidden)];
    let mlp = [(ffn, hidden), (ffn, hidden), (hidden, ffn)];
    attention.iter().chain(&mlp).map(|(rows, columns)| matrices(1, *rows, *columns)).collect()
}

/// A model's units: embeddings, layers, head.
fn model(layers: usize, layer: &[Encoding], vocab: usize, hidden: usize) -> Vec<Vec<usize>> {
    let outside = chunks(&[matrices(1, vocab, hidden)]);
    let mut units = vec![outside.clone()];
    units.extend(std::iter::repeat_n(chunks(layer), layers));
    units.push(outside);
    units
}

#[test]
fn sixty_four_threads_stay_busy_on_few_big_tensors_and_on_many_small_experts() {
    let small = model(22, &layer(2048, 5632, 256), 32_000, 2048);
    let large = model(80, &layer(8192, 28_672, 1024), 128_256, 8192);
    let mut sparse = layer(2048, 1, 512);
    sparse.truncate(4);
    sparse.extend([matrices(128, 768, 2048), matrices(128, 768, 2048), matrices(128, 2048, 768)]);
    let sparse = model(48, &sparse, 151_936, 2048);
    for (name, units) in [("1.1 G weights", small), ("70 G weights", large), ("128 experts", sparse)] {
        let share = busy(&units);
        assert!(share > 0.95, "{name}: threads work {share:.3} of the time");
        for unit in &units {
            let (largest, all) = (unit.iter().max().unwrap(), unit.iter().sum::<usize>());
            assert!(largest * 4 * THREADS < all, "{name}: a chunk of {largest} weights in a unit of {all}");
        }
    }
}

#[test]
fn the_count_can_fail() {
    assert!(busy(&[vec![100], vec![100], vec![100]]) < 0.05);
    assert!(busy(&vec![vec![1; THREADS]; 10]) > 0.99);
}
