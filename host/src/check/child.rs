//! A check in a child process: whatever the backend does to its process, the host lives to tell.

use super::report::{Outcome, Report, Verdict};
use super::rules::Line;
use super::run::check_and_tell;
use crate::child::{self, Ending};
use crate::failure::{Class, Failure};
use crate::plugins::{open_here, read_manifest};
use llmq_plugin_api::wire;
use std::path::Path;
use std::time::Duration;

/// Hidden command of the executable that runs [`check_main`].
pub const CHECK_VERB: &str = "__check-plugin";

/// Checks a plugin file in a child process, a run of `executable` ([`child::executable`] finds the usual one).
///
/// A file that cannot be a plugin is a failure; a plugin that cannot be loaded, crashes or hangs gives a report with a
/// failed verdict for the rule that was being tried. The caller checks trust first: this runs the file's code.
pub fn check_file(file: &Path, executable: &Path, limit: Duration) -> Result<Report, Failure> {
    let shown = file.display();
    let manifest = read_manifest(file)
        .map_err(|e| Failure::new(Class::InvalidArguments, format!("{shown} is not a usable plugin: {e}")))?;
    let outcome = child::run(executable, CHECK_VERB, file, limit).map_err(|e| {
        Failure::new(Class::General, format!("{} could not be started as a child: {e}", executable.display()))
    })?;
    let lines = outcome.documents.iter().filter_map(|text| wire::decode::<Line>("check", text).ok());
    let mut report = Report { plugin: manifest.id, version: manifest.version, verdicts: Vec::new() };
    let mut trying = None;
    let mut finished = false;
    for line in lines {
        match line {
            Line::Starting { rule, sentence, case } => trying = Some((rule, sentence, case)),
            Line::Done(verdict) => {
                trying = None;
                report.verdicts.push(verdict);
            }
            Line::Finished { .. } => finished = true,
        }
    }
    if finished && outcome.ending == Ending::Code(0) {
        return Ok(report);
    }
    let (rule, sentence, case) = trying.unwrap_or_else(|| {
        let sentence =
            if finished { "the process ends cleanly after the last call" } else { "the plugin can be loaded" };
        (if finished { "end" } else { "load" }.into(), sentence.into(), report.plugin.clone())
    });
    let words = if outcome.last_words.is_empty() { String::new() } else { format!(": {}", outcome.last_words) };
    let reason = format!("the process did not survive it: {}{words}", outcome.ending);
    report.verdicts.push(Verdict { rule, sentence, case, outcome: Outcome::Fail, reason });
    Ok(report)
}

/// The child's side: loads the file into this very process, checks it, prints one line per step.
#[allow(clippy::print_stdout, clippy::print_stderr)] // the parent reads them there
pub fn check_main(file: &Path) -> i32 {
    child::forbid_core_files();
    let manifest = match read_manifest(file) {
        Ok(manifest) => manifest,
        Err(error) => {
            eprintln!("{error}");
            return 1;
        }
    };
    let loaded = match open_here(file) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("{error}");
            return 1;
        }
    };
    // A plugin may leave a line of its own unfinished: every document begins with a line of its own.
    let mut tell = |line: &Line| println!("\n{}", wire::encode(line));
    let report = check_and_tell(&loaded.backend, Some(&manifest), &mut tell);
    tell(&Line::Finished { plugin: report.plugin, version: report.version });
    0
}
