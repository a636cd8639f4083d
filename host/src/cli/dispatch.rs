//! Runs what is meant, and says how it ended.

use super::{
    Meant, Narrator, Screen, Unparsed, analyze, convert, evaluate, imatrix, logging, plan, plugins, run_job, statistics,
};
use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::hub::Extent;
use crate::inspect::inspect;
use crate::plugins::discover;
use crate::report;
use std::sync::Arc;

/// Runs a command. Its result is on stdout when this returns, with the exit code that goes with it.
pub fn dispatch(meant: Meant, screen: &Arc<Screen>) -> Result<u8, Failure> {
    logging::start(screen);
    match meant {
        Meant::Quantize(quantization) => run_job::run(*quantization, screen).map(|()| 0),
        Meant::Convert(typed) => convert::run(*typed, screen).map(|()| 0),
        Meant::Info { model, tensors, search } => {
            let narrator = Narrator::new(Arc::clone(screen));
            let model = model.reach(Extent::Headers, &narrator, &Cancel::default())?;
            let inspection = inspect(model.path(), &discover(&search), tensors)?;
            screen.result(&inspection, || report::info(&inspection)).map(|()| 0)
        }
        Meant::Analyze { args, search } => analyze::run(*args, &search, screen).map(|()| 0),
        Meant::Evaluate { args, search } => evaluate::run(*args, &search, screen).map(|()| 0),
        Meant::Imatrix { command, search } => imatrix::run(command, &search, screen),
        Meant::Statistics { command, search } => statistics::run(command, &search, screen),
        Meant::Plan { command, search } => plan::run(&command, &search, screen).map(|()| 0),
        Meant::Plugins { command, search } => plugins::run(command, &search, screen),
    }
}

/// The exit code, after help text or the failure were shown. In JSON mode the failure's object is the one document on
/// stdout, so that a script finds either the result or the error in the same place; the sentence goes to stderr in
/// both modes.
pub fn conclude(outcome: Result<u8, Unparsed>, screen: &Screen) -> u8 {
    let outcome = outcome.or_else(|unparsed| match unparsed {
        Unparsed::Help(text) => screen.text(&text).map(|()| 0),
        Unparsed::Failure(failure) => Err(failure),
    });
    let failure = match outcome {
        Ok(code) => return code,
        Err(failure) => failure,
    };
    if screen.json() {
        // Nothing is left to tell it to if stdout is unusable as well.
        let _ = screen.result(&failure.object(), String::new);
    }
    screen.failure(&failure);
    failure.class.exit_code()
}
