//! Rotation of queries and keys.

use super::PIECE;
use crate::{Rotation, Rows};
use rayon::prelude::*;

/// Rotates columns `from..from + 2 * pairs` of every head; row r has position r % length.
pub(super) fn rotate(x: &mut Rows, rotation: &Rotation, head_dim: usize, from: usize, length: usize) {
    let (columns, pairs) = (x.columns, rotation.pairs);
    x.values.par_chunks_mut(columns * PIECE).enumerate().for_each(|(piece, rows)| {
        for (row, values) in rows.chunks_exact_mut(columns).enumerate() {
            let position = (piece * PIECE + row) % length;
            let cosines = &rotation.cosines[position * pairs..][..pairs];
            let sines = &rotation.sines[position * pairs..][..pairs];
            for head in values.chunks_exact_mut(head_dim) {
                let turned = &mut head[from..from + 2 * pairs];
                if rotation.interleaved {
                    for (pair, (cos, sin)) in turned.as_chunks_mut::<2>().0.iter_mut().zip(cosines.iter().zip(sines)) {
                        *pair = [pair[0] * cos - pair[1] * sin, pair[1] * cos + pair[0] * sin];
                    }
                } else {
                    let (firsts, seconds) = turned.split_at_mut(pairs);
                    for j in 0..pairs {
                        let (a, b) = (firsts[j], seconds[j]);
                        firsts[j] = a * cosines[j] - b * sines[j];
                        seconds[j] = b * cosines[j] + a * sines[j];
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quarter(interleaved: bool) -> Rotation {
        // Position 0 stays, position 1 turns by a right angle.
        let (cosines, sines) = (vec![1.0, 1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0, 1.0]);
        Rotation { pairs: 2, interleaved, cosines, sines }
    }

    #[test]
    fn halves_or_neighbours_turn_together() {
        let start = Rows { values: [[1.0, 2.0, 3.0, 4.0, 9.0]; 2].concat(), columns: 5 };
        let mut halves = start.clone();
        rotate(&mut halves, &quarter(false), 5, 0, 2);
        assert_eq!(halves.values, [1.0, 2.0, 3.0, 4.0, 9.0, -3.0, -4.0, 1.0, 2.0, 9.0]);
        let mut neighbours = start;
        rotate(&mut neighbours, &quarter(true), 5, 0, 2);
        assert_eq!(neighbours.values[5..], [-2.0, 1.0, -4.0, 3.0, 9.0]);
    }
}
