//! Whether an earlier job can go on, and which of its units still hold.

use super::checkpoint::{Folder, Identity};
use super::done::Done;
use super::journal::Line;
use super::partial::Partial;
use super::stop::Stop;
use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::ModelDescription;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::collections::BTreeMap;

/// How a job begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Beginning {
    /// From nothing.
    Fresh,
    /// From nothing although there was a checkpoint; the sentence says why.
    Over(String),
    /// Where an earlier run of the same job stopped.
    Continue,
}

/// Compares a job with the checkpoint of an earlier one.
///
/// The same job continues whether or not that was asked for: the result has the same bytes, and nobody starts a job
/// twice to throw hours of work away. Another job starts over, unless the checkpoint was demanded.
pub fn decide(folder: &Folder, now: &Identity) -> Result<Beginning, Failure> {
    let earlier = match folder.read_identity() {
        Ok(None) => return Ok(Beginning::Fresh),
        Ok(Some(earlier)) => earlier,
        Err(failure) if folder.demanded => return Err(failure),
        Err(failure) => return Ok(Beginning::Over(failure.message)),
    };
    let changes = now.changes_since(&earlier);
    if changes.is_empty() {
        return Ok(Beginning::Continue);
    }
    let changes = changes.join("; ");
    let path = folder.path.display();
    if folder.demanded {
        return Err(other_job(folder, &changes));
    }
    Ok(Beginning::Over(format!("the checkpoint `{path}` belongs to another job ({changes}); it is replaced")))
}

/// Refuses a demanded checkpoint of another job before the statistics of this one are gathered.
pub fn refuse_other(folder: &Folder, now: &Identity) -> Result<(), Failure> {
    if !folder.demanded {
        return Ok(());
    }
    let Some(earlier) = folder.read_identity()? else { return Ok(()) };
    let changes = now.clone().before_statistics().changes_since(&earlier.before_statistics());
    if changes.is_empty() { Ok(()) } else { Err(other_job(folder, &changes.join("; "))) }
}

fn other_job(folder: &Folder, changes: &str) -> Failure {
    let message = format!("the checkpoint `{}` belongs to another job: {changes}", folder.path.display());
    let hint = "Undo the change to go on, or leave --resume out to start from the beginning.";
    Failure::new(Class::Checkpoint, message).suggest(hint)
}

/// The journalled units whose bytes are still what the journal says, with what is kept of them.
pub fn holding_units(
    lines: Vec<Line>,
    model: &ModelDescription,
    partial: &Partial,
    pool: &rayon::ThreadPool,
) -> Result<BTreeMap<u32, Done>, Stop> {
    let index = |id: &str| model.units.iter().position(|u| u.id == id).map(|i| i as u32);
    let mut latest = BTreeMap::new();
    for line in lines {
        let Some(unit) = index(&line.unit) else {
            let message = format!("the journal names unit `{}`, which the model does not have", line.unit);
            return Err(Stop::resumable(Failure::new(Class::Checkpoint, message)));
        };
        latest.insert(unit, line);
    }
    let check = |(unit, line): (u32, Line)| {
        let (bytes, xxh3) = partial.checksum(unit)?;
        let done = Done { report: line.report, fed: line.fed };
        Ok((bytes == line.bytes && xxh3 == line.xxh3).then_some((unit, done)))
    };
    let checked: Result<Vec<_>, Stop> = pool.install(|| latest.into_par_iter().map(check).collect());
    Ok(checked?.into_iter().flatten().collect())
}
