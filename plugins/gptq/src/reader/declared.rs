//! What config.json and quantize_config.json declare, and whether they declare GPTQ at all.

use crate::choices::Zeros;
use crate::dynamic::BITS;
use crate::levels;
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use llmq_safetensors_folders::reading::{field, file, says};
use serde_json::Value;

const QUANTIZE: &str = "quantize_config.json";

/// The declarations of a folder.
#[derive(Debug)]
pub struct Declared {
    /// config.json without `quantization_config`.
    pub config: Value,
    /// The dictionary itself.
    pub quantization: Value,
    /// How zeros are stored.
    pub zeros: Zeros,
    /// Group size, if it is stated.
    pub group: Option<i64>,
}

/// Confidence, from the heads of files, that a folder is GPTQ.
pub fn confidence(files: &[MappedFile]) -> u32 {
    let says = |name: &str, words: &[&str]| says(files, name, words);
    if says("config.json", &[r#""quant_method":"gptq""#]) {
        return 95;
    }
    let other = says("config.json", &[r#""quant_method":"#]) || says(QUANTIZE, &[r#""quant_method":"awq""#]);
    if !other && says(QUANTIZE, &[r#""quant_method":"gptq""#, r#""desc_act":"#]) { 90 } else { 0 }
}

fn unreadable(message: String) -> Error {
    Error::new(Kind::UnsupportedOperation, message).hint("this reader knows checkpoint formats gptq and gptq_v2")
}

impl Declared {
    /// Reads both files.
    pub fn read(files: &[MappedFile]) -> Result<Declared, Error> {
        let json = |name: &str| -> Result<Value, Error> {
            serde_json::from_slice(file(files, name)?)
                .map_err(|e| Error::new(Kind::CorruptInput, format!("{name} is no JSON: {e}")).subject(name))
        };
        let mut config = json("config.json")?;
        let Value::Object(fields) = &mut config else {
            return Err(Error::new(Kind::CorruptInput, "config.json is not a JSON object").subject("config.json"));
        };
        let quantization = match fields.shift_remove("quantization_config").filter(|value| !value.is_null()) {
            Some(quantization) => quantization,
            None => json(QUANTIZE)?,
        };
        let word = |key: &str| field(&quantization, key).and_then(Value::as_str);
        let method = word("quant_method").or(word("method")).unwrap_or("gptq");
        if method != "gptq" {
            return Err(unreadable(format!("the quantization method is `{method}`, not gptq")));
        }
        let marlin = field(&quantization, "is_marlin_format").and_then(Value::as_bool) == Some(true);
        let form = if marlin { "marlin" } else { word("checkpoint_format").or(word("format")).unwrap_or("gptq") };
        let zeros = [Zeros::LessOne, Zeros::AsTheyAre].into_iter().find(|zeros| zeros.word() == form);
        let zeros = zeros.ok_or_else(|| unreadable(format!("the checkpoint format is `{form}`")))?;
        if let Some(packed) = word("pack_dtype").filter(|word| *word != "int32") {
            return Err(unreadable(format!("codes are packed into `{packed}`, not int32")));
        }
        let group = field(&quantization, "group_size").and_then(Value::as_i64);
        Ok(Declared { config, quantization, zeros, group })
    }

    /// The level of these declarations, empty if there is none.
    pub fn level(&self) -> String {
        let bits = field(&self.quantization, "bits").and_then(Value::as_u64);
        let Some(bits) = bits.filter(|bits| BITS.iter().any(|known| u64::from(*known) == *bits)) else {
            return String::new();
        };
        let symmetric = field(&self.quantization, "sym").and_then(Value::as_bool);
        let word = if symmetric == Some(false) { "asym" } else { "sym" };
        let full = format!("{bits}bit-g{}-{word}", self.group.unwrap_or(-1));
        if levels::said(&full).is_some() { full } else { format!("{bits}bit") }
    }
}
