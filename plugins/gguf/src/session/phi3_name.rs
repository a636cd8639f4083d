//! A name that makes llama.cpp refuse a file: under `phi3` or `phi-3` it looks four tokens up without asking whether
//! they are there.

use crate::value::{Array, KeyValue, Value};

/// Looked up by llama.cpp's vocabulary loader for Phi-3's sake (measured: `_Map_base::at`, and no model).
const LOOKED_UP: [&str; 4] = ["</s>", "<unk>", "<s>", "<|endoftext|>"];

/// What to tell the user, if the finished metadata name a model so and lack one of the tokens.
pub(super) fn warning(keys: &[KeyValue]) -> Option<String> {
    let value = |key: &str| keys.iter().find(|pair| pair.key == key).map(|pair| &pair.value);
    let Some(Value::String(name)) = value("general.name") else { return None };
    let lower = name.to_lowercase();
    if !lower.contains("phi3") && !lower.contains("phi-3") {
        return None;
    }
    let Some(Value::Array(Array::String(tokens))) = value("tokenizer.ggml.tokens") else { return None };
    let missing: Vec<&str> = LOOKED_UP
        .into_iter()
        .filter(|wanted| !tokens.iter().any(|token| token.as_slice() == wanted.as_bytes()))
        .collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!(
        "llama.cpp looks for the tokens {} in every model named like `{name}` and refuses this one, which lacks {}; choose \
         another name with --name",
        LOOKED_UP.join(" "),
        missing.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(name: &str, tokens: &[&str]) -> Vec<KeyValue> {
        let tokens = tokens.iter().map(|token| (*token).to_owned().into()).collect();
        vec![
            KeyValue::new("general.name", Value::String(name.into())),
            KeyValue::new("tokenizer.ggml.tokens", Value::Array(Array::String(tokens))),
        ]
    }

    #[test]
    fn only_such_a_name_without_such_a_token_is_warned_of() {
        assert_eq!(warning(&keys("My Phi-3 Mini", &LOOKED_UP)), None);
        assert_eq!(warning(&keys("Phi 3", &["<s>"])), None);
        let told = warning(&keys("My Phi-3 Mini", &["<s>", "</s>", "a"])).unwrap();
        assert!(told.contains("lacks <unk> <|endoftext|>") && told.contains("--name"), "{told}");
        assert!(warning(&keys("phi3", &["x"])).is_some());
    }
}
