//! The documented error bounds against rows like real weights: never exceeded, and not so wide that they say nothing.

#[path = "live/rows.rs"]
mod rows;

use llmq_ggml_blocks::{BlockType, dequantize_rows, quantize_rows, relative_error_bound};
use rows::Random;

const COLS: usize = 2048;
const KINDS: [&str; 9] = ["normal", "normal1", "laplace", "uniform", "heavy", "outlier", "sparse", "offset", "mixed"];

fn relative_error(ty: BlockType, x: &[f32], importance: Option<&[f32]>) -> f64 {
    let mut bytes = vec![0; x.len() / ty.block_len() * ty.block_bytes()];
    quantize_rows(ty, x, x.len(), importance, &mut bytes).unwrap();
    let mut back = vec![0.0; x.len()];
    dequantize_rows(ty, &bytes, x.len(), &mut back).unwrap();
    let error: f64 = x.iter().zip(&back).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let power: f64 = x.iter().map(|v| f64::from(*v).powi(2)).sum();
    (error / power).sqrt()
}

#[test]
fn bounds_hold_and_are_not_idle() {
    for &ty in BlockType::ALL.iter().filter(|ty| ty.can_quantize()) {
        let mut random = Random::new(11);
        let mut worst = 0f64;
        for kind in KINDS {
            for _ in 0..40 {
                let x = rows::row(&mut random, COLS, kind);
                let q = rows::importance(&mut random, COLS, "lognormal");
                worst = worst.max(relative_error(ty, &x, Some(&q)));
                // Without importance IQ1_M says nothing about zeros, and no level writes it so.
                if !ty.needs_importance() && ty != BlockType::IQ1_M {
                    worst = worst.max(relative_error(ty, &x, None));
                }
            }
        }
        let bound = relative_error_bound(ty);
        assert!(worst <= bound, "{ty:?}: {worst} exceeds {bound}");
        assert!(bound <= 2.0 * worst, "{ty:?}: {bound} is far above {worst}");
    }
}
