//! The codebooks of the IQ1, IQ2 and IQ3 types: which points exist, and for all others the nearest that do.
//!
//! A place is a group of small coordinates, packed 2 or 3 bits each from the lowest up. For a place that is no point of
//! the book, the reference tries the points of the nearest few distances, in the order of distance and then of index;
//! where two are equally good the first wins, so that order decides bytes. The lists are built when a book is first
//! used (measured on a busy machine: 5 to 30 ms), not per call.
//!
//! Of most lists few points can win: weights were rounded to the place, so a point is at least as far from them as any
//! point that lies between it and the place in every coordinate, and that one comes earlier in the list. What remains
//! are the rivals: a quarter of IQ2_XS's lists, half of IQ2_XXS's and IQ3_S's, all of IQ2_S's.

mod iq1;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;

use std::sync::OnceLock;

/// Points of `N` coordinates.
pub(crate) struct Codebook<const N: usize> {
    #[cfg(test)]
    points: &'static [u16],
    places: Vec<Place>,
    near: Vec<u16>,
    rivals: Vec<[u16; EIGHT]>,
}

/// Where the lists of a place are.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Start of the near points; for a point of the book its index.
    start: u32,
    /// Number of near points; 0 for a point of the book.
    count: u16,
    /// Number of rivals, without those that fill eights.
    rivals: u16,
    /// Start of the rivals, in eights.
    rivals_start: u32,
}

/// What a book says about a place.
pub(crate) enum Found<'a> {
    /// It is the point of this index.
    Point,
    /// It is none; these points (packed) are near, in the order in which they are tried, the first of them repeated to
    /// fill eights.
    Near(&'a [u16]),
}

impl<const N: usize> Codebook<N> {
    /// Coordinates go from 0 to this less one.
    pub(crate) const LEVELS: usize = if N == 8 { 3 } else { 8 };
    /// What one more in a coordinate adds to a packed place, in units of the coordinate before it.
    pub(crate) const UNIT: f32 = if N == 8 { 4.0 } else { 8.0 };

    /// Bits of half the coordinates, and those of a place's first half.
    const HALF_BITS: u32 = if N == 8 { 8 } else { 6 };
    const HALF_MASK: u16 = (1 << Self::HALF_BITS) - 1;

    /// Builds the lists with the points of the `distances` smallest distances from every place.
    fn new(points: &'static [u16], distances: usize, with_rivals: bool) -> Self {
        let halves = [half_distances::<N>(points, 0), half_distances::<N>(points, 1)];
        let highest = Self::pack(&[Self::LEVELS as u8 - 1; N]);
        let mut places = vec![Place::default(); usize::from(highest) + 1];
        for (i, &point) in points.iter().enumerate() {
            places[usize::from(point)].start = i as u32;
        }
        let steps: Vec<_> = points.iter().map(|&point| Self::steps(point)).collect();
        let (mut near, mut rivals) = (Vec::new(), Vec::new());
        let (mut between, mut some_rivals) = (Vec::new(), Vec::new());
        let (mut from_here, mut some) = (vec![0u8; points.len()], vec![0u16; points.len() + 1]);
        for place in (0..=highest).filter(|&place| points.binary_search(&place).is_err()) {
            let here = Self::coordinates(place);
            if here.iter().any(|&c| usize::from(c) >= Self::LEVELS) {
                continue;
            }
            let [low, high] = [place & Self::HALF_MASK, place >> Self::HALF_BITS];
            let (low, high) = (&halves[0][usize::from(low)], &halves[1][usize::from(high)]);
            for ((sum, &low), &high) in from_here.iter_mut().zip(low).zip(high) {
                *sum = low + high;
            }
            let start = near.len();
            collect_nearest(&from_here, distances, &mut some, &mut near);
            let count = near.len() - start;
            let rivals_start = rivals.len();
            if with_rivals {
                between.clear();
                some_rivals.clear();
                for &index in &near[start..] {
                    let way = Self::steps(place) ^ steps[usize::from(index)];
                    if between.iter().all(|nearer| nearer & !way != 0) {
                        between.push(way);
                        some_rivals.push(points[usize::from(index)]);
                    }
                }
                assert!(between.len() <= MOST_RIVALS, "too many rivals of one place");
                some_rivals.resize(between.len().next_multiple_of(EIGHT), some_rivals[0]);
                rivals.extend_from_slice(some_rivals.as_chunks().0);
            }
            for point in &mut near[start..] {
                *point = points[usize::from(*point)];
            }
            // Whole eights: the first point once more never wins.
            near.resize(start + count.next_multiple_of(EIGHT), near[start]);
            places[usize::from(place)] = Place {
                start: start as u32,
                count: (near.len() - start) as u16,
                rivals: between.len() as u16,
                rivals_start: rivals_start as u32,
            };
        }
        Codebook {
            #[cfg(test)]
            points,
            places,
            near,
            rivals,
        }
    }

    /// A bit per step from 0 to each coordinate. Those in which two places differ are the steps between them: where
    /// they hold all steps from one to a third, that third lies between the two.
    fn steps(place: u16) -> u32 {
        let of_one = |steps: u32, c: u8| steps << (Self::LEVELS - 1) | ((1 << c) - 1);
        Self::coordinates(place).into_iter().fold(0, of_one)
    }

    /// The coordinates of a packed place.
    #[inline(always)]
    pub(crate) fn coordinates(place: u16) -> [u8; N] {
        let mut spread = u64::from(place);
        if N == 8 {
            spread = (spread | spread << 24) & 0x0000_00ff_0000_00ff;
            spread = (spread | spread << 12) & 0x000f_000f_000f_000f;
            spread = (spread | spread << 6) & 0x0303_0303_0303_0303;
        } else {
            spread = (spread | spread << 10) & 0x003f_003f;
            spread = (spread | spread << 5) & 0x0707_0707;
        }
        let mut coordinates = [0; N];
        coordinates.copy_from_slice(&spread.to_le_bytes()[..N]);
        coordinates
    }

    /// The packed place of coordinates below `LEVELS`.
    #[inline(always)]
    pub(crate) fn pack(coordinates: &[u8; N]) -> u16 {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(coordinates);
        let mut packed = u64::from_le_bytes(bytes);
        if N == 8 {
            packed = (packed | packed >> 6) & 0x000f_000f_000f_000f;
            packed = (packed | packed >> 12) & 0x0000_00ff_0000_00ff;
            packed |= packed >> 24;
        } else {
            packed = (packed | packed >> 5) & 0x003f_003f;
            packed |= packed >> 10;
            packed &= 0x0fff;
        }
        packed as u16
    }

    /// Looks a place up.
    #[inline(always)]
    pub(crate) fn find(&self, place: u16) -> Found<'_> {
        match self.places[usize::from(place)] {
            Place { count: 0, .. } => Found::Point,
            Place { start, count, .. } => Found::Near(&self.near[start as usize..][..usize::from(count)]),
        }
    }

    /// Those of a place's near points that can be nearest to weights which were rounded to it, in the same order, and
    /// their number without the first of them repeated to fill eights. None for a point of the book.
    #[inline(always)]
    pub(crate) fn rivals(&self, place: u16) -> (&[[u16; EIGHT]], usize) {
        let place = self.places[usize::from(place)];
        let count = usize::from(place.rivals);
        (&self.rivals[place.rivals_start as usize..][..count.div_ceil(EIGHT)], count)
    }

    /// The index of a place that is a point of the book.
    #[inline(always)]
    pub(crate) fn index(&self, place: u16) -> u16 {
        self.places[usize::from(place)].start as u16
    }

    /// The packed coordinates of the point with this index.
    #[cfg(test)]
    pub(crate) fn point(&self, index: u16) -> u16 {
        self.points[usize::from(index)]
    }
}

/// For every value of the first or second half of a place's bits: the squared distances of all points in that half of
/// the coordinates, of which the largest possible sum is 4 * 7 * 7. Halves with a coordinate that does not exist stay
/// empty.
fn half_distances<const N: usize>(points: &[u16], half: u32) -> Vec<Vec<u8>> {
    let coordinates = |half_place: u16| {
        let all = Codebook::<N>::coordinates(half_place);
        core::array::from_fn::<u8, 4, _>(|i| if i < N / 2 { all[i] } else { 0 })
    };
    let exists = |here: [u8; 4]| here.iter().all(|&c| usize::from(c) < Codebook::<N>::LEVELS);
    let of_points: Vec<_> = points
        .iter()
        .map(|point| coordinates((point >> (half * Codebook::<N>::HALF_BITS)) & Codebook::<N>::HALF_MASK))
        .collect();
    let squares = |a: [u8; 4], b: [u8; 4]| (0..4).map(|i| a[i].abs_diff(b[i]).pow(2)).sum::<u8>();
    (0..=Codebook::<N>::HALF_MASK)
        .map(coordinates)
        .map(
            |here| {
                if exists(here) { of_points.iter().map(|&point| squares(here, point)).collect() } else { Vec::new() }
            },
        )
        .collect()
}

/// Appends the indices of the points of the `distances` smallest distances, nearest first; equally near ones in the
/// order of their indices. `some` has room for the indices of all points and one more.
fn collect_nearest(from_here: &[u8], distances: usize, some: &mut [u16], near: &mut Vec<u16>) {
    let mut smallest = Vec::with_capacity(distances);
    for _ in 0..distances {
        let from = smallest.last().map_or(0, |&last: &u8| last.saturating_add(1));
        // Sixteen minimums side by side: of one, the compiler makes a branch per distance.
        let mut least = [u8::MAX; STRETCH];
        let (stretches, rest) = from_here.as_chunks::<STRETCH>();
        for stretch in stretches {
            for i in 0..STRETCH {
                least[i] = least[i].min(stretch[i] | u8::from(stretch[i] < from).wrapping_neg());
            }
        }
        let rest = rest.iter().map(|&d| if d < from { u8::MAX } else { d });
        smallest.push(least.into_iter().chain(rest).fold(u8::MAX, u8::min));
    }
    let farthest = smallest.last().copied().unwrap_or(0);
    let mut count = 0;
    for (first, stretch) in (0u16..).step_by(STRETCH).zip(from_here.chunks(STRETCH)) {
        // Where few are near, whole stretches are passed over at once; in the others no branch depends on a distance.
        if stretch.iter().fold(false, |any, &d| any | (d <= farthest)) {
            for (i, &d) in (first..).zip(stretch) {
                some[count] = i;
                count += usize::from(d <= farthest);
            }
        }
    }
    for distance in smallest {
        near.extend(some[..count].iter().filter(|&&i| from_here[usize::from(i)] == distance));
    }
}

/// Near points are tried eight at a time.
pub(crate) const EIGHT: usize = 8;

/// No place has more rivals than this.
pub(crate) const MOST_RIVALS: usize = 256;

/// Points that are looked at together.
const STRETCH: usize = 16;

/// Packed coordinates of all points, by index.
pub(crate) mod points {
    pub(crate) use super::{
        iq1::POINTS as IQ1, iq2_s::POINTS as IQ2_S, iq2_xs::POINTS as IQ2_XS, iq2_xxs::POINTS as IQ2_XXS,
        iq3_s::POINTS as IQ3_S, iq3_xxs::POINTS as IQ3_XXS,
    };
}

macro_rules! books {
    ($($name:ident $coordinates:literal $points:ident $distances:literal $rivals:literal;)*) => {$(
        /// The book of this name with its lists, built once.
        pub(crate) fn $name() -> &'static Codebook<$coordinates> {
            static BOOK: OnceLock<Codebook<$coordinates>> = OnceLock::new();
            BOOK.get_or_init(|| Codebook::new(&points::$points, $distances, $rivals))
        }
    )*};
}

books! {
    iq1_book 8 IQ1 3 false;
    iq2_xxs_book 8 IQ2_XXS 2 true;
    iq2_xs_book 8 IQ2_XS 2 true;
    iq2_s_book 8 IQ2_S 1 true;
    iq3_xxs_book 4 IQ3_XXS 2 true;
    iq3_s_book 4 IQ3_S 3 true;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over the little-endian bytes.
    fn checksum(points: &[u16]) -> u64 {
        let bytes = points.iter().flat_map(|point| point.to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    #[test]
    fn the_tables_are_those_that_were_taken() {
        for (points, sum) in [
            (&points::IQ2_XXS[..], 0x6fca_17f5_c451_905d),
            (&points::IQ2_XS, 0x29d6_ac8e_0e6b_14e3),
            (&points::IQ2_S, 0x641f_9aa3_fbd9_8694),
            (&points::IQ1, 0x03f1_8808_17ee_ffa4),
            (&points::IQ3_XXS, 0x79d7_3357_6d56_2547),
            (&points::IQ3_S, 0x55b2_2411_6d1e_5ca2),
        ] {
            assert_eq!(checksum(points), sum);
            assert!(points.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn places_are_points_or_have_near_points_nearest_first() {
        let book = iq3_s_book();
        let distance = |a: u16, b: u16| -> i32 {
            let pairs = Codebook::<4>::coordinates(a).into_iter().zip(Codebook::<4>::coordinates(b));
            pairs.map(|(a, b)| (i32::from(a) - i32::from(b)).pow(2)).sum()
        };
        for place in 0..4096 {
            let Found::Near(near) = book.find(place) else {
                assert_eq!(book.point(book.index(place)), place);
                continue;
            };
            let copies = near.iter().rev().take_while(|&&point| point == near[0]).count().min(near.len() - 1);
            let listed = &near[..near.len() - copies];
            let order: Vec<_> = listed.iter().map(|&point| (distance(place, point), book.index(point))).collect();
            assert!(order.is_sorted_by(|a, b| a < b));
            let mut all: Vec<_> = (0..512).map(|i| (distance(place, book.point(i)), i)).collect();
            all.sort_unstable();
            assert_eq!(all[..order.len()], order);
            assert!(all.get(order.len()).is_none_or(|next| next.0 > order[order.len() - 1].0));
            let mut distances: Vec<_> = order.iter().map(|o| o.0).collect();
            distances.dedup();
            assert_eq!(distances.len(), 3);
        }
    }

    /// Weights are drawn around places that are no points; what is nearest among all is nearest among the rivals.
    fn the_nearest_are_rivals<const N: usize>(book: &Codebook<N>) {
        let mut state = 1u64;
        let mut unit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let (mut tried, mut fewer) = (0, 0);
        while tried < 20_000 {
            let levels: [u8; N] = core::array::from_fn(|_| (unit() * Codebook::<N>::LEVELS as f32) as u8);
            let place = Codebook::pack(&levels);
            let Found::Near(all) = book.find(place) else { continue };
            let mut x = [0.0; N];
            for i in 0..N {
                // Up to the middle between two levels, and beyond the last one and before the first.
                let below = if levels[i] == 0 { 9.0 } else { 0.999 };
                let above = if usize::from(levels[i]) == Codebook::<N>::LEVELS - 1 { 9.0 } else { 0.999 };
                x[i] = f32::from(2 * levels[i] + 1) - below + (below + above) * unit();
            }
            let weights: [f32; N] = core::array::from_fn(|_| unit());
            let error = |point: u16| {
                let terms = Codebook::<N>::coordinates(point).into_iter().zip(x).zip(weights);
                terms.fold(0.0, |sum, ((c, x), weight)| {
                    let difference = f32::from(2 * c + 1) - x;
                    sum + weight * difference * difference
                })
            };
            let first_of_least = |points: &[u16]| {
                let least = |best: u16, &point: &u16| if error(point) < error(best) { point } else { best };
                points.iter().fold(points[0], least)
            };
            let (rivals, count) = book.rivals(place);
            assert_eq!(first_of_least(all), first_of_least(rivals.as_flattened()), "{x:?} near {place:#x}");
            assert_eq!(first_of_least(all), first_of_least(&rivals.as_flattened()[..count]));
            tried += 1;
            fewer += u32::from(rivals.as_flattened().len() < all.len());
        }
        assert!(fewer > 0 || N == 8, "the lists of rivals are no shorter");
    }

    #[test]
    fn the_nearest_points_are_among_the_rivals() {
        for book in [iq2_xxs_book(), iq2_xs_book(), iq2_s_book()] {
            the_nearest_are_rivals(book);
        }
        for book in [iq3_xxs_book(), iq3_s_book()] {
            the_nearest_are_rivals(book);
        }
    }
}
