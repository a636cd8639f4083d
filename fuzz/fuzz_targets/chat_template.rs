//! Chat templates: any template gives text or an error, in time.
#![no_main]

use llmq_text::{ChatOptions, ChatTemplate, Date, Place};
use serde_json::json;

libfuzzer_sys::fuzz_target!(|source: &str| {
    let options = ChatOptions { template: None, date: Date::parse("2024-07-26") };
    let Ok(template) = ChatTemplate::new(source, vec![("bos_token".into(), "<s>".into())], &options) else { return };
    let messages = [
        json!({"role": "user", "content": "a question"}),
        json!({"role": "assistant", "content": [{"type": "text", "text": "an answer"}], "n": 1.5, "none": null}),
    ];
    let _ = template.render(&messages, &Place { file: "fuzzed".into(), row: 1, unit: "line" });
});
