//! All kinds of lanes do what one plain float does.

use super::*;
use crate::dispatch::{self, Kernel, Path};

/// Compares what a lane does with what the plain float does.
struct Compare;

impl Kernel for Compare {
    #[inline(always)]
    fn run<V: Lanes>(self) {
        for half in 0..=u16::MAX {
            let v = f16_to_f32(half);
            assert_eq!(V::from_half(half).to_bits(), v.to_bits());
            for bits in [v.to_bits(), v.to_bits() ^ 0x1000, v.to_bits() + 0xfff, v.to_bits() ^ 1] {
                assert_eq!(V::to_half(f32::from_bits(bits)), f32_to_f16(f32::from_bits(bits)), "{bits:#x}");
            }
        }
        let mut v: [f32; GROUPS] = core::array::from_fn(|i| (i * 7 % 16) as f32 * 8.3 + 0.9);
        (v[0], v[V::COUNT / 2]) = (f32::NAN, 0.99);
        let (mut bytes, mut inverses) = ([0x55; GROUPS + 1], [0.0; GROUPS]);
        V::load(&v).store_bytes(&mut bytes);
        V::load(&v).rough_inverse().store(&mut inverses);
        for i in 0..V::COUNT {
            assert_eq!(bytes[i], v[i] as u8);
            assert!(v[i].is_nan() || (inverses[i] * v[i] - 1.0).abs() < 3.7e-4);
        }
        assert_eq!(bytes[V::COUNT], 0x55);
        for place in 0..V::COUNT {
            let mut v = [2.0; GROUPS];
            v[place] = -3.0;
            assert_eq!((V::load(&v).least(), V::splat(0.0).most()), (-3.0, 0.0));
            v[place] = 7.0;
            assert_eq!(V::load(&v).most(), 7.0);
        }
        V::prefetch(&[0; 40]);
    }
}

#[test]
fn all_lanes_do_what_one_float_does() {
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        dispatch::run(path, Compare);
    }
}
