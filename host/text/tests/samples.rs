//! From files to samples: packing, shuffling, stopping early, reports, and what goes wrong.

use std::path::Path;

use llmq_text::{Heads, Limits, Packing, Samples, TextError, TextFile, TextOptions, Tokenizer, samples};
use sha2::{Digest, Sha256};

fn model(name: &str) -> Tokenizer {
    Tokenizer::from_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// Adds no special tokens.
fn plain() -> Tokenizer {
    model("examples/tiny-model")
}

/// Puts a beginning before every text.
fn beginning() -> Tokenizer {
    model("tests/models/mistral")
}

fn file(name: &str, text: &str) -> TextFile {
    TextFile::from_bytes(name, text, &TextOptions::default()).unwrap()
}

fn pack(files: &[TextFile], tokenizer: &Tokenizer, packing: Packing) -> Samples {
    samples(files, tokenizer, &packing).unwrap()
}

/// About 300 kB of text in which no two lines are the same.
fn long_text() -> String {
    (0..6000u64)
        .map(|i| {
            format!("Line {i}: the {}th word is {:x}, naïve 日本.\n\n", i * i, i.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        })
        .collect()
}

#[test]
fn documents_are_joined_in_order_and_cut() {
    for tokenizer in [plain(), beginning()] {
        let files = [
            file("a.jsonl", "{\"text\": \"One two three.\"}\n\"\"\n\"Four, five.\"\n"),
            file("b.txt", "Six\nseven.\n"),
        ];
        let all: Vec<u32> = ["One two three.", "Four, five.", "Six\nseven.\n"]
            .iter()
            .flat_map(|t| tokenizer.encode(t, true).unwrap())
            .collect();
        let packed = pack(&files, &tokenizer, Packing::new(4));
        assert_eq!(packed.tokens, all[..all.len() / 4 * 4]);
        assert_eq!(packed.iter().len(), all.len() / 4);
        let report = &packed.report;
        assert_eq!((report.samples, report.tokens_used), (all.len() / 4, packed.tokens.len()));
        assert_eq!(report.tokens_dropped, all.len() % 4);
        assert_eq!((report.documents, report.documents_empty, report.bos), (3, 1, tokenizer.bos()));
        assert_eq!(report.warnings, ["1 of 4 documents hold no text and were passed over."]);
        let words = std::iter::once(4u32).chain(packed.tokens.iter().copied());
        let digest = Sha256::digest(words.flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
        assert_eq!(report.digest, digest.iter().map(|b| format!("{b:02x}")).collect::<String>());
        assert_eq!(report.files.len(), 2);
        assert_eq!((report.files[1].bytes, report.files[1].documents, report.files[1].stopped_early), (11, 1, false));
    }
}

#[test]
fn reading_stops_when_there_is_enough() {
    let (text, tokenizer) = (long_text(), plain());
    assert!(text.len() > 300_000);
    let files = [file("a.txt", &text), file("b.txt", "never read")];
    let all = tokenizer.encode(&text, true).unwrap();
    let packed = pack(&files, &tokenizer, Packing { samples: Some(5), ..Packing::new(100) });
    assert_eq!(packed.tokens, all[..500]);
    assert!(packed.report.tokens_used + packed.report.tokens_dropped < all.len(), "the rest is not tokenized");
    assert_eq!(packed.report.files.len(), 1);
    let read = &packed.report.files[0];
    let whole = Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert!(read.stopped_early && read.sha256 == whole && read.bytes == text.len() as u64);
    assert!(packed.report.warnings.is_empty());
}

#[test]
fn long_texts_have_the_tokens_that_they_have_as_a_whole() {
    let text = long_text();
    for tokenizer in
        [plain(), beginning(), model("tests/models/qwen3"), model("tests/models/gpt2"), model("tests/models/gemma2")]
    {
        let all = tokenizer.encode(&text, true).unwrap();
        let packed = pack(&[file("a.txt", &text)], &tokenizer, Packing::new(1));
        assert!(packed.tokens == all, "{} tokens, {} as a whole", packed.tokens.len(), all.len());
    }
}

#[test]
fn heads_as_llama_cpp_has_them() {
    let (text, tokenizer) = ("One <s> two three four.\nFive six seven eight nine ten.\n\n", beginning());
    let bos = tokenizer.bos().unwrap();
    let files = [file("a.txt", text)];
    let like = pack(&files, &tokenizer, Packing { heads: Heads::LlamaCpp, ..Packing::new(8) });
    assert!(like.iter().all(|s| s[0] == bos) && like.report.samples >= 2);
    assert!(like.iter().all(|s| !s[1..].contains(&bos)), "a special token that the text spells out is text");
    // The first sample is the text's own beginning; one line break at the end is left out.
    let stream = pack(&[file("a.txt", &text.replace("<s>", "[s]"))], &tokenizer, Packing::new(1));
    let bracket = pack(
        &[file("a.txt", &text.replace("<s>", "[s]"))],
        &tokenizer,
        Packing { heads: Heads::LlamaCpp, ..Packing::new(1) },
    );
    assert_eq!(bracket.tokens.len() + 1, stream.tokens.len());
    // The plain stream takes the special token for one, as transformers does.
    let parsed = pack(&files, &tokenizer, Packing::new(1));
    assert_eq!(parsed.tokens, tokenizer.encode(text, true).unwrap());
    assert_eq!(parsed.tokens.iter().filter(|t| **t == bos).count(), 2);
    // A tokenizer that adds no beginning gets none.
    let none = pack(&files, &plain(), Packing { heads: Heads::LlamaCpp, ..Packing::new(8) });
    let mut expected = plain().encode(text.strip_suffix('\n').unwrap(), false).unwrap();
    expected.truncate(none.tokens.len());
    assert_eq!(none.tokens, expected);
}

#[test]
fn shuffles_draw_from_the_whole_text() {
    let (text, tokenizer) = (long_text(), plain());
    let files = [file("a.txt", &text)];
    let all = pack(&files, &tokenizer, Packing::new(64));
    let drawn = |seed, samples| pack(&files, &tokenizer, Packing { shuffle: Some(seed), samples, ..Packing::new(64) });
    let (ten, whole) = (drawn(42, Some(10)), drawn(42, None));
    assert_eq!(ten.tokens, whole.tokens[..640]);
    assert_eq!(ten.report.tokens_dropped, all.report.tokens_dropped + all.tokens.len() - 640);
    let mut sorted: Vec<&[u32]> = whole.iter().collect();
    let mut expected: Vec<&[u32]> = all.iter().collect();
    sorted.sort();
    expected.sort();
    assert!(sorted == expected && whole.tokens != all.tokens);
    assert_ne!(drawn(43, Some(10)).tokens, ten.tokens);
    assert_ne!(ten.report.digest, drawn(43, Some(10)).report.digest);
}

#[test]
fn rows_can_be_parts_of_one_document() {
    let tokenizer = beginning();
    let options = TextOptions { join: Some("\n\n".into()), ..TextOptions::default() };
    let rows = TextFile::from_bytes("a.json", r#"["One.", "", "Two."]"#, &options).unwrap();
    let packed = pack(&[rows], &tokenizer, Packing::new(1));
    assert_eq!(packed.tokens, tokenizer.encode("One.\n\n\n\nTwo.", true).unwrap());
    assert_eq!((packed.report.documents, packed.report.documents_empty), (1, 0));
}

#[test]
fn what_cannot_be_packed_is_an_error_with_figures() {
    let tokenizer = plain();
    let fail = |text: &str, packing: Packing| samples(&[file("a.txt", text)], &tokenizer, &packing).unwrap_err();
    let count = tokenizer.encode("One two.", false).unwrap().len();
    let error = fail("One two.", Packing::new(100));
    assert!(matches!(error, TextError::TooShort { tokens, seqlen: 100 } if tokens == count), "{error}");
    assert!(matches!(fail("", Packing::new(1)), TextError::TooShort { tokens: 0, .. }));
    assert!(matches!(fail("One", Packing::new(0)), TextError::Packing { .. }));
    assert!(matches!(fail("One", Packing { samples: Some(0), ..Packing::new(1) }), TextError::Packing { .. }));
    let many = Packing { samples: Some(usize::MAX), ..Packing::new(2048) };
    assert!(matches!(fail("One", many), TextError::Packing { .. }));
    assert!(matches!(samples(&[], &tokenizer, &Packing::new(1)), Err(TextError::Packing { .. })));
    let error = fail("One two.", Packing { rows: Some(3), ..Packing::new(1) });
    assert!(matches!(error, TextError::TokenOutOfRange { rows: 3, .. }), "{error}");
    let limits = Limits { tokens: 2, ..Limits::default() };
    let capped = TextFile::from_bytes("a.txt", "One two three four", &TextOptions { limits, ..TextOptions::default() });
    assert!(matches!(
        samples(&[capped.unwrap()], &tokenizer, &Packing::new(1)),
        Err(TextError::TooManyTokens { limit: 2 })
    ));
}

#[test]
fn fewer_samples_than_asked_for_and_marks_are_warnings() {
    let tokenizer = plain();
    let marked = file("a.txt", "\u{feff}One two three.").with_remark("A remark.");
    let packed = pack(&[marked], &tokenizer, Packing { samples: Some(100), ..Packing::new(2) });
    assert_eq!(packed.tokens, tokenizer.encode("One two three.", false).unwrap()[..packed.tokens.len()]);
    let warnings = packed.report.warnings.join(" ");
    for part in ["byte order mark", "A remark.", "and 100 were asked for"] {
        assert!(warnings.contains(part), "{warnings}");
    }
}

#[test]
fn files_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| TextFile::open(&folder.path().join(name), &TextOptions::default());
    assert!(matches!(open(""), Err(TextError::NotAFile { .. })));
    assert!(matches!(open("missing.txt"), Err(TextError::Io { .. })));
    std::fs::write(folder.path().join("a.txt.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    assert!(matches!(open("a.txt.gz"), Err(TextError::Compressed { kind: "gzip", .. })));
}
