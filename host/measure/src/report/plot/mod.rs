//! Drawings as SVG: bars, curves, cells and ranges. They take their colours from the page, so they follow its theme.

mod bars;
mod cells;
mod curves;
mod ranges;
mod scale;
mod svg;

pub(super) use bars::{Bar, bars, histogram};
pub(super) use cells::{Cells, cells};
pub(super) use curves::{Curve, curves};
pub(super) use ranges::ranges;
