//! From rows to figures: logits of a few rows at a time, scored in the order of the text.

use super::{EvaluationSpec, Saving, StoredOriginal};
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::network::SourceRows;
use crate::pass::{self, Services, States, Subject};
use llmq_forward::{Cpu, Nobody, Rows, logits};
use llmq_measure::base_logits::{BaseLogitsError, EncodedRow, StoredRow};
use llmq_measure::{Comparison, MeasureError, Place, Reference, Score};
use llmq_text::Samples;
use rayon::prelude::*;
use std::ops::Range;

/// Logits that are in memory at once: 64 MiB.
const LOGITS: usize = 16 << 20;
/// Least and most rows whose logits are in memory at once: the head's weights are widened once for all of them.
const ROWS: (usize, usize) = (128, 1024);
/// Rows that one thread scores at a time.
const PIECE: usize = 8;

/// Rows of one chunk whose logits are looked at together.
struct Tile<'a> {
    chunk: usize,
    rows: Range<usize>,
    targets: &'a [u32],
}

/// Rows whose logits are in memory at once.
fn rows_at_once(subject: &Subject) -> usize {
    (LOGITS / subject.network.embedding.vocab.max(1)).clamp(ROWS.0, ROWS.1)
}

fn tiles<'a>(samples: &'a Samples, spec: &EvaluationSpec, at_once: usize) -> impl Iterator<Item = Tile<'a>> {
    let counted = spec.counting.rows(samples.seqlen);
    samples.iter().enumerate().flat_map(move |(chunk, tokens)| {
        let counted = counted.clone();
        let end = counted.end;
        counted.step_by(at_once).map(move |first| {
            let rows = first..end.min(first + at_once);
            Tile { chunk, targets: &tokens[rows.start + 1..rows.end + 1], rows }
        })
    })
}

/// Logits of a tile.
fn logits_of(subject: &Subject, states: &mut States, tile: &Tile<'_>, length: usize) -> Result<Rows, Failure> {
    let rows = states.read(tile.chunk * length + tile.rows.start, tile.rows.len())?;
    let weights = SourceRows(subject.weights());
    logits(&Cpu::default(), &subject.network.head, rows, &weights, &mut Nobody).map_err(pass::failure)
}

/// Scores one model, and keeps its log-probabilities if that is wanted.
pub(super) fn alone(
    subject: &Subject,
    mut states: States,
    samples: &Samples,
    spec: &EvaluationSpec,
    mut saving: Option<&mut Saving>,
    services: &Services<'_>,
) -> Result<Score, Failure> {
    let mut score = Score::new();
    for tile in tiles(samples, spec, rows_at_once(subject)) {
        begin(&tile, samples, services)?;
        let header = saving.as_ref().map(|saving| saving.header());
        let found = services.pool.install(|| {
            let logits = logits_of(subject, &mut states, &tile, samples.seqlen)?;
            let vocab = logits.columns;
            let pieces = logits.values.par_chunks(PIECE * vocab).zip(tile.targets.par_chunks(PIECE)).enumerate();
            let scored = pieces.map(|(piece, (logits, targets))| {
                let (mut score, first) = (Score::new(), tile.rows.start + piece * PIECE);
                score.add_rows(logits, vocab, targets, tile.chunk, first).map_err(unusable)?;
                let encoded = |(row, logits): (usize, &[f32])| -> Result<Option<EncodedRow>, Failure> {
                    let place = Place { chunk: tile.chunk, row: first + row };
                    header.map(|header| header.encode(logits, place)).transpose().map_err(not_storable)
                };
                let rows = logits.chunks_exact(vocab).enumerate().map(encoded);
                Ok((score, rows.collect::<Result<Vec<_>, _>>()?))
            });
            scored.collect::<Result<Vec<_>, Failure>>()
        })?;
        for (piece, rows) in found {
            score.append(piece);
            if let Some(saving) = &mut saving {
                rows.iter().flatten().try_for_each(|row| saving.row(row))?;
            }
        }
    }
    Ok(score)
}

/// Scores a model against log-probabilities of its original, as far as there are samples.
pub(super) fn against_stored(
    subject: &Subject,
    mut states: States,
    samples: &Samples,
    stored: &mut StoredOriginal,
    services: &Services<'_>,
) -> Result<Comparison, Failure> {
    let mut comparison = Comparison::new();
    while let Some(rows) = stored.next_rows(rows_at_once(subject))? {
        let Some(tokens) = samples.iter().nth(rows.chunk) else { break };
        let range = rows.first_row..rows.first_row + rows.len();
        let tile = Tile { chunk: rows.chunk, targets: &tokens[range.start + 1..range.end + 1], rows: range };
        begin(&tile, samples, services)?;
        let base: Vec<StoredRow<'_>> = rows.rows().collect();
        let found = services.pool.install(|| {
            let logits = logits_of(subject, &mut states, &tile, samples.seqlen)?;
            let vocab = logits.columns;
            let pieces = base.par_chunks(PIECE).zip(logits.values.par_chunks(PIECE * vocab));
            let pieces = pieces.zip(tile.targets.par_chunks(PIECE)).enumerate();
            let compared = pieces.map(|(piece, ((base, logits), targets))| {
                let mut part = Comparison::new();
                let rows = base.iter().zip(logits.chunks_exact(vocab)).zip(targets).enumerate();
                for (row, ((base, logits), target)) in rows {
                    let place = Place { chunk: tile.chunk, row: tile.rows.start + piece * PIECE + row };
                    part.add(Reference::Stored(*base), logits, *target, place)?;
                }
                Ok(part)
            });
            compared.collect::<Result<Vec<_>, _>>().map_err(unusable)
        })?;
        found.into_iter().for_each(|piece| comparison.append(piece));
    }
    Ok(comparison)
}

/// Scores a model, the second, against its original, the first.
pub(super) fn compared(
    subjects: [&Subject; 2],
    mut states: [States; 2],
    samples: &Samples,
    spec: &EvaluationSpec,
    services: &Services<'_>,
) -> Result<Comparison, Failure> {
    let mut comparison = Comparison::new();
    for tile in tiles(samples, spec, rows_at_once(subjects[0])) {
        begin(&tile, samples, services)?;
        let found = services.pool.install(|| {
            let [base, other] = &mut states;
            let base = logits_of(subjects[0], base, &tile, samples.seqlen)?;
            let other = logits_of(subjects[1], other, &tile, samples.seqlen)?;
            let vocab = base.columns;
            let pieces = base.values.par_chunks(PIECE * vocab).zip(other.values.par_chunks(PIECE * vocab));
            let pieces = pieces.zip(tile.targets.par_chunks(PIECE)).enumerate();
            let compared = pieces.map(|(piece, ((base, other), targets))| {
                let mut part = Comparison::new();
                part.add_rows(base, other, vocab, targets, tile.chunk, tile.rows.start + piece * PIECE)?;
                Ok(part)
            });
            compared.collect::<Result<Vec<_>, _>>().map_err(unusable)
        })?;
        found.into_iter().for_each(|piece| comparison.append(piece));
    }
    Ok(comparison)
}

fn begin(tile: &Tile<'_>, samples: &Samples, services: &Services<'_>) -> Result<(), Failure> {
    if services.cancel.requested() {
        return Err(Failure::new(Class::Interrupted, "Stopped"));
    }
    if tile.rows.start == 0 || tile.chunk == 0 {
        let words = format!("Scoring chunk {} of {}", tile.chunk + 1, samples.report.samples);
        services.observer.event(Event::Detail(words));
    }
    Ok(())
}

fn unusable(error: MeasureError) -> Failure {
    Failure::new(Class::ValidationFailed, error.to_string())
        .suggest("A model whose logits are no numbers cannot be judged; check its weights with `llm-quantize info`")
}

fn not_storable(error: BaseLogitsError) -> Failure {
    Failure::new(Class::ValidationFailed, error.to_string())
        .suggest("A model whose logits are no numbers cannot be judged; check its weights with `llm-quantize info`")
}
