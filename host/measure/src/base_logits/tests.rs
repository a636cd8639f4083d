//! Files of log-probabilities: round trips, and every way in which one can be wrong.

use super::*;
use crate::Place;
use crate::softmax::LogSoftmax;
use proptest::prelude::*;

const HERE: Place = Place { chunk: 0, row: 0 };

fn written(context: u32, vocabulary: u32, rows: &[Vec<f32>], chunks: usize) -> Vec<u8> {
    let tokens: Vec<u32> = (0..context as usize * chunks).map(|at| at as u32 % vocabulary).collect();
    let mut writer = BaseLogitsWriter::create(Vec::new(), context, vocabulary, &tokens).unwrap();
    for row in rows {
        writer.row(row).unwrap();
    }
    writer.finish().unwrap()
}

/// Chunks of 5 tokens have rows 2 and 3; five tokens in the vocabulary, so rows are padded.
fn small() -> Vec<u8> {
    written(5, 5, &[vec![0.0, 1.0, 2.0, -30.0, 3.0], vec![1.0; 5], vec![9.0, 0.0, 0.0, 0.0, 0.0], vec![-1.0; 5]], 2)
}

fn read(bytes: &[u8]) -> Result<Vec<StoredRows>, BaseLogitsError> {
    let mut reader = BaseLogitsReader::open(bytes)?;
    let mut all = Vec::new();
    while let Some(rows) = reader.next_rows(usize::MAX)? {
        all.push(rows);
    }
    Ok(all)
}

fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = small();
    change(&mut bytes);
    read(&bytes).unwrap_err().to_string()
}

#[test]
fn sizes_and_places() {
    let bytes = small();
    assert_eq!(bytes.len(), 20 + 4 * 10 + 4 * (8 + 12));
    let header = BaseLogitsReader::open(&bytes[..]).unwrap().header().clone();
    assert_eq!((header.context, header.vocabulary, header.chunks, header.rows()), (5, 5, 2, 2..4));
    assert_eq!(header.file_bytes(), Some(bytes.len() as u64));
    assert_eq!(header.targets(1), Some(&[3, 4][..]));
    assert_eq!((header.chunk(2), header.targets(usize::MAX)), (None, None));
    let chunks = read(&bytes).unwrap();
    let places: Vec<_> = chunks.iter().map(|rows| (rows.chunk, rows.first_row, rows.len())).collect();
    assert_eq!(places, [(0, 2, 2), (1, 2, 2)]);
    let rows: Vec<_> = chunks[0].rows().collect();
    // 33 nats below the top is raised to 16 below it.
    let log_sum = LogSoftmax::of(&[0.0, 1.0, 2.0, -30.0, 3.0], HERE).unwrap().log_sum;
    assert!((rows[0].log_probability(3).unwrap() - (-16.0 - log_sum)).abs() < 1e-6);
    assert_eq!((rows[0].top(), rows[0].log_probability(5)), (Some(4), None));
    // All alike: no scale.
    assert!((rows[1].log_probability(4).unwrap() + 5f64.ln()).abs() < 1e-6);
    assert_eq!(rows[1].top(), Some(0));
}

#[test]
fn damaged_headers_are_refused() {
    assert!(refusal(|b| b[0] = b'-').contains("begins with [45, 108"));
    assert!(refusal(|b| b.truncate(6)).contains("ends within its header"));
    assert!(refusal(|b| b.truncate(17)).contains("ends within its header"));
    assert!(refusal(|b| b.truncate(33)).contains("ends within the text's tokens"));
    let set = |at: usize, value: i32| move |b: &mut Vec<u8>| b[at..at + 4].copy_from_slice(&value.to_le_bytes());
    assert!(refusal(set(8, 1)).contains("n_ctx is 1 "));
    assert!(refusal(set(8, -1)).contains("n_ctx is -1 "));
    assert!(refusal(set(12, 0)).contains("n_vocab is 0 "));
    assert!(refusal(set(12, i32::MAX)).contains("n_vocab is 2147483647 "));
    assert!(refusal(set(16, -3)).contains("n_chunk is -3 "));
    assert!(refusal(set(16, i32::MAX)).contains("n_chunk is 2147483647 "));
    // Promises 1.6 GB of tokens and has ten: memory is taken for ten.
    assert!(refusal(set(16, 80_000_000)).contains("ends within the text's tokens"));
    assert!(refusal(set(20 + 4 * 7, 5)).contains("token 7 of the text in the file of log-probabilities is 5"));
    assert!(refusal(set(20 + 4 * 7, -1)).contains("is -1; the file's vocabulary has 5 tokens"));
}

#[test]
fn damaged_rows_are_refused() {
    assert!(refusal(|b| b.truncate(b.len() - 1)).contains("ends within chunk 1, position 3; it promises 2 chunks"));
    assert!(refusal(|b| b.push(0)).contains("bytes follow the last of 2 chunks"));
    let set = |at: usize, value: f32| move |b: &mut Vec<u8>| b[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let second_row = 20 + 40 + 20;
    for (offset, value) in
        [(0, f32::NAN), (0, -1.0), (0, f32::INFINITY), (0, 1.0), (4, f32::NAN), (4, 0.5), (4, f32::NEG_INFINITY)]
    {
        let message = refusal(set(second_row + offset, value));
        assert!(message.starts_with("chunk 0, position 3 of the file of log-probabilities: scale"), "{message}");
    }
}

#[test]
fn writers_keep_their_promise() {
    let create = |tokens: &[u32]| BaseLogitsWriter::create(Vec::new(), 4, 3, tokens);
    assert!(create(&[0, 1, 2]).unwrap_err().to_string().contains("3 tokens are no whole number of chunks of 4"));
    assert!(create(&[0, 1, 2, 3]).unwrap_err().to_string().contains("token 3 of the text"));
    let mut writer = create(&[0; 4]).unwrap();
    assert!(writer.row(&[0.0; 4]).unwrap_err().to_string().contains("a row of 4 logits"));
    let error = writer.row(&[0.0, f32::NAN, 0.0]).unwrap_err().to_string();
    assert!(error.starts_with("chunk 0, position 2: the logit of token 1 is NaN"), "{error}");
    writer.row(&[f32::NEG_INFINITY, 0.0, 0.0]).unwrap();
    let error = writer.row(&[0.0; 3]).unwrap_err().to_string();
    assert!(error.contains("2 rows of log-probabilities were written, the header promises 1"), "{error}");
    assert!(writer.finish().is_ok());
    assert!(create(&[0; 4]).unwrap().finish().unwrap_err().to_string().contains("0 rows"));
    // Two tokens per chunk leave nothing to score.
    let empty = written(2, 7, &[], 3);
    assert!(read(&empty).unwrap().is_empty());
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        rows in (1u32..40).prop_flat_map(|vocabulary| {
            let logit = prop_oneof![8 => -40.0f32..40.0, 1 => Just(f32::NEG_INFINITY), 1 => any::<f32>().prop_filter("finite", |x| x.is_finite())];
            let row = prop::collection::vec(logit, vocabulary as usize).prop_filter("some token", |row| row.iter().any(|x| x.is_finite()));
            prop::collection::vec(row, 2)
        }),
    ) {
        let vocabulary = rows[0].len() as u32;
        // One row per chunk of three or four tokens.
        let bytes = written(3, vocabulary, &rows, 2);
        prop_assert_eq!(read(&bytes).unwrap().len(), 2);
        for (rows_read, logits) in read(&bytes).unwrap().iter().zip(&rows) {
            let stored = rows_read.rows().next().unwrap();
            let softmax = LogSoftmax::of(logits, HERE).unwrap();
            prop_assert_eq!(stored.vocabulary(), logits.len());
            for (found, logit) in stored.log_probabilities().zip(logits) {
                let expected = softmax.log_probability(*logit).max(-16.0 - softmax.log_sum);
                // Half a level, the rounding of two singles, and the rounding of large logits in single precision.
                let bound = 16.0 / 65535.0 / 2.0 + 4e-6 + 1e-7 * softmax.largest.abs().min(16.0 / 1e-7);
                prop_assert!((found - expected).abs() <= bound, "{} {} of {}", found, expected, logit);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300), header in any::<bool>()) {
        if header && bytes.len() >= 20 {
            bytes[..8].copy_from_slice(b"_logits_");
            for at in [8, 12, 16] {
                bytes[at + 1..at + 4].fill(0);
            }
        }
        let _ = read(&bytes);
    }
}
