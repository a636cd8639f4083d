//! Rotary position embedding: frequencies with every context extension of the field, and tables of angles.
//!
//! Su et al., "RoFormer", arXiv 2104.09864. Pair j of d rotated dimensions turns by position * theta^(-2j/d). Extensions:
//! linear (positions divided), dynamic NTK (base grows with the context), YaRN (Peng et al., arXiv 2309.00071), Llama 3
//! (wavelengths above a bound are stretched), longrope (Ding et al., arXiv 2402.13753: a factor per pair). "Right" means
//! transformers' `modeling_rope_utils` for a text as long as the samples.

use std::f64::consts::PI;

/// Rotation of queries and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// Rotated columns of every head, an even number; they stand first.
    pub dimensions: usize,
    /// Whether neighbours turn with each other, rather than column j with column j + d/2.
    pub interleaved: bool,
    /// Context extension.
    pub extension: Extension,
}

/// Context extension.
#[derive(Debug, Clone, PartialEq)]
pub enum Extension {
    /// None.
    None,
    /// All positions divided.
    Linear {
        /// By this.
        factor: f64,
    },
    /// A base that grows once a text is longer than the model's context.
    Dynamic {
        /// How far.
        factor: f64,
        /// The model's context.
        context: f64,
    },
    /// Slow pairs stretched, fast ones kept, those between mixed.
    Yarn {
        /// How far.
        factor: f64,
        /// Context of the unextended model.
        original: f64,
        /// Turns within that context above which a pair is kept.
        beta_fast: f64,
        /// Turns below which it is stretched whole.
        beta_slow: f64,
        /// Factor of sines and cosines.
        attention_factor: f64,
        /// Whether the bounds are rounded to whole pairs.
        truncate: bool,
    },
    /// As YaRN, with bounds stated as wavelengths.
    Llama3 {
        /// How far.
        factor: f64,
        /// Wavelengths above original / low are stretched whole.
        low: f64,
        /// Wavelengths below original / high are kept.
        high: f64,
        /// Context of the unextended model.
        original: f64,
    },
    /// A divisor per pair.
    Longrope {
        /// For texts up to the original context.
        short: Vec<f64>,
        /// For longer ones.
        long: Vec<f64>,
        /// Context of the unextended model.
        original: f64,
        /// Factor of sines and cosines.
        attention_factor: f64,
    },
}

/// Cosines and sines, `dimensions / 2` per position.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// Pairs of a head that turn.
    pub pairs: usize,
    /// Whether neighbours turn with each other.
    pub interleaved: bool,
    /// Position by position.
    pub cosines: Vec<f32>,
    /// Position by position.
    pub sines: Vec<f32>,
}

impl Rope {
    /// The angles of positions 0 to `length`, in a text of that length.
    pub fn rotation(&self, length: usize) -> Rotation {
        let (frequencies, factor) = self.frequencies(length);
        let pairs = frequencies.len();
        let (mut cosines, mut sines) = (Vec::with_capacity(length * pairs), Vec::with_capacity(length * pairs));
        for position in 0..length {
            for frequency in &frequencies {
                // In single precision, as models were trained: angles of far positions depend on it.
                let angle = f64::from(position as f32 * *frequency as f32);
                cosines.push((angle.cos() * factor) as f32);
                sines.push((angle.sin() * factor) as f32);
            }
        }
        Rotation { pairs, interleaved: self.interleaved, cosines, sines }
    }

    /// Radians per position of every pair, and the factor of sines and cosines.
    fn frequencies(&self, length: usize) -> (Vec<f64>, f64) {
        let width = self.dimensions as f64;
        let plain = |theta: f64| -> Vec<f64> {
            (0..self.dimensions / 2).map(|pair| theta.powf(-2.0 * pair as f64 / width)).collect()
        };
        match &self.extension {
            Extension::None => (plain(self.theta), 1.0),
            Extension::Linear { factor } => (plain(self.theta).iter().map(|f| f / factor).collect(), 1.0),
            Extension::Dynamic { factor, context } => {
                let length = (length as f64).max(*context);
                let growth = (factor * length / context - (factor - 1.0)).powf(width / (width - 2.0));
                (plain(self.theta * growth), 1.0)
            }
            Extension::Yarn { factor, original, beta_fast, beta_slow, attention_factor, truncate } => {
                let pair_of = |turns: f64| width * (original / (turns * 2.0 * PI)).ln() / (2.0 * self.theta.ln());
                let (mut low, mut high) = (pair_of(*beta_fast), pair_of(*beta_slow));
                if *truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                (low, high) = (low.max(0.0), high.min(width - 1.0));
                if low == high {
                    high += 0.001;
                }
                let mix = |(pair, f): (usize, &f64)| {
                    let stretched = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    f / factor * stretched + f * (1.0 - stretched)
                };
                (plain(self.theta).iter().enumerate().map(mix).collect(), *attention_factor)
            }
            Extension::Llama3 { factor, low, high, original } => {
                let stretch = |f: &f64| {
                    let wavelength = 2.0 * PI / f;
                    if wavelength < original / high {
                        *f
                    } else if wavelength > original / low {
                        f / factor
                    } else {
                        let smooth = (original / wavelength - low) / (high - low);
                        (1.0 - smooth) * f / factor + smooth * f
                    }
                };
                (plain(self.theta).iter().map(stretch).collect(), 1.0)
            }
            Extension::Longrope { short, long, original, attention_factor } => {
                let divisors = if length as f64 > *original { long } else { short };
                let divided = plain(self.theta).iter().zip(divisors).map(|(f, by)| f / by).collect();
                (divided, *attention_factor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(extension: Extension) -> Rope {
        Rope { theta: 10000.0, dimensions: 8, interleaved: false, extension }
    }

    #[test]
    fn the_first_pair_turns_by_one_radian_per_position() {
        let rotation = rope(Extension::None).rotation(3);
        assert_eq!(rotation.pairs, 4);
        assert_eq!(rotation.cosines[4], 1f64.cos() as f32);
        assert_eq!(rotation.sines[8], 2f64.sin() as f32);
        assert!((rotation.sines[5] - 0.1f32.sin()).abs() < 1e-7);
    }

    #[test]
    fn extensions_leave_fast_pairs_and_stretch_slow_ones() {
        let plain = rope(Extension::None).frequencies(16).0;
        let llama3 = Extension::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 64.0 };
        let (stretched, factor) = rope(llama3).frequencies(16);
        assert_eq!((stretched[0], stretched[3], factor), (plain[0], plain[3] / 8.0, 1.0));
        let yarn = Extension::Yarn {
            factor: 4.0,
            original: 64.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: 1.1,
            truncate: true,
        };
        let (stretched, factor) = rope(yarn).frequencies(16);
        assert_eq!((stretched[0], stretched[3], factor), (plain[0], plain[3] / 4.0, 1.1));
    }

    #[test]
    fn longrope_looks_at_the_length_of_the_text() {
        let longrope =
            Extension::Longrope { short: vec![1.0; 4], long: vec![2.0; 4], original: 16.0, attention_factor: 1.0 };
        let rope = rope(longrope);
        assert_eq!(rope.frequencies(16).0[0], 1.0);
        assert_eq!(rope.frequencies(17).0[0], 0.5);
    }
}
