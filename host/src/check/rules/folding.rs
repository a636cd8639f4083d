//! Scales of channels: a plan may say that it folds, and then gives for every unit only what can be folded, always the same.

use super::super::report::Rule;
use super::super::specimen::{Measured, Specimen};
use super::super::stage::{Performance, Services, Source, input};
use super::{Grade, Judge, keep};
use crate::fold::fault;
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::wire::{Fold, Request};

pub const USABLE: Rule = Rule {
    id: "fold.usable",
    sentence: "scales are for offered groups of their unit, each once, one for every channel, positive and finite",
};
pub const REPEATS: Rule = Rule {
    id: "fold.repeats",
    sentence: "a unit gets the same scales again, with any thread count and in a session of its own",
};

/// Asks about every unit of a specimen, in order and by one thread, then backwards by four, each unit in a new session.
pub fn judge(
    judge: &mut Judge,
    backend: &Backend,
    specimen: &Specimen,
    request: &(Request, Vec<Measured>),
    case: &str,
    performed: &Performance,
) {
    if !performed.plan.folds {
        return;
    }
    let mut given = Vec::new();
    judge.hold(USABLE, case, || {
        given = all(backend, specimen, request, 1, false)?;
        let faults = (0..).zip(&given).find_map(|(unit, folds)| {
            let reason = fault(&specimen.description, unit, folds)?;
            Some(format!("unit `{}`: {reason}", specimen.description.units[unit as usize].id))
        });
        match faults {
            Some(reason) => Err(reason),
            None => {
                let groups: usize = given.iter().map(Vec::len).sum();
                Ok(Grade::KeptWith(format!("{groups} of {} groups", specimen.description.smoothing.len())))
            }
        }
    });
    judge.hold(REPEATS, case, || {
        let again = all(backend, specimen, request, 4, true)?;
        let bits = |folds: &[Fold]| -> Vec<(u32, Vec<u32>)> {
            folds.iter().map(|fold| (fold.group, fold.scales.iter().map(|scale| scale.to_bits()).collect())).collect()
        };
        let other = given.iter().zip(&again).position(|(first, second)| bits(first) != bits(second));
        keep(other.is_none(), || {
            let unit = other.map_or("", |unit| specimen.description.units[unit].id.as_str());
            format!("unit `{unit}` gets other scales the second time")
        })
    });
}

/// The scales of every unit, in the order of units.
fn all(
    backend: &Backend,
    specimen: &Specimen,
    (request, measured): &(Request, Vec<Measured>),
    threads: u32,
    alone: bool,
) -> Result<Vec<Vec<Fold>>, String> {
    let (services, source) = (Services::new(threads), Source(specimen));
    let open = || backend.open_session(&services, &source, request).map_err(|error| error.message);
    let session = open()?;
    let units = specimen.description.units.len() as u32;
    let mut given = vec![Vec::new(); units as usize];
    let order: Vec<u32> = if alone { (0..units).rev().collect() } else { (0..units).collect() };
    for unit in order {
        // The host asks only about units that hold groups.
        if specimen.description.smoothing.iter().all(|group| group.unit != unit) {
            continue;
        }
        let handed = input(specimen, measured, unit);
        let folds =
            if alone { open()?.fold(&services, &source, &handed) } else { session.fold(&services, &source, &handed) };
        given[unit as usize] = folds.map_err(|error| error.message)?.folds;
    }
    Ok(given)
}
