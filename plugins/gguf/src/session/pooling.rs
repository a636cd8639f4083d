//! How an encoder's token vectors become one vector: what sentence-transformers' folder says, as llama.cpp's number.

use crate::arch::Architecture;
use crate::value::KeyValue;
use llmq_plugin_api::sdk::{Error, Kind, Model};
use serde_json::Value as Json;

/// The configuration of the pooling step, at the place where sentence-transformers writes it.
const POOLING: &str = "1_Pooling/config.json";

/// The pooling key of an encoder, nothing for other architectures; without pooling a warning.
pub(super) fn pooling(
    arch: &Architecture,
    model: &Model,
    warnings: &mut Vec<String>,
) -> Result<Option<KeyValue>, Error> {
    if arch.name != "bert" {
        return Ok(None);
    }
    let modules = json(model, "modules.json")?;
    let is_pooling = |module: &&Json| module["type"].as_str().is_some_and(|kind| kind.ends_with("Pooling"));
    let Some(module) = modules.as_array().into_iter().flatten().find(is_pooling) else {
        warnings.push(
            "no modules.json says how token vectors become one; the file names no pooling, choose it when it is run"
                .to_owned(),
        );
        return Ok(None);
    };
    let path = module["path"].as_str().unwrap_or_default();
    if format!("{path}/config.json") != POOLING {
        let message = format!("modules.json has its pooling in `{path}`; only {POOLING} is read");
        return Err(Error::new(Kind::UnsupportedModel, message).subject("modules.json"));
    }
    let config = json(model, POOLING)?;
    let number = number(&config).ok_or_else(|| {
        let message = format!("{POOLING} asks for none of llama.cpp's ways of pooling (mean, cls, lasttoken)");
        Error::new(Kind::UnsupportedModel, message).subject(POOLING)
    })?;
    Ok(Some(KeyValue::new(format!("{}.pooling_type", arch.name), number)))
}

/// llama.cpp's number, in the order in which the reference looks.
fn number(config: &Json) -> Option<u32> {
    const FLAGS: [(&str, u32); 3] =
        [("pooling_mode_mean_tokens", 1), ("pooling_mode_cls_token", 2), ("pooling_mode_lasttoken", 3)];
    let flag = FLAGS.into_iter().find(|(flag, _)| config[*flag] == true).map(|(_, number)| number);
    flag.or_else(|| match config["pooling_mode"].as_str()? {
        "mean" => Some(1),
        "cls" => Some(2),
        "lasttoken" => Some(3),
        _ => None,
    })
}

/// A JSON file that may be absent; absent reads as null.
fn json(model: &Model, file: &str) -> Result<Json, Error> {
    let Some(bytes) = model.optional_file(file)? else { return Ok(Json::Null) };
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::new(Kind::CorruptInput, format!("{file} is not valid JSON: {error}")).subject(file))
}

#[cfg(test)]
mod tests {
    use super::number;
    use serde_json::json;

    #[test]
    fn both_spellings_are_read() {
        assert_eq!(number(&json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})), Some(2));
        assert_eq!(number(&json!({"pooling_mode": "lasttoken"})), Some(3));
        assert_eq!(number(&json!({"pooling_mode_max_tokens": true})), None);
    }
}
