//! How far the whole output is from its source: what a conversion costs, over every weight rather than sampled rows.

use super::sample::Distance;
use super::validate::Validation;
use super::written::Written;
use crate::failure::Failure;
use crate::stored::is_plain;
use llmq_plugin_api::client::Reader;
use llmq_plugin_api::sdk::MappedFile;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

/// Weights that are decoded at a time, on both sides, per thread.
const SLAB: u64 = 1 << 18;

/// Loss over all tensors that are quantized, in the source or in the output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Loss {
    /// `sum (new - old)^2 / sum old^2`, both as decoded.
    pub relative_squared_error: f64,
    /// Its root, which is what single tensors are judged by.
    pub relative_error: f64,
    /// Tensors that count.
    pub tensors: usize,
    /// Weights in them.
    pub weights: u64,
    /// The tensor that lost most for its size; absent if no tensor counts.
    pub worst: Option<WorstTensor>,
}

/// The tensor that lost most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorstTensor {
    /// Name as the source has it.
    pub name: String,
    /// Encoding in the output.
    pub encoding: String,
    /// As [`Loss::relative_squared_error`].
    pub relative_squared_error: f64,
    /// As [`Loss::relative_error`].
    pub relative_error: f64,
}

/// Rows of one tensor that are compared at a time.
struct Piece {
    /// Which pair.
    pair: usize,
    first_row: u64,
    rows: u64,
}

impl Validation<'_> {
    /// Compares every weight. `pairs` are source tensors with their places in `listed`.
    ///
    /// Pieces have one size and are added up in order, so the figures are the same for any number of threads.
    pub(super) fn loss(
        &self,
        reader: &Reader,
        files: &[MappedFile],
        pairs: &[(usize, usize)],
        listed: &[Written<'_>],
    ) -> Result<Loss, Failure> {
        let tensors = &self.source.description().tensors;
        let counts = |(source, place): &&(usize, usize)| {
            !is_plain(listed[*place].encoding) || self.source.encoding(*source).is_some()
        };
        let pairs: Vec<(usize, usize)> = pairs.iter().filter(counts).copied().collect();
        let mut pieces = Vec::new();
        for (pair, (source, _)) in pairs.iter().enumerate() {
            let (rows, step) = (tensors[*source].rows(), (SLAB / tensors[*source].columns().max(1)).max(1));
            let starts = (0..rows).step_by(usize::try_from(step).unwrap_or(usize::MAX));
            pieces.extend(starts.map(|first_row| Piece { pair, first_row, rows: step.min(rows - first_row) }));
        }
        let compare = |piece: &Piece| {
            let (source, place) = pairs[piece.pair];
            self.piece(reader, files, piece, source, &listed[place])
        };
        let compared: Result<Vec<Distance>, Failure> =
            self.services.pool().install(|| pieces.par_iter().map(compare).collect());
        let mut distances = vec![Distance::default(); pairs.len()];
        for (piece, distance) in pieces.iter().zip(compared?) {
            distances[piece.pair].join(distance);
        }
        let mut all = Distance::default();
        distances.iter().for_each(|distance| all.join(*distance));
        let worst = distances.iter().enumerate().max_by(|a, b| a.1.squared().total_cmp(&b.1.squared()));
        let worst = worst.map(|(pair, distance)| WorstTensor {
            name: tensors[pairs[pair].0].name.clone(),
            encoding: listed[pairs[pair].1].encoding.to_owned(),
            relative_squared_error: distance.squared(),
            relative_error: distance.relative(),
        });
        Ok(Loss {
            relative_squared_error: all.squared(),
            relative_error: all.relative(),
            tensors: pairs.len(),
            weights: pairs.iter().map(|(source, _)| tensors[*source].elements()).sum(),
            worst,
        })
    }

    fn piece(
        &self,
        reader: &Reader,
        files: &[MappedFile],
        piece: &Piece,
        source: usize,
        found: &Written<'_>,
    ) -> Result<Distance, Failure> {
        self.services.check_cancelled()?;
        let weights = (piece.rows * self.source.description().tensors[source].columns()) as usize;
        let (mut original, mut decoded) = (vec![0f32; weights], vec![0f32; weights]);
        self.rows(reader, files, source, found, piece.first_row, (&mut original, &mut decoded))?;
        let mut distance = Distance::default();
        distance.add(&original, &decoded, 0.0);
        Ok(distance)
    }
}
