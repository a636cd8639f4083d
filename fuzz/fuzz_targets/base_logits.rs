//! Files of log-probabilities: any bytes give rows of the promised sizes and text, or an error.
#![no_main]

use llmq_measure::base_logits::BaseLogitsReader;
use llmq_measure::{Comparison, Place, Reference};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = BaseLogitsReader::open(bytes) else { return };
    let vocabulary = reader.header().vocabulary as usize;
    // Vocabularies of millions would only slow the search down.
    let logits = vec![0.5; vocabulary.min(1 << 12)];
    let mut comparison = Comparison::new();
    while let Ok(Some(rows)) = reader.next_rows(3) {
        assert!(rows.len() <= 3 && rows.rows().count() == rows.len());
        for (index, row) in rows.rows().enumerate() {
            assert_eq!(row.vocabulary(), vocabulary);
            let place = Place { chunk: rows.chunk, row: rows.first_row + index };
            let target = reader.header().chunk(place.chunk).expect("a chunk of the text")[place.row + 1];
            let _ = comparison.add(Reference::Stored(row), &logits, target, place);
        }
    }
    if let Some(summary) = comparison.summary() {
        assert!(summary.mean_kld.value.is_finite());
    }
});
