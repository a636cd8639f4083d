//! Tokenizer files: any bytes as tokenizer.json or tokenizer.model give a vocabulary or an error.
#![no_main]

use llmq_gguf::vocab::{TokenizerFiles, VocabInputs, build};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let config = serde_json::json!({ "vocab_size": 300 });
    let json = TokenizerFiles { tokenizer_json: Some(bytes), ..TokenizerFiles::default() };
    let model = TokenizerFiles { tokenizer_model: Some(bytes), ..TokenizerFiles::default() };
    for files in [json, model] {
        let _ = build(&VocabInputs {
            files,
            class: "LlamaForCausalLM",
            config: &config,
            vocab_size: Some(300),
            pre: Some("llama-bpe"),
            encode: &|_, _| Ok(vec![0]),
            decode: &|_| Ok(String::new()),
        });
    }
});
