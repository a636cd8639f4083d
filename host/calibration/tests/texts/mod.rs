//! Rows to gather statistics of, and their sums as plain f64 loops give them.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    /// Next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between -1 and 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// Rows with values between -1 and 1.
    pub fn rows(&mut self, count: usize, columns: usize) -> Vec<f32> {
        (0..count * columns).map(|_| self.unit()).collect()
    }
}

/// The Gram matrix in f64, row-major and whole. Products of f32 are exact in f64.
pub fn gram(rows: &[f32], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns * columns];
    for row in rows.chunks_exact(columns) {
        for (sums, x) in sums.chunks_exact_mut(columns).zip(row) {
            for (sum, y) in sums.iter_mut().zip(row) {
                *sum += f64::from(*x) * f64::from(*y);
            }
        }
    }
    sums
}

/// Greatest error of a Gram matrix in units of `sqrt(G_ii G_jj)`.
pub fn error(ours: &llmq_calibration::Gram, exact: &[f64]) -> f64 {
    let columns = ours.columns();
    let scale = |i: usize| exact[i * columns + i].sqrt().max(f64::MIN_POSITIVE);
    let pairs = (0..columns).flat_map(|i| (0..=i).map(move |j| (i, j)));
    pairs.map(|(i, j)| (ours.get(i, j) - exact[i * columns + j]).abs() / (scale(i) * scale(j))).fold(0.0, f64::max)
}
