//! A file of rules, as llama-quantize's `--tensor-type-file` reads it: separated by blanks and line ends. A word that
//! starts with `#` begins a comment that lasts to the end of its line.

use super::grammar::Rule;
use crate::failure::{Class, Failure};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longest file accepted, in bytes: a rule for each of 100,000 tensors.
const MAX_FILE: u64 = 16 << 20;

/// The rules of a file in their order.
pub fn read_file(path: &Path) -> Result<Vec<Rule>, Failure> {
    let shown = path.display();
    let refuse = |message: String| Failure::new(Class::InvalidArguments, message);
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    read.map_err(|error| refuse(format!("The file of tensor types `{shown}` cannot be read: {error}")))?;
    if text.len() as u64 > MAX_FILE {
        return Err(refuse(format!("The file of tensor types `{shown}` is longer than {MAX_FILE} bytes")));
    }
    let rules = rules(&text, &shown.to_string()).map_err(|(line, message)| {
        refuse(format!("{shown}, line {line}: {message}"))
            .suggest("Each rule is SELECTOR=TYPE, for example attn_v=Q6_K or role:ffn_down/layers:last4=Q6_K")
    })?;
    if rules.is_empty() {
        return Err(refuse(format!("The file of tensor types `{shown}` holds no rule")));
    }
    Ok(rules)
}

/// The rules of a text; an error comes with its line.
fn rules(text: &str, file: &str) -> Result<Vec<Rule>, (usize, String)> {
    let mut rules = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
        for word in words {
            rules.push(Rule::parse(word, &format!("{file}, line {number}")).map_err(|message| (number, message))?);
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_stand_on_lines_or_beside_each_other() {
        let text = "# mine\nattn_v=Q6_K ffn_down=Q8_0 # not this=Q4_0\n\n\trole:attn_k=Q5_K\n";
        let found = rules(text, "f").unwrap();
        let shown: Vec<(&str, &str)> = found.iter().map(|rule| (rule.text.as_str(), rule.place.as_str())).collect();
        let expected =
            [("attn_v=Q6_K", "f, line 2"), ("ffn_down=Q8_0", "f, line 2"), ("role:attn_k=Q5_K", "f, line 4")];
        assert_eq!(shown, expected);
        assert_eq!(rules("a=b\nnonsense", "f").unwrap_err().0, 2);
    }

    #[test]
    fn unreadable_and_empty_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("types");
        assert!(read_file(&path).unwrap_err().message.contains("cannot be read"));
        std::fs::write(&path, "# nothing").unwrap();
        assert!(read_file(&path).unwrap_err().message.contains("holds no rule"));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read_file(&path).unwrap_err().message.contains("cannot be read"));
    }
}
