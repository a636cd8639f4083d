//! Context extensions that GGUF stores as tensors: one factor per rotary frequency.

use llmq_plugin_api::wire::{Hyperparameters, Rope, RopeScaling};

/// A derived tensor: its GGUF name and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeTensor {
    /// GGUF name.
    pub name: &'static str,
    /// One factor per frequency.
    pub values: Vec<f32>,
}

/// Parameters of Llama 3's context extension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Llama3 {
    /// Extension factor of the slow frequencies.
    pub factor: f64,
    /// Wavelengths above `original / low` are stretched by the whole factor.
    pub low: f64,
    /// Wavelengths below `original / high` are kept.
    pub high: f64,
    /// Context of the unextended model, in tokens.
    pub original: f64,
}

/// The tensors that a model's context extension needs besides keys; none for most models.
pub fn rope_tensors(numbers: &Hyperparameters) -> Vec<RopeTensor> {
    let Some(rope) = &numbers.rope else { return Vec::new() };
    let Some(scaling) = &rope.scaling else { return Vec::new() };
    match scaling.kind.as_str() {
        "llama3" => vec![RopeTensor { name: "rope_freqs.weight", values: llama3_factors(rope, llama3(scaling)) }],
        "longrope" | "su" => {
            [("rope_factors_long.weight", &scaling.long_factor), ("rope_factors_short.weight", &scaling.short_factor)]
                .into_iter()
                .filter(|(_, factors)| !factors.is_empty())
                .map(|(name, factors)| RopeTensor { name, values: factors.iter().map(|f| *f as f32).collect() })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// What transformers assumes where config.json is silent: Llama 3.1's own numbers.
fn llama3(scaling: &RopeScaling) -> Llama3 {
    Llama3 {
        factor: scaling.factor.unwrap_or(8.0),
        low: scaling.low_freq_factor.unwrap_or(1.0),
        high: scaling.high_freq_factor.unwrap_or(4.0),
        original: f64::from(scaling.original_context_length.unwrap_or(8192)),
    }
}

/// Llama 3's divisors of the rotary frequencies: 1 for fast ones, the whole factor for slow ones, a blend in between.
///
/// The converter computes them as tensors: in single precision, and a number divided by a tensor is the number times the
/// tensor's reciprocal. Measured: any other order of roundings differs in the last bit of some factors.
pub fn llama3_factors(rope: &Rope, p: Llama3) -> Vec<f32> {
    let one = |wavelength: f32| {
        if f64::from(wavelength) < p.original / p.high {
            return 1.0;
        }
        if f64::from(wavelength) > p.original / p.low {
            return p.factor as f32;
        }
        let smooth = (wavelength.recip() * p.original as f32 - p.low as f32) / (p.high - p.low) as f32;
        ((1.0 - smooth) / p.factor as f32 + smooth).recip()
    };
    wavelengths(rope.theta, rope.dimensions).map(one).collect()
}

/// Powers are taken in double precision and rounded: single-precision power functions differ between platforms.
fn wavelengths(theta: f64, dimensions: u32) -> impl Iterator<Item = f32> {
    (0..dimensions / 2).map(move |i| {
        let exponent = (2 * i) as f32 / dimensions as f32;
        let frequency = (theta.powf(f64::from(exponent)) as f32).recip();
        frequency.recip() * (2.0 * std::f64::consts::PI) as f32
    })
}

/// Llama 3's parameters back from stored factors.
///
/// Only `original / (high - low)` and `low / (high - low)` follow from factors, so `low` is taken as 1, which all
/// published models have. `None` if the factors are not of this kind.
pub fn recover_llama3(factors: &[f32], theta: f64) -> Option<Llama3> {
    let factor = factors.iter().copied().fold(0.0f32, f32::max);
    if !factor.is_finite() || factor <= 1.0 || factors.iter().any(|f| *f < 1.0) {
        return None;
    }
    let factor = f64::from(factor);
    let dimensions = u32::try_from(factors.len()).ok()?.checked_mul(2)?;
    // On the blend, `smooth` is a line over 1 / wavelength; its two outermost points give it best.
    let blend: Vec<(f64, f64)> = factors
        .iter()
        .zip(wavelengths(theta, dimensions))
        .filter(|(f, _)| **f > 1.0 && f64::from(**f) < factor)
        .map(|(f, wavelength)| {
            (f64::from(wavelength).recip(), (1.0 / f64::from(*f) - 1.0 / factor) / (1.0 - 1.0 / factor))
        })
        .collect();
    let (first, last) = (blend.first()?, blend.last()?);
    if blend.len() < 2 {
        return None;
    }
    let slope = (first.1 - last.1) / (first.0 - last.0);
    let offset = last.1 - slope * last.0;
    let span = -1.0 / offset;
    let found = Llama3 { factor, low: 1.0, high: nearest(1.0 + span), original: nearest(slope * span).round() };
    let rope = Rope { theta, dimensions, layout: "half".into(), scaling: None };
    let plausible = found.high > 1.0 && found.original >= 1.0 && found.original < f64::from(u32::MAX);
    let close = |(a, b): (&f32, f32)| (a - b).abs() <= 1e-3 * a.abs();
    (plausible && factors.iter().zip(llama3_factors(&rope, found)).all(close)).then_some(found)
}

/// A number that is meant to be round, if it is close to one.
fn nearest(value: f64) -> f64 {
    let hundredth = (value * 100.0).round() / 100.0;
    if (value - hundredth).abs() <= 1e-3 * value.abs().max(1.0) { hundredth } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_published_models_come_back_from_their_factors() {
        for (theta, dimensions, factor, original) in [(500_000.0, 128, 8.0, 8192.0), (500_000.0, 64, 32.0, 8192.0)] {
            let rope = Rope { theta, dimensions, layout: "half".into(), scaling: None };
            let stated = Llama3 { factor, low: 1.0, high: 4.0, original };
            let factors = llama3_factors(&rope, stated);
            assert_eq!(factors[0], 1.0);
            assert_eq!(*factors.last().unwrap(), factor as f32);
            assert_eq!(recover_llama3(&factors, theta), Some(stated));
        }
    }

    #[test]
    fn other_factors_are_not_taken_for_llama3() {
        assert_eq!(recover_llama3(&[], 1e4), None);
        assert_eq!(recover_llama3(&[1.0; 16], 1e4), None);
        assert_eq!(recover_llama3(&[1.0, 8.0, 3.0, 5.0, 2.0], 1e4), None);
        assert_eq!(recover_llama3(&[1.0, f32::NAN, 8.0], 1e4), None);
        assert_eq!(recover_llama3(&[1.0, f32::INFINITY, 8.0], 1e4), None);
    }
}
