//! `convert`: a job like that of `quantize`, whose input is quantized already: its level may follow from the input's, what it
//! loses a second time needs a yes, and what it lost in the end is measured.

use super::args::job::JobArgs;
use super::model_path::Place;
use super::quantize::{Asked, Backend, Quantization};
use super::run_job::{complete, odd};
use super::signals::{Stopping, Watch};
use super::{Narrator, Screen};
use crate::cancel::Cancel;
use crate::convert::{Conversion, Input, Matched, PlannedConversion, SecondLoss, matching};
use crate::failure::{Class, Failure};
use crate::hub::Extent;
use crate::job::{Checkpoints, Choice, Job, Weights, check_family};
use crate::plan_file;
use crate::plugins::{Catalogue, Search};
use crate::report;
use crate::stored;
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{FormatDescriptor, Level};
use serde_json::{Map, Value};
use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::sync::Arc;

/// A `convert` line as typed, with the plugin of its format.
pub struct Typed {
    /// The input.
    pub place: Place,
    /// The level, if one was named.
    pub level: Option<String>,
    /// Whether a second loss is fine.
    pub force: bool,
    /// Everything else about the job.
    pub job: JobArgs,
    /// The format's own options.
    pub options: Map<String, Value>,
    /// Who gives single tensors their types.
    pub choice: Choice,
    /// Who writes.
    pub backend: Backend,
    /// Where plugins are.
    pub search: Search,
    /// Those that were found.
    pub catalogue: Catalogue,
}

/// Runs a conversion, or shows its plan.
pub fn run(typed: Typed, screen: &Arc<Screen>) -> Result<(), Failure> {
    let Typed { place, level, force, job, options, choice, backend, search, catalogue } = typed;
    check_writable(&backend.format, &backend.loaded.id)?;
    job.save_plan.iter().try_for_each(|path| plan_file::check_place(path, job.overwrite))?;
    let cancel = Cancel::default();
    let watch = Watch::start(&cancel, screen, Stopping::Download)?;
    let narrator = Narrator::new(Arc::clone(screen));
    let reached = place.reach(Extent::Whole, &narrator, &cancel)?;
    let path = reached.path();
    let weights = open(path, &backend, &catalogue)?;
    let input = Input::of(path, weights.as_ref());
    tell_input(&input, screen);

    let (level, why) = match (level, &choice) {
        (Some(level), _) => (Some(level), None),
        (None, Choice::Planned(_)) => (None, None),
        (None, _) => {
            let Matched { level, why } = matched(&backend, &input, &job, &options)?;
            screen.step(&format!("Taking {why}"));
            (Some(level), Some(why))
        }
    };
    let asked = Asked { place: Place::Local(path.to_owned()), level, allow_requantize: true };
    let mut quantization = Quantization::meant(asked, job, options, choice, backend, search)?;
    quantization.take_statistics(&catalogue)?;
    quantization.warnings.iter().for_each(|warning| screen.warning(warning));
    let Quantization { mut spec, backend, dry_run, save_plan, report: file, .. } = quantization;
    spec.model = path.to_owned();
    watch.now(if spec.checkpoints == Checkpoints::Off { Stopping::Lost } else { Stopping::Resumable });
    let job = Job::open_source(&spec, |_| Ok(weights), &backend.loaded.backend, &narrator, &cancel)?;

    let second = SecondLoss::of(job.reencoded());
    if let Some(second) = &second {
        screen.warning(&second.warning());
    }
    if let Some(path) = &save_plan {
        plan_file::save(path, &job.plan_file()?, spec.overwrite)?;
    }
    if dry_run || save_plan.is_some() {
        let planned = PlannedConversion::new(job.plan_report(), input, why, second.as_ref());
        odd(&planned.plan, screen);
        screen.result(&planned, || report::plan(&planned.plan))?;
        save_plan.iter().for_each(|path| screen.step(&format!("Plan written: {}", path.display())));
        return Ok(());
    }
    if let Some(second) = second.as_ref().filter(|second| second.needs_a_yes() && !force) {
        agree(second, screen)?;
    }
    let done = job.measuring_loss().run()?;
    complete(&done, screen);
    file.iter().try_for_each(|file| file.write(&done))?;
    let done = Conversion::new(done, input, why, second.as_ref());
    screen.result(&done, || report::conversion(&done))
}

/// Formats that are only read are no targets.
fn check_writable(format: &FormatDescriptor, plugin: &str) -> Result<(), Failure> {
    if format.can_write {
        return Ok(());
    }
    let message = format!(
        "Nothing can be converted to `{}`: the plugin `{plugin}` reads this format and does not write it",
        format.id
    );
    let hint = "`llm-quantize plugins list` shows which formats can be written";
    Err(Failure::new(Class::UnsupportedConversion, message).suggest(hint))
}

/// The input; what no installed plugin understands, or the target cannot hold, is no conversion that exists.
fn open(path: &Path, backend: &Backend, catalogue: &Catalogue) -> Result<Box<dyn Weights>, Failure> {
    let unsupported = |failure: Failure| match failure.class {
        Class::InvalidArguments => Failure { class: Class::UnsupportedConversion, ..failure },
        _ => failure,
    };
    let weights = stored::open(path, &backend.format.id, catalogue).map_err(unsupported)?;
    check_family(&backend.format, weights.description())
        .map_err(|failure| Failure { class: Class::UnsupportedConversion, ..failure })?;
    Ok(weights)
}

fn tell_input(input: &Input, screen: &Screen) {
    let (words, bits) = (input.words(), input.bits_per_weight);
    screen.step(&match input.quantized {
        true => format!("Input: {words}, {bits:.2} bits per weight where it is quantized"),
        false => format!("Input: {words}, not quantized: this is what `quantize` does"),
    });
}

/// The level that fits the input. Levels count whose statistics are given, or are gathered without being asked for.
fn matched(backend: &Backend, input: &Input, job: &JobArgs, options: &Map<String, Value>) -> Result<Matched, Failure> {
    let format = &backend.format;
    let any = job.statistics.is_some() || !job.text.calibration_data.is_empty();
    let available = |level: &Level| {
        let level = &format.with_options(level, options);
        let only_squares = level.requires_statistics.iter().all(|kind| kind == StatisticKind::SumSquares.word());
        let without = level.requires_statistics.is_empty() || super::given::calibrates_by_itself(level);
        any || without || (only_squares && !job.imatrix.is_empty())
    };
    matching(format, input, available).ok_or_else(|| {
        let message = format!("No level of `{}` can be chosen for this input", format.id);
        let hint = format!("Name one with -q; `llm-quantize convert MODEL {} --help` lists them", format.id);
        Failure::new(Class::InvalidArguments, message).suggest(hint)
    })
}

/// Asks on a terminal. Anything but a yes, and any place where nobody can be asked, is a no.
fn agree(second: &SecondLoss, screen: &Screen) -> Result<(), Failure> {
    if screen.json() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(second.refusal(false));
    }
    screen.line("Convert all the same? [y/N]");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        true => Ok(()),
        false => Err(second.refusal(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_format_that_is_only_read_is_no_target() {
        let format = |can_write: bool| -> FormatDescriptor {
            let json = json!({"id": "old", "summary": "", "can_write": can_write, "can_read": true,
                "container": "file", "levels": []});
            serde_json::from_value(json).unwrap()
        };
        assert!(check_writable(&format(true), "p").is_ok());
        let failure = check_writable(&format(false), "p").unwrap_err();
        assert_eq!(failure.class.exit_code(), 8);
        assert!(failure.message.contains("`p` reads this format"), "{}", failure.message);
    }
}
