//! `plan diff`: two plan files beside each other.

use super::Screen;
use super::args::plan::PlanCommand;
use crate::failure::{Class, Failure};
use crate::plan_file::{PlanDiff, PlanFile, check_types};
use crate::plugins::{Catalogue, Search, discover};
use crate::report;
use llmq_plugin_api::wire::FormatDescriptor;

/// Runs one of the commands.
pub fn run(command: &PlanCommand, search: &Search, screen: &Screen) -> Result<(), Failure> {
    let PlanCommand::Diff { before, after } = command;
    let (before, after) = (PlanFile::open(before)?, PlanFile::open(after)?);
    let catalogue = discover(search);
    let formats = (format(&catalogue, &before)?, format(&catalogue, &after)?);
    check_types(&before, &formats.0)?;
    check_types(&after, &formats.1)?;
    let diff = PlanDiff::new((&before, &formats.0), (&after, &formats.1));
    screen.result(&diff, || report::plan_diff(&diff))
}

/// What the plan's format says of its types, and so of their sizes.
fn format(catalogue: &Catalogue, file: &PlanFile) -> Result<FormatDescriptor, Failure> {
    let loaded = catalogue.for_format(&file.format, None)?.load()?;
    loaded.backend.descriptor().format(&file.format).cloned().ok_or_else(|| {
        let message =
            format!("The plugin `{}` does not describe the format `{}` of {}", loaded.id, file.format, file.place);
        Failure::new(Class::General, message).suggest("Reinstall or update the plugin")
    })
}
