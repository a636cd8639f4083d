//! Tokenizers of the committed models give transformers' tokens (`tokens.json`, made by `golden.py`).

use std::path::Path;

use llmq_text::{TextError, Tokenizer};
use serde_json::Value;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn tokens_equal_transformers() {
    let golden = std::fs::read_to_string(root().join("host/text/tests/tokens.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let models = golden["models"].as_object().unwrap();
    assert!(models.len() >= 10);
    let mut with_beginning = 0;
    for (folder, texts) in models {
        let tokenizer = Tokenizer::from_folder(&root().join(folder)).unwrap();
        let mut begins = true;
        for entry in texts.as_array().unwrap() {
            let text = entry["text"].as_str().unwrap();
            for (key, special) in [("with", true), ("without", false)] {
                let expected: Vec<u32> = serde_json::from_value(entry[key].clone()).unwrap();
                assert_eq!(tokenizer.encode(text, special).unwrap(), expected, "{folder} {key} {text:?}");
                begins &= !special || (tokenizer.bos().is_some() && expected.first().copied() == tokenizer.bos());
            }
            let plain = tokenizer.encode(text, false).unwrap();
            let (before, behind) = tokenizer.around();
            assert_eq!(tokenizer.encode(text, true).unwrap(), [before, &plain, behind].concat(), "{folder} {text:?}");
        }
        assert_eq!(tokenizer.bos().is_some(), begins, "{folder}");
        with_beginning += usize::from(begins);
    }
    assert!(with_beginning > 0 && with_beginning < models.len(), "both kinds are tried");
}

#[test]
fn a_folder_without_a_tokenizer_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Tokenizer::from_folder(folder.path()).unwrap_err();
    assert!(matches!(&error, TextError::Tokenizer { .. }) && error.to_string().contains("tokenizer.json"), "{error}");
    assert!(error.advice().contains("tokenizer.json"));
    std::fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    assert!(matches!(Tokenizer::from_folder(folder.path()), Err(TextError::Tokenizer { .. })));
}

#[test]
fn truncation_and_padding_of_the_file_are_off() {
    let json = std::fs::read(root().join("examples/tiny-model/tokenizer.json")).unwrap();
    let mut value: Value = serde_json::from_slice(&json).unwrap();
    value["truncation"] =
        serde_json::json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
    value["padding"] = serde_json::json!({
        "strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<|end_of_text|>"
    });
    let plain = Tokenizer::from_parts(&json, None, "plain").unwrap();
    let cut = Tokenizer::from_parts(&serde_json::to_vec(&value).unwrap(), None, "cut").unwrap();
    let text = "Once upon a time, there was a little house.";
    assert_eq!(plain.encode(text, true).unwrap(), cut.encode(text, true).unwrap());
}
