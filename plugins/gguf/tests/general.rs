//! The `general.*` keys of the golden models against those of the reference converter.

mod support;

use llmq_gguf::metadata::{self, GeneralInputs, Parameters};
use llmq_gguf::value::{Array, KeyValue, Value};
use serde_json::{Value as Json, json};
use support::{models, shown};

#[test]
fn every_golden_model_gets_the_converters_keys_in_order() {
    for model in models() {
        let architecture = model.expected[0].2.as_str().unwrap().to_owned();
        let general = metadata::general(&GeneralInputs {
            architecture: &architecture,
            folder: &model.name,
            name: None,
            config: &model.config,
            generation_config: std::fs::read(model.tokenizer.join("generation_config.json")).ok().as_deref(),
            readme: None,
            parameters: model.parameters,
        });
        let mut got: Vec<_> = general.key_values.iter().map(shown).collect();
        got.push(shown(&metadata::quantization_version()));
        let expected = model.expected.iter().filter(|(key, ..)| key.starts_with("general."));
        let expected: Vec<_> = expected.filter(|(key, ..)| key != "general.file_type").cloned().collect();
        assert_eq!(got, expected, "{}", model.name);
    }
}

fn from_card(card: &str) -> Vec<KeyValue> {
    let general = metadata::general(&GeneralInputs {
        architecture: "llama",
        folder: "My-Model-7B",
        name: None,
        config: &Json::Null,
        generation_config: Some(br#"{"temperature": 0.5, "top_k": 20}"#),
        readme: Some(card.as_bytes()),
        parameters: Parameters { total: 7_000_000_000, shared: 7_000_000_000, ..Parameters::default() },
    });
    general.key_values
}

#[test]
fn a_model_card_fills_the_keys_in_the_converters_order() {
    let list = from_card(
        "---\nlicense: other\nlicense_name: my-terms\nbase_model:\n- org/Base-7B-v0.1\ndatasets:\n- a/some-data\n\
         pipeline_tag: text-generation\ntags: [chat]\nlanguage:\n- en\n- no\nmodel_creator: Jane\n---\n# My model\n",
    );
    let keys: Vec<_> = list.iter().map(|line| line.key.strip_prefix("general.").unwrap()).collect();
    let expected = [
        "architecture",
        "type",
        "sampling.top_k",
        "sampling.temp",
        "name",
        "author",
        "basename",
        "size_label",
        "license",
        "license.name",
        "base_model.count",
        "base_model.0.name",
        "base_model.0.version",
        "base_model.0.organization",
        "base_model.0.repo_url",
        "dataset.count",
        "dataset.0.name",
        "dataset.0.organization",
        "dataset.0.repo_url",
        "tags",
        "languages",
    ];
    assert_eq!(keys, expected);
    let value = |key: &str| &list.iter().find(|line| line.key == format!("general.{key}")).unwrap().value;
    assert_eq!(value("base_model.0.name"), &Value::from("Base 7B v0.1"));
    assert_eq!(value("tags"), &Value::Array(Array::String(vec![b"chat".to_vec(), b"text-generation".to_vec()])));
    assert_eq!(value("languages"), &Value::Array(Array::String(vec![b"en".to_vec(), b"no".to_vec()])));
}

#[test]
fn a_users_name_wins_over_the_card() {
    let general = metadata::general(&GeneralInputs {
        architecture: "llama",
        folder: "folder",
        name: Some("Mine"),
        config: &json!({"_name_or_path": "org/other-7B"}),
        generation_config: None,
        readme: Some(b"---\nname: Theirs\n---\n"),
        parameters: Parameters::default(),
    });
    assert!(general.key_values.contains(&KeyValue::new("general.name", "Mine")));
    assert!(general.key_values.contains(&KeyValue::new("general.organization", "Org")));
}
