//! The merge rules of a byte-pair vocabulary, in GGUF's one-string form.

use serde_json::Value as Json;

use super::folder::Folder;
use super::{VocabError, inputs, limits};

/// Merges are separated by a space, so a space inside a piece is written as this letter (U+0120).
const SPACE_IN_PIECE: &str = "\u{120}";

/// Reads the merges of tokenizer.json, else of merges.txt.
pub(super) fn read(folder: &Folder<'_>, warnings: &mut Vec<String>) -> Result<Vec<String>, VocabError> {
    let merges = match folder.tokenizer["model"]["merges"].as_array() {
        Some(merges) if !merges.is_empty() => from_json(merges)?,
        _ => match folder.files.merges_txt {
            Some(bytes) => from_text(inputs::text("merges.txt", bytes)?, warnings),
            None => Vec::new(),
        },
    };
    if merges.is_empty() {
        warnings.push("no merges found: llama.cpp will not be able to build words from bytes".to_owned());
    }
    Ok(merges)
}

fn from_json(merges: &[Json]) -> Result<Vec<String>, VocabError> {
    limits::check("the number of merges", merges.len() as u64, limits::TOKENS)?;
    let pair = |pair: &[Json]| match pair {
        [Json::String(left), Json::String(right)] => {
            Some(format!("{} {}", left.replace(' ', SPACE_IN_PIECE), right.replace(' ', SPACE_IN_PIECE)))
        }
        _ => None,
    };
    let joined = merges.iter().map(|merge| match merge {
        Json::String(text) => Some(text.clone()),
        Json::Array(parts) => pair(parts),
        _ => None,
    });
    joined
        .enumerate()
        .map(|(index, merge)| {
            merge.ok_or_else(|| VocabError::Malformed {
                file: "tokenizer.json",
                reason: format!("merge {index} is neither \"a b\" nor [\"a\", \"b\"]"),
            })
        })
        .collect()
}

fn from_text(text: &str, warnings: &mut Vec<String>) -> Vec<String> {
    let mut merges = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let parts: Vec<_> = line.split_whitespace().collect();
        match parts.as_slice() {
            [] => {}
            _ if index == 0 && line.trim_start().starts_with('#') => {}
            [left, right] => merges.push(format!("{left} {right}")),
            _ => warnings.push(format!("merges.txt, line {}: not two pieces; ignored", index + 1)),
        }
    }
    merges
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_json_merges_read_alike() {
        let strings = json!(["a b", "ab c"]);
        let pairs = json!([["a", "b"], ["ab", "c"]]);
        assert_eq!(from_json(strings.as_array().unwrap()).unwrap(), from_json(pairs.as_array().unwrap()).unwrap());
    }

    #[test]
    fn a_space_inside_a_piece_does_not_look_like_the_separator() {
        let merges = json!([["a b", "c"]]);
        assert_eq!(from_json(merges.as_array().unwrap()).unwrap(), ["a\u{120}b c"]);
    }

    #[test]
    fn a_merge_of_three_is_an_error_with_its_number() {
        let merges = json!(["a b", ["a", "b", "c"]]);
        let error = from_json(merges.as_array().unwrap()).unwrap_err();
        assert!(error.to_string().contains("merge 1"), "{error}");
    }

    #[test]
    fn the_header_of_merges_txt_is_skipped_and_bad_lines_are_reported() {
        let mut warnings = Vec::new();
        assert_eq!(from_text("#version: 0.2\na b\n\nx y z\n# c\n", &mut warnings), ["a b", "# c"]);
        assert_eq!(warnings.len(), 1);
    }
}
