//! Figures equal to those that numpy computes in double precision by the formulas of llama-perplexity.

use llmq_measure::base_logits::{BaseLogitsReader, BaseLogitsWriter};
use llmq_measure::{Comparison, ComparisonSummary, Counting, Place, Reference, Score};
use serde_json::Value;

const LOGITS: &[u8] = include_bytes!("golden/logits.f32");
const STORED: &[u8] = include_bytes!("golden/base.logits");

struct Golden {
    figures: Value,
    vocabulary: usize,
    tokens: Vec<u32>,
    base: Vec<f32>,
    other: Vec<f32>,
}

fn golden() -> Golden {
    let figures: Value = serde_json::from_str(include_str!("golden/figures.json")).unwrap();
    let tokens = figures["tokens"].as_array().unwrap().iter().map(|token| token.as_u64().unwrap() as u32).collect();
    let logits: Vec<f32> = LOGITS.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let (base, other) = logits.split_at(logits.len() / 2);
    let vocabulary = figures["vocabulary"].as_u64().unwrap() as usize;
    Golden { vocabulary, tokens, base: base.to_vec(), other: other.to_vec(), figures }
}

fn close(what: &str, found: f64, expected: &Value, relative: f64, absolute: f64) {
    let expected = expected.as_f64().unwrap();
    let distance = (found - expected).abs();
    assert!(distance <= relative * expected.abs() + absolute, "{what}: {found} in place of {expected}");
}

fn check(found: &ComparisonSummary, expected: &Value) {
    assert_eq!(found.positions as u64, expected["positions"].as_u64().unwrap());
    let found = serde_json::to_value(found).unwrap();
    let estimates = [
        "perplexity",
        "perplexity_base",
        "log_perplexity_ratio",
        "perplexity_ratio",
        "perplexity_difference",
        "mean_kld",
        "top1_agreement",
        "mean_delta_p",
        "rms_delta_p",
    ];
    for name in estimates {
        close(name, found[name]["value"].as_f64().unwrap(), &expected[name][0], 1e-12, 1e-14);
        // numpy's side takes small differences of large numbers, as the tool does.
        close(name, found[name]["error"].as_f64().unwrap(), &expected[name][1], 1e-9, 1e-14);
    }
    let name = "log_perplexity_correlation";
    close(name, found[name].as_f64().unwrap(), &expected[name], 1e-11, 0.0);
    for name in ["kld", "delta_p"] {
        let fractions = found[name].as_object().unwrap();
        assert_eq!(fractions.len(), 13);
        for ((at, found), expected) in fractions.iter().zip(expected[name].as_array().unwrap()) {
            close(&format!("{name} {at}"), found.as_f64().unwrap(), expected, 1e-12, 1e-14);
        }
    }
}

#[test]
fn two_models() {
    let golden = golden();
    let context = golden.tokens.len() / 2;
    let rows = Counting::SecondHalf.rows(context);
    let size = rows.len() * golden.vocabulary;
    let (mut comparison, mut score) = (Comparison::new(), Score::new());
    for (chunk, tokens) in golden.tokens.chunks(context).enumerate() {
        let targets = &tokens[rows.start + 1..rows.end + 1];
        let part = chunk * size..(chunk + 1) * size;
        let (base, other) = (&golden.base[part.clone()], &golden.other[part]);
        // As two threads would: each chunk by itself, joined in order.
        let mut of_chunk = Comparison::new();
        of_chunk.add_rows(base, other, golden.vocabulary, targets, chunk, rows.start).unwrap();
        comparison.append(of_chunk);
        score.add_rows(other, golden.vocabulary, targets, chunk, rows.start).unwrap();
    }
    let summary = comparison.summary().unwrap();
    check(&summary, &golden.figures["exact"]);
    assert_eq!(Some(summary.perplexity), score.perplexity(), "one model alone is scored alike");
    assert_eq!(summary.kld_histogram.counts.iter().sum::<u64>() + summary.kld_histogram.below, 130);
}

#[test]
fn a_model_against_a_file_of_log_probabilities() {
    let golden = golden();
    for most in [1, 7, usize::MAX] {
        let mut reader = BaseLogitsReader::open(STORED).unwrap();
        assert_eq!(reader.header().tokens, golden.tokens);
        assert_eq!(reader.header().file_bytes(), Some(STORED.len() as u64));
        let mut comparison = Comparison::new();
        let mut others = golden.other.chunks_exact(golden.vocabulary);
        while let Some(rows) = reader.next_rows(most).unwrap() {
            for (index, stored) in rows.rows().enumerate() {
                let row = rows.first_row + index;
                let target = reader.header().chunk(rows.chunk).unwrap()[row + 1];
                let place = Place { chunk: rows.chunk, row };
                comparison.add(Reference::Stored(stored), others.next().unwrap(), target, place).unwrap();
            }
        }
        assert!(others.next().is_none());
        check(&comparison.summary().unwrap(), &golden.figures["stored"]);
    }
}

#[test]
fn the_file_has_the_same_bytes() {
    let golden = golden();
    let mut writer = BaseLogitsWriter::create(Vec::new(), 131, 211, &golden.tokens).unwrap();
    for row in golden.base.chunks_exact(golden.vocabulary) {
        writer.row(row).unwrap();
    }
    let written = writer.finish().unwrap();
    assert_eq!(written.len(), STORED.len());
    let different = written.iter().zip(STORED).position(|(a, b)| a != b);
    assert_eq!(different, None, "first byte that differs");
}
