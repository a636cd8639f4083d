//! By how much the channels of a unit are scaled: the groups that the host names, each searched by itself.
//!
//! Groups do not disturb each other: dividing rows of one matrix and multiplying columns of another by scales changes for a
//! row only the size of its steps, so the order of the searches does not matter.

use super::AwqSession;
use super::fed_judge::FedJudge;
use super::figures::relative;
use super::group::{Magnitudes, sides};
use super::judge::Judge;
use super::norm::Norm;
use crate::choices::{Extent, Rounding};
use llmq_channel_scales::{Found, search};
use llmq_plugin_api::sdk::{Context, Error, Unit};
use llmq_plugin_api::wire::{Fold, Folds, SmoothingGroup, UnitReport};
use serde_json::{Value, json};

/// Searches all groups of a unit.
pub fn fold(session: &AwqSession, cx: &Context, unit: &Unit) -> Result<Folds, Error> {
    let mut folds = Folds::default();
    for (number, group) in session.smoothing.iter().enumerate() {
        if group.unit as usize != unit.index || session.choices.smooth == Extent::None {
            continue;
        }
        if session.choices.smooth == Extent::Auto && !group.caution.is_empty() {
            folds.report.figures.insert(group.name.clone(), json!({ "left_alone": group.caution }));
            continue;
        }
        let scales = one(session, cx, unit, group, &mut folds.report)?;
        folds.folds.extend(scales.map(|scales| Fold { group: number as u32, scales }));
    }
    Ok(folds)
}

/// The scales of one group, if there are any that serve it.
fn one(
    session: &AwqSession,
    cx: &Context,
    unit: &Unit,
    group: &SmoothingGroup,
    report: &mut UnitReport,
) -> Result<Option<Vec<f32>>, Error> {
    let sides = sides(unit, group, &session.layout, &session.choices)?;
    if sides.is_empty() {
        let why = "none of the matrices that read it is quantized and was reached by the calibration";
        report.figures.insert(group.name.clone(), json!({ "left_alone": why }));
        return Ok(None);
    }
    let magnitudes = Magnitudes::of(cx, unit, &sides, group.channels as usize)?;
    let norm = Norm::of(session, unit, group)?;
    let channels = magnitudes.channels();
    let fed = match session.choices.rounding {
        Rounding::Nearest => None,
        Rounding::Auto | Rounding::Feedback => FedJudge::new(cx, &sides, &norm)?,
    };
    let (found, exact) = match fed {
        Some(mut judge) => (search(&channels, &mut judge)?, judge.exact),
        None => {
            let mut judge = Judge::new(cx, &sides, &norm)?;
            (search(&channels, &mut judge)?, judge.exact)
        }
    };
    let at = exact.iter().map(|(size, losses)| (*size, losses.first().copied().unwrap_or_default()));
    let modules =
        sides.iter().zip(at).map(|(side, (size, before))| (side.linear.module.clone(), relative(before, size)));
    let size: f64 = exact.iter().map(|(size, _)| size).sum();
    let Found { best, before, after } = found;
    let member = best.as_ref().map(|(member, _)| member);
    let figures = json!({
        "scales": member.map_or("none", |member| member.family.word()),
        "ratio": member.map(|member| member.ratio),
        "relative_error_before": relative(before, size),
        "relative_error_after": relative(after, size),
        "matrices_before": Value::Object(modules.collect()),
    });
    report.figures.insert(group.name.clone(), figures);
    Ok(best.map(|(_, scales)| scales))
}
