//! One stored row: log-probabilities in 16 bits.

/// The log-probabilities of one position, as the file has them.
#[derive(Debug, Clone, Copy)]
pub struct StoredRow<'a> {
    scale: f32,
    least: f32,
    /// Two bytes per token of the vocabulary.
    levels: &'a [u8],
}

impl<'a> StoredRow<'a> {
    /// At most this log-probability counts as nothing in a divergence.
    pub const NEGLIGIBLE: f64 = -16.0;

    /// A row's bytes without padding; `None` if they are no log-probabilities: numbers that are not finite, a negative
    /// scale, a probability above one (by more than rounding), or no token at all.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let ([scale, least], levels) = bytes.split_first_chunk::<8>().map(|(head, rest)| {
            let [a, b, c, d, e, f, g, h] = *head;
            ([f32::from_le_bytes([a, b, c, d]), f32::from_le_bytes([e, f, g, h])], rest)
        })?;
        let row = Self { scale, least, levels };
        let usable = scale.is_finite() && scale >= 0.0 && least.is_finite() && !levels.is_empty();
        (usable && row.value(u16::MAX) < 0.01).then_some(row)
    }

    /// Tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.levels.len() / 2
    }

    /// Log-probability of a token in nats; `None` outside the vocabulary.
    pub fn log_probability(&self, token: usize) -> Option<f64> {
        self.levels.as_chunks::<2>().0.get(token).map(|level| self.value(u16::from_le_bytes(*level)))
    }

    /// Log-probabilities of all tokens.
    pub fn log_probabilities(&self) -> impl Iterator<Item = f64> + use<'a> {
        let row = *self;
        self.levels.as_chunks::<2>().0.iter().map(move |level| row.value(u16::from_le_bytes(*level)))
    }

    /// The first of the likeliest tokens.
    pub fn top(&self) -> Option<usize> {
        let levels = self.levels.as_chunks::<2>().0;
        let largest = levels.iter().map(|level| u16::from_le_bytes(*level)).max()?;
        // A scale of zero makes all tokens alike.
        if self.scale == 0.0 {
            return Some(0);
        }
        levels.iter().position(|level| u16::from_le_bytes(*level) == largest)
    }

    fn value(&self, level: u16) -> f64 {
        f64::from(self.scale) * f64::from(level) + f64::from(self.least)
    }
}
