//! Rows of weights that look like models' and rows that look for trouble; importance likewise.

/// splitmix64 with the few distributions needed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1).
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    fn sign(&mut self) -> f64 {
        if self.bits() & 1 == 0 { 1.0 } else { -1.0 }
    }
}

/// The kinds of rows.
#[allow(dead_code, reason = "the benchmark uses one kind only")]
#[rustfmt::skip]
pub const KINDS: [&str; 36] = [
    "normal", "normal1", "heavy", "outlier", "zero", "const", "negconst", "tiny", "alt", "altramp", "ties", "sparse",
    "zeroblocks", "positive", "offset", "uniform", "large", "bf16", "fp16", "denorm", "onehot", "laplace", "negative",
    "negoffset", "nearconst", "negnearconst", "decades", "underflow", "dominant", "two", "powers", "huge", "mixed",
    "smallend", "plusminus", "vast",
];

/// One row of `n` weights of the given kind.
pub fn row(random: &mut Random, n: usize, kind: &str) -> Vec<f32> {
    let mut x: Vec<f64> = (0..n).map(|_| 0.02 * random.normal()).collect();
    match kind {
        "normal" => {}
        "normal1" => x.iter_mut().for_each(|v| *v *= 50.0),
        "heavy" => x.iter_mut().for_each(|v| *v /= (random.unit() + random.unit()).max(1e-3)),
        "outlier" => x[random.below(n)] = 37.5,
        "zero" => x.fill(0.0),
        "const" => x.fill(0.0371),
        "negconst" => x.fill(-0.0123),
        "tiny" => x.iter_mut().for_each(|v| *v *= 5e-7),
        "alt" => (0..n).for_each(|i| x[i] = if i % 2 == 0 { 0.05 } else { -0.05 }),
        "altramp" => (0..n).for_each(|i| x[i] = (1e-3 + 0.099 * i as f64 / n as f64) * (1.0 - 2.0 * (i % 2) as f64)),
        "ties" => x.iter_mut().for_each(|v| *v = (random.below(509) as f64 - 254.0) * 0.5),
        "sparse" => x.iter_mut().for_each(|v| *v *= f64::from(random.unit() > 0.9)),
        "zeroblocks" => x.chunks_mut(32).for_each(|b| b.iter_mut().for_each(|v| *v *= random.below(2) as f64)),
        "positive" => x.iter_mut().for_each(|v| *v = v.abs()),
        "negative" => x.iter_mut().for_each(|v| *v = -v.abs()),
        "offset" => x.iter_mut().for_each(|v| *v = *v * 0.5 + 0.3),
        "negoffset" => x.iter_mut().for_each(|v| *v = *v * 0.5 - 0.3),
        "nearconst" => x.iter_mut().for_each(|v| *v = 0.3 + 3e-8 * random.below(3) as f64),
        "negnearconst" => x.iter_mut().for_each(|v| *v = -0.3 - 3e-8 * random.below(3) as f64),
        "uniform" => x.iter_mut().for_each(|v| *v = 2.0 * random.unit() - 1.0),
        "large" => x.iter_mut().for_each(|v| *v *= 150_000.0),
        "huge" => x.iter_mut().for_each(|v| *v *= 1e7),
        "bf16" => x.iter_mut().for_each(|v| *v = f64::from(f32::from_bits((*v as f32).to_bits() & 0xffff_0000))),
        "fp16" => x.iter_mut().for_each(|v| *v = (*v * 16384.0).round() / 16384.0),
        "denorm" => x.iter_mut().for_each(|v| *v *= 5e-38),
        "onehot" => (0..n).for_each(|i| x[i] = f64::from(i % 32 == 0) - 0.5 * f64::from(i % 64 == 7)),
        "laplace" => x.iter_mut().for_each(|v| *v = -0.015 * random.unit().ln() * random.sign()),
        "decades" => x.iter_mut().for_each(|v| *v = 10f64.powf(15.0 * random.unit() - 12.0) * random.sign()),
        "underflow" => x.chunks_mut(256).for_each(|b| {
            let scale = 10f64.powf(-6.0 * random.unit());
            b.iter_mut().for_each(|v| *v *= scale);
        }),
        "dominant" => x.chunks_mut(16).for_each(|b| {
            let scale = if random.below(16) == 0 { 1e4 } else { 1.0 };
            b.iter_mut().for_each(|v| *v *= scale);
        }),
        "two" => x.iter_mut().for_each(|v| *v = if random.below(2) == 0 { -0.11 } else { 0.07 }),
        "powers" => x.iter_mut().for_each(|v| *v = 2f64.powi(random.below(24) as i32 - 16) * random.sign()),
        "mixed" => x.chunks_mut(32).for_each(|b| {
            let (scale, shift) = (10f64.powf(4.0 * random.unit() - 2.0), random.normal() * 0.05);
            b.iter_mut().for_each(|v| *v = *v * scale + shift);
        }),
        "vast" => x.iter_mut().for_each(|v| *v *= 10f64.powf(38.0 * random.unit())),
        "smallend" => x.chunks_mut(16).for_each(|b| b[random.below(16)] *= 1e-30),
        "plusminus" => x.chunks_mut(16).for_each(|b| (b[3], b[9]) = (0.2, -0.2)),
        _ => panic!("no rows of kind {kind}"),
    }
    x.into_iter().map(|v| v as f32).collect()
}

/// The kinds of importance.
#[allow(dead_code, reason = "the benchmark uses one kind only")]
pub const IMPORTANCE: [&str; 6] = ["lognormal", "ones", "gaps", "zero", "decades", "spikes"];

/// One importance weight per column.
pub fn importance(random: &mut Random, n: usize, kind: &str) -> Vec<f32> {
    let one = |random: &mut Random| match kind {
        "lognormal" => (1.5 * random.normal()).exp(),
        "ones" => 1.0,
        "gaps" => f64::from(random.below(3) != 0) * random.unit(),
        "zero" => 0.0,
        "decades" => 10f64.powf(16.0 * random.unit() - 8.0),
        "spikes" => {
            if random.below(20) == 0 {
                1e6
            } else {
                1e-3
            }
        }
        _ => panic!("no importance of kind {kind}"),
    };
    (0..n).map(|_| one(random) as f32).collect()
}
