//! The importance weights of a plan file against those of the job that runs it.

use super::document::PlanFile;
use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::StatisticsOrigin;

/// Insists on weights where the plan was made with some; returns what to say where they are others, or are new.
pub fn check_importance(file: &PlanFile, given: Option<&StatisticsOrigin>) -> Result<Vec<String>, Failure> {
    let place = &file.place;
    match (&file.importance, given) {
        (None, None) => Ok(Vec::new()),
        (None, Some(_)) => Ok(vec![format!("{place} was made without importance weights; its types stay as they are")]),
        (Some(made), None) => {
            let files = made.files.join(", ");
            let message = format!("{place} was made with the importance weights of {files}, and none were given");
            Err(Failure::new(Class::InvalidArguments, message)
                .suggest("Give them with --imatrix FILE, or remove [importance] from the plan"))
        }
        (Some(made), Some(given)) if made.files == given.files && made.entries == given.entries => Ok(Vec::new()),
        (Some(made), Some(given)) => Ok(vec![format!(
            "{place} was made with the importance weights of {} ({} entries), these are of {} ({} entries)",
            made.files.join(", "),
            made.entries,
            given.files.join(", "),
            given.entries
        )]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_missed_and_others_are_told() {
        let head = "plan = 1\nformat = \"f\"\nlevel = \"L\"\n[model]\nname = \"m\"\narchitecture = \"A\"\n";
        let parse = |middle: &str| PlanFile::parse(&format!("{head}{middle}[tensors]\n"), "p").unwrap();
        let with = parse("[importance]\nfiles = [\"a.gguf\"]\nentries = 3\n");
        let origin = |file: &str| StatisticsOrigin { files: vec![file.into()], entries: 3, ..Default::default() };
        let refused = check_importance(&with, None).unwrap_err();
        assert!(refused.message.contains("the importance weights of a.gguf"), "{}", refused.message);
        assert_eq!(check_importance(&with, Some(&origin("a.gguf"))).unwrap(), Vec::<String>::new());
        assert!(check_importance(&with, Some(&origin("b.gguf"))).unwrap()[0].contains("these are of b.gguf"));
        assert!(check_importance(&parse(""), Some(&origin("b.gguf"))).unwrap()[0].contains("made without"));
        assert_eq!(check_importance(&parse(""), None).unwrap(), Vec::<String>::new());
    }
}
