//! `--tensor-type` and `--tensor-type-file`: who gets which type, in the order typed.

use crate::failure::{Class, Failure};
use crate::selector::{Rule, read_file};
use clap::{ArgMatches, Args};
use std::path::PathBuf;

/// Types of single tensors, as typed.
#[derive(Debug, Args)]
pub struct EncodingArgs {
    /// Give the tensors that SELECTOR selects a type of their own (repeatable, the first that selects a tensor decides).
    /// SELECTOR is a regular expression searched in the output's tensor names, or terms joined by `/`: role:attn_v,
    /// layers:0-3,last4, name:REGEX, source:REGEX (Hugging Face names)
    #[arg(long, value_name = "SELECTOR=TYPE", help_heading = "Types of tensors")]
    pub tensor_type: Vec<String>,
    /// Read such rules from a file, one or more per line, # for comments (repeatable)
    #[arg(long, value_name = "PATH", help_heading = "Types of tensors")]
    pub tensor_type_file: Vec<PathBuf>,
}

impl EncodingArgs {
    /// All rules. `matches` knows the order in which the two options were typed; without it, files come last.
    pub fn rules(&self, matches: Option<&ArgMatches>) -> Result<Vec<Rule>, Failure> {
        let places = |id: &str, count: usize| -> Vec<usize> {
            let known = matches.and_then(|m| m.try_contains_id(id).ok().filter(|known| *known).and(m.indices_of(id)));
            known.map_or_else(|| vec![usize::MAX; count], Iterator::collect)
        };
        let mut groups = Vec::new();
        for (text, place) in self.tensor_type.iter().zip(places("tensor_type", self.tensor_type.len())) {
            let rule = Rule::parse(text, "--tensor-type").map_err(|message| {
                Failure::new(Class::InvalidArguments, format!("--tensor-type: {message}"))
                    .suggest("For example --tensor-type attn_v=Q6_K, or --tensor-type role:ffn_down/layers:last4=Q6_K")
            })?;
            groups.push((place, vec![rule]));
        }
        for (path, place) in self.tensor_type_file.iter().zip(places("tensor_type_file", self.tensor_type_file.len())) {
            groups.push((place, read_file(path)?));
        }
        groups.sort_by_key(|(place, _)| *place);
        Ok(groups.into_iter().flat_map(|(_, rules)| rules).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::args::{Command, Typed};
    use clap::{CommandFactory, FromArgMatches};

    #[test]
    fn rules_keep_the_order_in_which_they_were_typed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("types");
        std::fs::write(&file, "b=Q5_K\nc=Q6_K").unwrap();
        let line = [
            "llm-quantize",
            "quantize",
            "m",
            "gguf",
            "-q",
            "Q4_0",
            "--tensor-type",
            "a=Q4_K",
            "--tensor-type-file",
            file.to_str().unwrap(),
            "--tensor-type",
            "d=Q8_0",
        ];
        let matches = Typed::command().try_get_matches_from(line).unwrap();
        let Command::Quantize(args) = Typed::from_arg_matches(&matches).unwrap().command else { panic!("quantize") };
        let rules = args.job.encodings.rules(matches.subcommand().map(|(_, matches)| matches)).unwrap();
        let texts: Vec<&str> = rules.iter().map(|rule| rule.text.as_str()).collect();
        assert_eq!(texts, ["a=Q4_K", "b=Q5_K", "c=Q6_K", "d=Q8_0"]);
    }
}
