//! Verdicts of the conformance kit in words and as an object.

use super::{Align, Table};
use crate::check::{Outcome, Report};
use serde_json::{Value, json};

/// `plugins check` as an object.
pub fn check_object(report: &Report) -> Value {
    json!({
        "passed": report.passed(),
        "plugin": report.plugin,
        "version": report.version,
        "counts": {
            "pass": report.count(Outcome::Pass),
            "fail": report.count(Outcome::Fail),
            "skip": report.count(Outcome::Skip),
        },
        "verdicts": report.verdicts,
    })
}

/// `plugins check` in words: one line per verdict, the failures once more with their reasons at the end.
pub fn check(report: &Report) -> String {
    let mut table = Table::new(&[("", Align::Left), ("RULE", Align::Left), ("CASE", Align::Left), ("", Align::Left)]);
    for verdict in &report.verdicts {
        let (word, reason) = match verdict.outcome {
            Outcome::Pass => ("ok", verdict.reason.clone()),
            Outcome::Skip => ("skipped", verdict.reason.clone()),
            Outcome::Fail => ("FAILED", String::new()),
        };
        table.row([word.into(), verdict.rule.clone(), verdict.case.clone(), reason]);
    }
    let mut text = table.render();
    for failure in report.failures() {
        text.push_str(&format!(
            "\n{} ({}): {}\n  {}\n",
            failure.rule,
            failure.case,
            failure.sentence,
            failure.reason.replace('\n', "\n  ")
        ));
    }
    let [pass, fail, skip] = [Outcome::Pass, Outcome::Fail, Outcome::Skip].map(|outcome| report.count(outcome));
    let word = if report.passed() { "passes" } else { "FAILS" };
    let name = format!("{} {}", report.plugin, report.version);
    text.push_str(&format!("\n{name} {word}: {pass} kept, {fail} broken, {skip} skipped\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn failures_are_told_with_promise_and_reason() {
        let verdict = |rule: &str, outcome, reason: &str| Verdict {
            rule: rule.into(),
            sentence: "the promise".into(),
            case: "toy Q4".into(),
            outcome,
            reason: reason.into(),
        };
        let mut report = Report {
            plugin: "toy".into(),
            version: "1.0".into(),
            verdicts: vec![
                verdict("plan.sound", Outcome::Pass, ""),
                verdict("cancel.works", Outcome::Fail, "it went on"),
            ],
        };
        let text = check(&report);
        assert!(text.contains("FAILED  cancel.works  toy Q4"), "{text}");
        assert!(text.contains("cancel.works (toy Q4): the promise\n  it went on\n"), "{text}");
        assert!(text.ends_with("toy 1.0 FAILS: 1 kept, 1 broken, 0 skipped\n"), "{text}");
        assert_eq!(check_object(&report)["passed"], false);
        report.verdicts.pop();
        assert!(check(&report).ends_with("toy 1.0 passes: 1 kept, 0 broken, 0 skipped\n"));
    }
}
