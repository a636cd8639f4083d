//! Chat templates in the styles of the field give transformers' text and tokens (`chats.json`, made by `golden.py`).

use std::path::{Path, PathBuf};

use llmq_text::{ChatOptions, ChatTemplate, Date, Form, Packing, Place, TextError, TextFile, TextOptions, Tokenizer};
use serde_json::{Value, json};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(here(name)).unwrap()).unwrap()
}

fn tiny() -> Tokenizer {
    Tokenizer::from_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tiny-model")).unwrap()
}

fn specials() -> Vec<(String, String)> {
    [("bos_token", "<|begin_of_text|>"), ("eos_token", "<|end_of_text|>")].map(|(n, t)| (n.into(), t.into())).to_vec()
}

fn dated() -> ChatOptions {
    ChatOptions { template: None, date: Date::parse("2024-07-06") }
}

fn place() -> Place {
    Place { file: "chats.jsonl".into(), row: 1, unit: "line" }
}

fn render(source: &str, messages: &[Value], options: &ChatOptions) -> Result<String, TextError> {
    ChatTemplate::new(source, specials(), options)?.render(messages, &place())
}

#[test]
fn texts_and_tokens_equal_transformers() {
    let (golden, conversations, tokenizer) = (read("chats.json"), read("conversations.json"), tiny());
    let mut compared = [0, 0];
    for entry in golden["chats"].as_array().unwrap() {
        let name = entry["template"].as_str().unwrap();
        let source = std::fs::read_to_string(here("templates").join(name)).unwrap();
        let chat = conversations.as_array().unwrap().iter().find(|c| c["name"] == entry["chat"]).unwrap();
        let text = render(&source, chat["messages"].as_array().unwrap(), &dated());
        let what = format!("{name} {}", entry["chat"]);
        match entry["text"].as_str() {
            Some(expected) => {
                let text = text.unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(text, expected, "{what}");
                let ids: Vec<u32> = serde_json::from_value(entry["ids"].clone()).unwrap();
                assert_eq!(tokenizer.encode(&text, false).unwrap(), ids, "{what}");
                compared[0] += 1;
            }
            None => {
                let error = text.expect_err(&what);
                assert!(matches!(error, TextError::Chat { .. }), "{what}: {error}");
                compared[1] += 1;
            }
        }
    }
    assert_eq!(compared, [26, 4]);
}

#[test]
fn what_a_template_raises_is_told_with_the_place() {
    let source = std::fs::read_to_string(here("templates/mistral.jinja")).unwrap();
    let user = json!({"role": "user", "content": "a"});
    let error = render(&source, &[user.clone(), user], &dated()).unwrap_err().to_string();
    assert!(error.contains("line 1 of chats.jsonl") && error.contains("Roles must alternate"), "{error}");
}

#[test]
fn the_date_is_the_callers() {
    let source = std::fs::read_to_string(here("templates/llama3.jinja")).unwrap();
    let user = [json!({"role": "user", "content": "a"})];
    assert!(render(&source, &user, &dated()).unwrap().contains("Today Date: 06 Jul 2024"));
    // Without a date the template's own stands.
    assert!(render(&source, &user, &ChatOptions::default()).unwrap().contains("Today Date: 26 Jul 2024"));
    let error = render("{{ strftime_now('%Y') }}", &user, &ChatOptions::default()).unwrap_err();
    assert!(matches!(&error, TextError::ChatDate { .. }), "{error}");
    assert!(error.advice().contains("date"));
    let wrong = ChatOptions { date: Some(Date { year: 2023, month: 2, day: 29 }), template: None };
    assert!(matches!(render("", &user, &wrong), Err(TextError::ChatTemplate { .. })));
}

#[test]
fn hostile_templates_end() {
    let user = [json!({"role": "user", "content": "a"})];
    let run = |source: &str| render(source, &user, &ChatOptions::default());
    let nested = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    assert!(matches!(run(nested), Err(TextError::ChatLimit { .. })));
    let long = "{% set x = 'aaaaaaaaaa' * 100000 %}{% for a in range(99999) %}{{ x }}{% endfor %}";
    assert!(matches!(run(long), Err(TextError::ChatLimit { .. })));
    let captured =
        "{% set x = 'aaaaaaaaaa' * 100000 %}{% set y %}{% for a in range(99999) %}{{ x }}{% endfor %}{% endset %}";
    assert!(matches!(run(captured), Err(TextError::ChatLimit { .. })));
    let recursive = "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}";
    assert!(matches!(run(recursive), Err(TextError::Chat { .. })));
    let knot = "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns }}{{ [ns] | tojson }}";
    assert!(run(knot).is_err());
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000));
    assert!(matches!(run(&deep), Err(TextError::ChatTemplate { .. })));
    assert!(matches!(run(&" ".repeat(2 << 20)), Err(TextError::ChatTemplate { .. })));
    assert!(matches!(run("{% if %}"), Err(TextError::ChatTemplate { .. })));
}

#[test]
fn chats_of_a_file_become_samples() {
    let source = std::fs::read_to_string(here("templates/gemma.jinja")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tiny-model");
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(model.join(name), folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("chat_template.jinja"), source).unwrap();
    let conversations = read("conversations.json");
    let lines: String = conversations
        .as_array()
        .unwrap()
        .iter()
        .map(|c| json!({"messages": c["messages"]}).to_string() + "\n")
        .collect();
    let path = folder.path().join("chats.jsonl");
    std::fs::write(&path, lines).unwrap();
    let file = TextFile::open(&path, &TextOptions::default()).unwrap();
    assert_eq!(file.form(), Form::Jsonl);
    let expected: Vec<u32> = read("chats.json")["chats"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["template"] == "gemma.jinja")
        .flat_map(|c| serde_json::from_value::<Vec<u32>>(c["ids"].clone()).unwrap())
        .collect();
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    let samples = llmq_text::samples(std::slice::from_ref(&file), &tokenizer, &Packing::new(1)).unwrap();
    assert_eq!(samples.tokens, expected);
    // The same text for a model without a template.
    let error = llmq_text::samples(&[file], &tiny(), &Packing::new(1)).unwrap_err();
    assert!(matches!(&error, TextError::NoChatTemplate { place } if place.row == 1), "{error}");
}
