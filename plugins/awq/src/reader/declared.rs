//! What config.json and quant_config.json declare, and whether they declare AWQ at all.

use crate::levels::{self, BITS};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use llmq_safetensors_folders::reading::{field, file, says};
use serde_json::Value;

/// Where writers put it if not into config.json.
const OLDER: [&str; 2] = ["quant_config.json", "quantize_config.json"];

/// The declarations of a folder.
#[derive(Debug)]
pub struct Declared {
    /// config.json without `quantization_config`.
    pub config: Value,
    /// The dictionary itself.
    pub quantization: Value,
    /// Group size, if it is stated.
    pub group: Option<i64>,
    /// Whether zeros are chosen; if not, modules may lack them.
    pub zeros: bool,
}

/// Confidence, from the heads of files, that a folder is AWQ.
pub fn confidence(files: &[MappedFile]) -> u32 {
    if says(files, "config.json", &[r#""quant_method":"awq""#]) {
        return 95;
    }
    let other = says(files, "config.json", &[r#""quant_method":"#]);
    let older = says(files, OLDER[0], &[r#""w_bit":"#]) || says(files, OLDER[1], &[r#""quant_method":"awq""#]);
    if !other && older { 90 } else { 0 }
}

fn unreadable(message: String) -> Error {
    Error::new(Kind::UnsupportedOperation, message).hint("this reader knows AWQ's GEMM layout of 4 bits")
}

fn json(files: &[MappedFile], name: &str) -> Result<Value, Error> {
    serde_json::from_slice(file(files, name)?)
        .map_err(|e| Error::new(Kind::CorruptInput, format!("{name} is no JSON: {e}")).subject(name))
}

impl Declared {
    /// Reads the files.
    pub fn read(files: &[MappedFile]) -> Result<Declared, Error> {
        let mut config = json(files, "config.json")?;
        let Value::Object(fields) = &mut config else {
            return Err(Error::new(Kind::CorruptInput, "config.json is not a JSON object").subject("config.json"));
        };
        let quantization = match fields.shift_remove("quantization_config").filter(|value| !value.is_null()) {
            Some(quantization) => quantization,
            None => {
                let older = OLDER.into_iter().find(|name| files.iter().any(|file| file.name == *name));
                json(files, older.unwrap_or(OLDER[0]))?
            }
        };
        let word = |key: &str| field(&quantization, key).and_then(Value::as_str);
        let method = word("quant_method").or(word("method")).unwrap_or("awq");
        if method != "awq" {
            return Err(unreadable(format!("the quantization method is `{method}`, not awq")));
        }
        for key in ["version", "format", "checkpoint_format"] {
            if let Some(form) = word(key).filter(|form| !form.eq_ignore_ascii_case("gemm")) {
                return Err(unreadable(format!("the {key} is `{form}`")));
            }
        }
        if let Some(packed) = word("pack_dtype").filter(|word| *word != "int32") {
            return Err(unreadable(format!("codes are packed into `{packed}`, not int32")));
        }
        let number = |keys: [&str; 2]| keys.iter().find_map(|key| field(&quantization, key)?.as_i64());
        if let Some(bits) = number(["bits", "w_bit"]).filter(|bits| *bits != i64::from(BITS)) {
            return Err(unreadable(format!("codes have {bits} bits")));
        }
        let group = number(["group_size", "q_group_size"]);
        let zeros = field(&quantization, "zero_point").and_then(Value::as_bool).unwrap_or(true);
        Ok(Declared { config, quantization, group, zeros })
    }

    /// The level of these declarations.
    pub fn level(&self) -> String {
        // Files with zeros may be symmetric all the same; what they hold is then a case of this level.
        let word = if self.zeros { "asym" } else { "sym" };
        let full = format!("{BITS}bit-g{}-{word}", self.group.unwrap_or(-1));
        if levels::said(&full).is_some() { full } else { format!("{BITS}bit") }
    }
}
