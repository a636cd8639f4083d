//! bench
#![allow(clippy::print_stdout)]
use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use llmq_calibration::*;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}
fn med(mut f: impl FnMut()) -> f64 {
    let mut v = vec![];
    for _ in 0..5 {
        let t = cpu();
        f();
        v.push(cpu() - t);
    }
    v.sort_by(f64::total_cmp);
    v[2]
}
fn main() {
    let (n, c) = (2048usize, 4096usize);
    let mut s = 1u64;
    let x: Vec<f32> = (0..n * c)
        .map(|_| {
            s = s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((s >> 40) as f32 / (1u64 << 24) as f32) - 0.5
        })
        .collect();
    let flop = (n * c) as f64 * c as f64;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for gram in [true, false] {
            let mut g = Collector::new("", "", c, None, Options { gram, samples: 0 }).unwrap();
            let mut at = 0;
            let t = med(|| {
                g.update(&x, at).unwrap();
                at += 2048;
            });
            println!("own {gram}: {t} s {:.1} GF/s useful", flop / t / 1e9);
        }
        if std::env::args().any(|a| a == "faer") {
            for (tile, k) in [(256, 256)] {
                let mut out = vec![0f32; tile * tile];
                let mut acc = vec![0f64; c * c];
                let t = med(|| {
                    for b in x.chunks(k * c) {
                        let m = MatRef::from_row_major_slice(b, b.len() / c, c);
                        for i in (0..c).step_by(tile) {
                            for j in (0..=i).step_by(tile) {
                                matmul(
                                    MatMut::from_row_major_slice_mut(&mut out, tile, tile),
                                    Accum::Replace,
                                    m.subcols(i, tile).transpose(),
                                    m.subcols(j, tile),
                                    1.0f32,
                                    Par::Seq,
                                );
                                for r in 0..tile {
                                    for (s, v) in acc[(i + r) * c + j..][..tile].iter_mut().zip(&out[r * tile..]) {
                                        *s += f64::from(*v)
                                    }
                                }
                            }
                        }
                    }
                });
                println!("faer tile {tile} k {k}: {:.1} GF/s useful", flop / t / 1e9);
            }
        }
        let mut out = vec![0f32; c * c];
        let t = med(|| {
            let m = MatRef::from_row_major_slice(&x, n, c);
            faer::linalg::matmul::triangular::matmul(
                MatMut::from_row_major_slice_mut(&mut out, c, c),
                faer::linalg::matmul::triangular::BlockStructure::TriangularLower,
                Accum::Replace,
                m.transpose(),
                faer::linalg::matmul::triangular::BlockStructure::Rectangular,
                m,
                faer::linalg::matmul::triangular::BlockStructure::Rectangular,
                1.0f32,
                Par::Seq,
            );
        });
        println!("faer triangular: {:.1} GF/s useful", flop / t / 1e9);
    });
}
