//! Scales behind which a norm can be stored without rounding.
//!
//! A norm's weight n divided by s is stored in 16 bits, which changes it by up to 1 in 512 for bfloat16: a change of all
//! weights of the column that no rounding of the matrix can see. But s is free: with n' = stored(n / s), s' = n / n' is as
//! good a scale, and n / s' is stored as it is.

/// Moves scales so that `(norm + offset) / s - offset` is a number that `store` leaves alone. Channels where that cannot be
/// (a weight of zero, or one that is stored as zero) get scale 1.
pub fn storable(scales: &mut [f32], norm: &[f32], offset: f32, store: impl Fn(f32) -> f32) {
    for (scale, stored) in scales.iter_mut().zip(norm) {
        let weight = stored + offset;
        let moved = weight / (store(weight / *scale - offset) + offset);
        // Rounding moves a scale by a hundredth at most; anything else is no rounding.
        *scale = if moved.is_finite() && (moved / *scale - 1.0).abs() < 0.02 { moved } else { 1.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 8 bits of precision, as bfloat16.
    fn short(value: f32) -> f32 {
        f32::from_bits((value.to_bits() + 0x8000) & 0xffff_0000)
    }

    #[test]
    fn a_norm_behind_moved_scales_is_stored_as_it_is() {
        let norm: Vec<f32> = (1..200).map(|i| short(0.013 * i as f32)).collect();
        for offset in [0.0, 1.0] {
            let wanted: Vec<f32> = (1..200).map(|i| 0.3 + 0.017 * i as f32).collect();
            let mut scales = wanted.clone();
            storable(&mut scales, &norm, offset, short);
            for ((scale, wanted), norm) in scales.iter().zip(&wanted).zip(&norm) {
                let folded = (norm + offset) / scale - offset;
                let off = (folded - short(folded)).abs() / (folded.abs() + offset);
                assert!(off < 1e-6, "{norm} / {scale} is {folded}");
                assert!(*scale == 1.0 || (scale / wanted - 1.0).abs() < 0.02, "{scale} for {wanted}");
            }
        }
    }

    #[test]
    fn a_weight_of_zero_keeps_scale_one() {
        let mut scales = [3.0, 3.0];
        storable(&mut scales, &[0.0, 1.0], 0.0, |value| if value < 1.0 { 0.0 } else { value });
        assert_eq!(scales, [1.0, 1.0]);
    }
}
