//! config.json: any JSON gives hyperparameters or an error.
#![no_main]

use llm_quantize::model::config::{
    Fields, class_and_family, read_attention_windows, read_hyperparameters, text_model_config,
};
use llm_quantize::model::family::Families;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(config) = serde_json::from_slice(bytes) else { return };
    let Ok(text) = text_model_config(&config) else { return };
    let Ok((_, family)) = class_and_family(&text, Families::default()) else { return };
    let fields = Fields::new(&text, family);
    if let Ok(parameters) = read_hyperparameters(&fields) {
        let _ = read_attention_windows(&fields, parameters.layers);
    }
});
