//! Operations on packed points: every kind of lane against plain arithmetic.

use super::{GROUPS, Lanes, SHORT};
use crate::dispatch::{Kernel, Path, run};

/// Points with all patterns of bits, and tables with a value of its own per entry.
struct Coordinates;

impl Kernel for Coordinates {
    fn run<V: Lanes>(self) {
        assert!(GROUPS.is_multiple_of(V::COUNT) && SHORT.is_multiple_of(V::Short::COUNT));
        for start in (0..=u16::MAX).step_by(97) {
            let points: [u16; GROUPS] =
                core::array::from_fn(|lane| start.wrapping_mul(31).wrapping_add(lane as u16 * 4099));
            chosen::<V, 8>(&points);
            chosen::<V, 4>(&points);
            chosen::<V::Short, 8>(&points);
            chosen::<V::Short, 4>(&points);
        }
    }
}

fn chosen<V: Lanes, const N: usize>(points: &[u16; GROUPS]) {
    let (bits, values) = if N == 8 { (2, 4) } else { (3, 8) };
    let table: [f32; 8] = core::array::from_fn(|c| 0.5 + (c % values) as f32);
    // In the low bits of a whole number, which has others above.
    let whole = points.map(|point| f32::from_bits(8_388_608f32.to_bits() | u32::from(point)));
    for i in 0..N {
        let (mut packed, mut loaded) = ([0.0; GROUPS], [0.0; GROUPS]);
        V::packed(points).of_coordinate::<N>(i, &table).store(&mut packed);
        V::load(&whole).of_coordinate::<N>(i, &table).store(&mut loaded);
        for lane in 0..V::COUNT {
            let want = table[usize::from(points[lane]) >> (bits * i) & (values - 1)];
            assert_eq!((packed[lane], loaded[lane]), (want, want), "coordinate {i} of {:#x}", points[lane]);
        }
    }
}

#[test]
fn tables_give_what_coordinates_name() {
    for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
        run(path, Coordinates);
    }
}
