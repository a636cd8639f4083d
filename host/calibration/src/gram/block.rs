//! A block of rows as the processor's way of multiplying wants it.

use llmq_tiles::{Channels, ChannelsPart, Tiles};
use rayon::prelude::*;

use super::BAND;
use super::panels::Panels;
use crate::BLOCK_ROWS;

/// Rows of X in memory that serves block after block.
#[derive(Debug)]
pub(crate) enum Block {
    /// For products in vectors of f32.
    Vectors(Panels),
    /// For products in tiles of bf16.
    Tiles(Tiles, Channels),
}

impl Block {
    /// Bytes that a block of so many channels holds on this processor.
    pub(crate) fn bytes(columns: usize) -> u64 {
        match Tiles::lent() {
            Some(_) => Channels::bytes(BLOCK_ROWS, columns) as u64,
            None => Panels::bytes(columns),
        }
    }

    /// Chooses the way.
    pub(crate) fn new(columns: usize) -> Block {
        Block::with(Tiles::lent(), columns)
    }

    /// With tiles or without.
    pub(super) fn with(tiles: Option<Tiles>, columns: usize) -> Block {
        match tiles {
            Some(tiles) => Block::Tiles(tiles, Channels::new(BLOCK_ROWS, columns)),
            None => Block::Vectors(Panels::new(columns)),
        }
    }

    pub(crate) fn held_bytes(&self) -> u64 {
        match self {
            Block::Vectors(panels) => panels.held_bytes(),
            Block::Tiles(_, channels) => channels.held_bytes() as u64,
        }
    }

    /// Takes at most [`BLOCK_ROWS`] rows of `columns` channels.
    pub(super) fn fill(&mut self, rows: &[f32], columns: usize) {
        match self {
            Block::Vectors(panels) => panels.fill(rows, columns),
            Block::Tiles(_, channels) => channels.parts(rows).into_par_iter().for_each(ChannelsPart::fill),
        }
    }

    /// Channels of a band, which one thread computes. No bit depends on it.
    pub(super) fn band(&self, columns: usize) -> usize {
        match self {
            Block::Vectors(_) => BAND,
            // Rows of a band stay in the second cache, 96 KiB for every 32 channels, and the more they are, the more
            // rarely the columns come from further away; but there should be bands for many threads.
            Block::Tiles(..) => (columns / 16).next_multiple_of(Channels::BLOCK).clamp(96, 256),
        }
    }
}
