//! Which files of a repository a job needs. Everything else (other formats, pickles, programs) stays on the server.

use crate::failure::Failure;
use crate::model::{WEIGHT_INDEX, is_side_file, weight_names};
use std::collections::BTreeSet;
use std::path::Path;

/// Longest small file accepted, in bytes.
pub const MAX_SMALL: u64 = 256 << 20;

/// The small files among listed names: configuration, tokenizer, templates, texts, and the index of the shards.
pub fn small<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    names.map(String::as_str).filter(|name| is_side_file(name) || *name == WEIGHT_INDEX).collect()
}

/// The weight files among listed names, by the rules that opening the model follows. The index was fetched before, and
/// lies in `snapshot`.
pub fn weights<'a>(names: impl Iterator<Item = &'a String>, snapshot: &Path) -> Result<BTreeSet<String>, Failure> {
    let top: BTreeSet<String> = names.filter(|name| !name.contains('/')).cloned().collect();
    Ok(weight_names(snapshot, &top, &mut Vec::new())?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    fn names(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn only_what_is_needed() {
        let listed = names(
            "config.json modeling_x.py tokenizer.json model.safetensors pytorch_model.bin model.gguf flax_model.msgpack \
             additional_chat_templates/tool.jinja additional_chat_templates/x.py onnx/model.onnx onnx/config.json \
             original/model.safetensors README.md .gitattributes",
        );
        let expected = ["config.json", "tokenizer.json", "additional_chat_templates/tool.jinja", "README.md"];
        assert_eq!(small(listed.iter()), expected);
        let nowhere = Path::new("/nonexistent");
        assert_eq!(weights(listed.iter(), nowhere).unwrap(), BTreeSet::from(["model.safetensors".to_owned()]));
    }

    #[test]
    fn shards_without_an_index_must_be_complete() {
        let nowhere = Path::new("/nonexistent");
        let listed =
            names("model-00001-of-00002.safetensors model-00002-of-00002.safetensors consolidated.safetensors");
        assert_eq!(weights(listed.iter(), nowhere).unwrap().len(), 2);
        assert!(weights(listed[1..].iter(), nowhere).is_err());
        assert_eq!(weights(names("model.gguf").iter(), nowhere).unwrap_err().class, Class::ModelNotFound);
    }
}
