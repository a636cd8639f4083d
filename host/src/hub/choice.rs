//! Which files of a repository a job needs. Everything else (other formats, programs) stays on the server; weights in
//! PyTorch's old format are asked for only where there are no safetensors.

use crate::failure::Failure;
use crate::model::{Container, WeightNames, is_side_file, weight_index, weight_names};
use std::collections::BTreeSet;
use std::path::Path;

/// Longest small file accepted, in bytes.
pub const MAX_SMALL: u64 = 256 << 20;

/// The small files among listed names: configuration, tokenizer, templates, texts, and the index of the shards.
pub fn small<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Vec<&'a str> {
    let index = index(names.clone());
    names.map(String::as_str).filter(|name| is_side_file(name) || Some(*name) == index).collect()
}

/// The index of the shards among listed names, if it is wanted.
pub fn index<'a>(names: impl Iterator<Item = &'a String>) -> Option<&'static str> {
    weight_index(&top(names))
}

/// The weight files among listed names, by the rules that opening the model follows. The index was fetched before, and
/// lies in `snapshot`.
pub fn weights<'a>(names: impl Iterator<Item = &'a String>, snapshot: &Path) -> Result<WeightNames, Failure> {
    Ok(weight_names(snapshot, &top(names), &mut Vec::new())?)
}

/// Whether the headers of weight files tell everything about their tensors but the numbers.
pub fn have_headers(weights: &WeightNames) -> bool {
    weights.container == Container::Safetensors
}

fn top<'a>(names: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    names.filter(|name| !name.contains('/')).cloned().collect()
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
        let chosen = weights(listed.iter(), nowhere).unwrap();
        assert_eq!(chosen.files, BTreeSet::from(["model.safetensors".to_owned()]));
        assert!(have_headers(&chosen));
    }

    #[test]
    fn the_old_format_only_without_safetensors() {
        let old = "config.json pytorch_model.bin pytorch_model.bin.index.json training_args.bin";
        let both = names(&format!("{old} model.safetensors"));
        assert_eq!(small(both.iter()), ["config.json"]);
        let old = names(old);
        assert_eq!(small(old.iter()), ["config.json", "pytorch_model.bin.index.json"]);
        let nowhere = Path::new("/nonexistent");
        let chosen = weights(names("pytorch_model.bin training_args.bin").iter(), nowhere).unwrap();
        assert_eq!(chosen.files, BTreeSet::from(["pytorch_model.bin".to_owned()]));
        assert!(!have_headers(&chosen));
    }

    #[test]
    fn shards_without_an_index_must_be_complete() {
        let nowhere = Path::new("/nonexistent");
        let listed =
            names("model-00001-of-00002.safetensors model-00002-of-00002.safetensors consolidated.safetensors");
        assert_eq!(weights(listed.iter(), nowhere).unwrap().files.len(), 2);
        assert!(weights(listed[1..].iter(), nowhere).is_err());
        assert_eq!(weights(names("model.gguf").iter(), nowhere).unwrap_err().class, Class::ModelNotFound);
    }
}
