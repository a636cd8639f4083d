//! Parquet files written by pyarrow are read; cut, changed and inflated ones end in errors.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use llmq_text::{Limits, Packing, TextError, TextFile, TextOptions, Tokenizer, samples};
use proptest::prelude::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    Tokenizer::from_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tiny-model")).unwrap()
});

fn text_of(file: TextFile) -> Result<String, TextError> {
    let packed = samples(&[file], &TOKENIZER, &Packing::new(1))?;
    TOKENIZER.decode(&packed.tokens)
}

fn options(field: &str) -> TextOptions {
    TextOptions { field: Some(field.into()), ..TextOptions::default() }
}

#[test]
fn columns_of_text() {
    for name in ["text-snappy.parquet", "text-zstd-v2.parquet"] {
        let file = TextFile::open(&data(name), &TextOptions::default()).unwrap();
        let packed = samples(std::slice::from_ref(&file), &TOKENIZER, &Packing::new(1)).unwrap();
        assert_eq!((packed.report.documents, packed.report.documents_empty), (2, 2), "{name}");
        assert_eq!(text_of(file).unwrap(), "First document.\nGrüße, 日本語 – the last one.", "{name}");
        // The same bytes from memory.
        let bytes = std::fs::read(data(name)).unwrap();
        let memory = TextFile::from_bytes(name, bytes, &TextOptions::default()).unwrap();
        assert_eq!(samples(&[memory], &TOKENIZER, &Packing::new(1)).unwrap().tokens, packed.tokens);
    }
    let raw = TextFile::open(&data("binary-plain.parquet"), &options("body")).unwrap();
    assert_eq!(text_of(raw).unwrap(), "rawbytes");
}

#[test]
fn columns_of_messages() {
    let folder = tempfile::tempdir().unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tiny-model");
    std::fs::copy(model.join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    let template = "{% for m in messages %}[{{ m.role }}|{{ m.content if m.content is defined else '-' }}]{% endfor %}";
    std::fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    let file = TextFile::open(&data("messages.parquet"), &TextOptions::default()).unwrap();
    let packed = samples(&[file], &tokenizer, &Packing::new(1)).unwrap();
    let text = tokenizer.decode(&packed.tokens).unwrap();
    assert_eq!(text, "[user|Hello?][assistant|Hi.][user|One][assistant|-]");
}

#[test]
fn what_cannot_be_read_is_named() {
    let open = |name: &str, options: &TextOptions| text_of(TextFile::open(&data(name), options).unwrap()).unwrap_err();
    let error = open("binary-gzip.parquet", &options("body"));
    assert!(matches!(error, TextError::Parquet { .. }), "{error}");
    assert!(error.advice().contains("snappy"));
    let error = open("text-snappy.parquet", &options("story")).to_string();
    assert!(error.contains("story") && error.contains("id, text"), "{error}");
    let error = open("binary-plain.parquet", &TextOptions::default()).to_string();
    assert!(error.contains("has no field text, messages") && error.contains("body"), "{error}");
    let small = Limits { parquet_page_bytes: 10, ..Limits::default() };
    let error = open("text-snappy.parquet", &TextOptions { limits: small, ..TextOptions::default() });
    assert!(matches!(error, TextError::ParquetTooLarge { limit: 10, .. }), "{error}");
    let small = Limits { parquet_footer_bytes: 10, ..Limits::default() };
    let error = open("text-snappy.parquet", &TextOptions { limits: small, ..TextOptions::default() });
    assert!(matches!(error, TextError::ParquetTooLarge { limit: 10, .. }), "{error}");
    let small = Limits { document_bytes: 20, ..Limits::default() };
    let error = open("text-snappy.parquet", &TextOptions { limits: small, ..TextOptions::default() }).to_string();
    assert!(error.contains("row 4"), "{error}");
}

#[test]
fn zstd_blocks_that_become_too_much_are_counted_before_they_are_unpacked() {
    // 2 MB of one letter in 454 bytes.
    let limits = Limits { parquet_page_bytes: 1 << 20, ..Limits::default() };
    let file = TextFile::open(&data("zstd-2mb.parquet"), &TextOptions { limits, ..TextOptions::default() }).unwrap();
    let error = text_of(file).unwrap_err();
    assert!(matches!(error, TextError::ParquetTooLarge { .. }), "{error}");
}

#[test]
fn cut_files_end_in_errors() {
    let bytes = std::fs::read(data("text-snappy.parquet")).unwrap();
    for cut in 0..bytes.len() {
        let file = TextFile::from_bytes("cut.parquet", &bytes[..cut], &TextOptions::default()).unwrap();
        assert!(text_of(file).is_err(), "{cut}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_files_end(which in 0usize..3, changes in proptest::collection::vec((0usize..1300, any::<u8>()), 1..6)) {
        let mut bytes = std::fs::read(data(["text-snappy.parquet", "text-zstd-v2.parquet", "messages.parquet"][which])).unwrap();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if let Ok(file) = TextFile::from_bytes("changed.parquet", bytes, &TextOptions::default()) {
            let _ = samples(&[file], &TOKENIZER, &Packing { samples: Some(1), ..Packing::new(1000) });
        }
    }
}
