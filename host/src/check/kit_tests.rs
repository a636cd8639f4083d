//! The kit itself: an honest backend passes, and every broken promise is caught by the rule that is about it.

use super::plain::{Fault, Plain};
use super::report::{Outcome, Report};
use super::run::check_on;
use super::specimen::Specimen;
use super::{RULES, check_backend};
use llmq_plugin_api::client::Backend;

fn check(fault: Fault) -> Report {
    check_backend(&Backend::in_process(Plain(fault)).unwrap(), None)
}

#[test]
fn an_honest_backend_passes() {
    let report = check(Fault::Nothing);
    assert!(report.passed(), "{:#?}", report.failures().collect::<Vec<_>>());
    // What an unlinked backend without options, statistics and side files cannot show is skipped, not passed.
    let skipped: Vec<&str> =
        report.verdicts.iter().filter(|v| v.outcome == Outcome::Skip).map(|v| v.rule.as_str()).collect();
    assert_eq!(skipped, ["describe.manifest", "describe.options", "read.tokenizer", "read.tokenizer"]);
}

#[test]
fn a_backend_that_folds_what_is_offered_passes() {
    let report = check(Fault::ScalesByOne);
    assert!(report.passed(), "{:#?}", report.failures().collect::<Vec<_>>());
    let figures: Vec<&str> =
        report.verdicts.iter().filter(|v| v.rule == "fold.usable").map(|v| v.reason.as_str()).collect();
    assert_eq!(figures, ["8 of 8 groups", "4 of 4 groups"]);
}

#[test]
fn every_broken_promise_is_caught_by_its_rule() {
    for (fault, rule) in [
        (Fault::SharesAnId, "describe.ids"),
        (Fault::AsksAllTheSame, "plan.alone"),
        (Fault::PlansAtRandom, "plan.repeats"),
        (Fault::ForgetsATensor, "plan.complete"),
        (Fault::LeavesAByte, "write.covers"),
        (Fault::WritesTwice, "write.covers"),
        (Fault::WritesForeignUnits, "write.covers"),
        (Fault::DependsOnThreads, "write.threads"),
        (Fault::DependsOnOrder, "write.order"),
        (Fault::DependsOnParts, "write.parts"),
        (Fault::PromisesFiniteWeights, "write.finite"),
        (Fault::KeepsMemory, "write.releases"),
        (Fault::LosesPrecision, "read.error"),
        (Fault::FeedsBackTheSource, "read.feedback"),
        (Fault::KnowsEverything, "read.recognises"),
        (Fault::FindsFaults, "read.valid"),
        (Fault::ReadsBeyond, "read.rows"),
        (Fault::ForgetsTheConfig, "read.config"),
        (Fault::MissesTheEnd, "hostile.truncated"),
        (Fault::PanicsOnNonsense, "hostile.truncated"),
        (Fault::NeverStops, "cancel.prompt"),
        (Fault::ScalesUnofferedGroups, "fold.usable"),
        (Fault::ScalesTwice, "fold.usable"),
        (Fault::ScalesTooFew, "fold.usable"),
        (Fault::ScalesByZero, "fold.usable"),
        (Fault::ScalesByNoNumber, "fold.usable"),
        (Fault::ScalesAtRandom, "fold.repeats"),
    ] {
        // The small specimen is enough for a known fault, and twenty times as fast.
        let backend = Backend::in_process(Plain(fault)).unwrap();
        let report = check_on(&[Specimen::odd()], &backend, None, &mut |_| {});
        let failed: Vec<&str> = report.failures().map(|v| v.rule.as_str()).collect();
        assert!(failed.contains(&rule), "{fault:?} should fail {rule}, failed: {failed:?}");
        assert!(report.failures().all(|v| !v.reason.is_empty()), "a failure of {fault:?} has no reason");
    }
}

/// The boundary refuses unknown words by the backend's own description, so a careless backend keeps these promises too.
#[test]
fn the_sdk_refuses_for_careless_backends() {
    for fault in [Fault::TakesAnyLevel, Fault::TakesAnyOption] {
        let report = check(fault);
        assert!(report.passed(), "{fault:?}: {:?}", report.failures().map(|v| &v.rule).collect::<Vec<_>>());
        for rule in ["refuse.level", "refuse.option"] {
            assert!(report.verdicts.iter().any(|v| v.rule == rule && v.outcome == Outcome::Pass), "{rule}");
        }
    }
}

#[test]
fn rules_have_ids_of_their_own() {
    let ids: std::collections::BTreeSet<&str> = RULES.iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), RULES.len());
    let report = check(Fault::Nothing);
    assert!(report.verdicts.iter().all(|v| ids.contains(v.rule.as_str())));
}
