//! Cells in rows and columns, the fuller the larger their value.

use super::svg::{Anchor, Svg, WIDTH, shortened};
use crate::report::numbers::significant;

/// A grid of values; what is absent is drawn empty.
pub(in crate::report) struct Cells {
    /// Names of the rows, from top to bottom.
    pub(in crate::report) rows: Vec<String>,
    /// Names of the columns, from left to right.
    pub(in crate::report) columns: Vec<String>,
    /// Row by row.
    pub(in crate::report) values: Vec<Option<f64>>,
    /// The value of an empty colour.
    pub(in crate::report) low: f64,
    /// The value of the full colour, and beyond.
    pub(in crate::report) high: f64,
    /// Whether colours follow the logarithm.
    pub(in crate::report) powers: bool,
}

const LEFT: f64 = 170.0;
const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 30.0;
const STEPS: usize = 6;

/// Draws the grid with a legend above it.
pub(in crate::report) fn cells(cells: &Cells, below: &str, what: &str) -> String {
    let row_height: f64 = if cells.rows.len() > 40 { 11.0 } else { 18.0 };
    let bottom = TOP + row_height * cells.rows.len() as f64;
    let mut svg = Svg::new(bottom + 36.0, &format!("{what} by {below}"));
    let width = (RIGHT - LEFT) / cells.columns.len().max(1) as f64;
    legend(&mut svg, cells, what);
    let row_stride = cells.rows.len().div_ceil(80).max(1);
    for (row, name) in cells.rows.iter().enumerate() {
        let y = TOP + row_height * row as f64;
        if row % row_stride == 0 {
            svg.text((LEFT - 8.0, y + row_height / 2.0 + 4.0), Anchor::End, &shortened(name, 26));
        }
        for (column, label) in cells.columns.iter().enumerate() {
            let (look, hint) = match cells.values.get(row * cells.columns.len() + column).copied().flatten() {
                Some(value) => {
                    let look = format!("class=\"fill cell\" fill-opacity=\"{:.3}\"", cells.strength(value));
                    (look, format!("{name}, {below} {label}: {}", significant(value, 4)))
                }
                None => ("class=\"void cell\"".to_owned(), String::new()),
            };
            svg.rectangle((LEFT + width * column as f64, y), (width, row_height), &look, &hint);
        }
    }
    let stride = cells.columns.len().div_ceil(24).max(1);
    for (column, label) in cells.columns.iter().enumerate().step_by(stride) {
        svg.text((LEFT + width * (column as f64 + 0.5), bottom + 15.0), Anchor::Middle, label);
    }
    svg.text(((LEFT + RIGHT) / 2.0, bottom + 31.0), Anchor::Middle, below);
    svg.finish()
}

impl Cells {
    /// From 0.04, so that a value can be told from none, to 1.
    fn strength(&self, value: f64) -> f64 {
        let place = match self.powers {
            true if value > 0.0 && self.low > 0.0 => (value / self.low).ln() / (self.high / self.low).ln(),
            true => 0.0,
            false => (value - self.low) / (self.high - self.low),
        };
        0.04 + 0.96 * if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    fn step(&self, step: usize) -> f64 {
        let part = step as f64 / (STEPS - 1) as f64;
        match self.powers && self.low > 0.0 {
            true => self.low * (self.high / self.low).powf(part),
            false => self.low + (self.high - self.low) * part,
        }
    }
}

fn legend(svg: &mut Svg, cells: &Cells, what: &str) {
    svg.text((0.0, 12.0), Anchor::Start, what);
    let left = RIGHT - 58.0 * STEPS as f64;
    for step in 0..STEPS {
        let value = cells.step(step);
        let look = format!("class=\"fill cell\" fill-opacity=\"{:.3}\"", cells.strength(value));
        let x = left + 58.0 * step as f64;
        svg.rectangle((x, 3.0), (14.0, 11.0), &look, "");
        svg.text((x + 18.0, 12.0), Anchor::Start, &significant(value, 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_run_from_faint_to_full() {
        let grid = |low, high, powers| Cells { rows: vec![], columns: vec![], values: vec![], low, high, powers };
        let powers = grid(1.0, 100.0, true);
        assert_eq!((powers.strength(1.0), powers.strength(1e9), powers.strength(0.0)), (0.04, 1.0, 0.04));
        assert!((powers.strength(10.0) - 0.52).abs() < 1e-12);
        // Low and high alike: no division by zero.
        assert!(grid(2.0, 2.0, false).strength(2.0).is_finite() && grid(0.0, 0.0, true).strength(1.0).is_finite());
    }
}
