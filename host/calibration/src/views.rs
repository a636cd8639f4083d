//! What consumers compute from a record: pure functions.

use crate::record::Record;

impl Record {
    /// Mean of x^2 per channel, diag(G)/n: llama.cpp's importance. `None` where no token was seen.
    pub fn importance(&self) -> Option<Vec<f32>> {
        self.means(&self.sum_squares)
    }

    /// Mean of |x| per channel: what AWQ scales by. `None` where no token was seen.
    pub fn mean_abs(&self) -> Option<Vec<f32>> {
        self.means(&self.sum_abs)
    }

    /// Mean of x per channel: what corrects a bias. `None` where no token was seen.
    pub fn mean(&self) -> Option<Vec<f32>> {
        self.means(&self.sum)
    }

    /// Largest |x| per channel: what SmoothQuant scales by. `None` where no token was seen.
    pub fn max_abs(&self) -> Option<Vec<f32>> {
        let larger = |(min, max): (&f32, &f32)| min.abs().max(max.abs());
        (self.tokens > 0).then(|| self.min.iter().zip(&self.max).map(larger).collect())
    }

    /// The Gram matrix dense, symmetric, row-major, as summed (GPTQ's Hessian is this times 2/n). `None` where it was not
    /// gathered or no token was seen.
    pub fn gram_dense(&self) -> Option<Vec<f32>> {
        let gram = self.gram.as_ref().filter(|_| self.tokens > 0)?;
        let mut dense = vec![0.0; gram.columns() * gram.columns()];
        gram.write_dense(&mut dense);
        Some(dense)
    }

    /// Channels that were zero in every token: a Cholesky factor needs damping there, and nothing is known of their
    /// weights.
    pub fn dead_channels(&self) -> usize {
        self.sum_squares.iter().filter(|squares| **squares == 0.0).count()
    }

    fn means(&self, sums: &[f64]) -> Option<Vec<f32>> {
        let count = self.tokens as f64;
        (self.tokens > 0).then(|| sums.iter().map(|sum| (sum / count) as f32).collect())
    }
}
