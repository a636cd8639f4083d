//! The promises of a backend, one file per topic, and the judge that records whether they were kept.

pub mod cancelling;
pub mod describing;
pub mod finite;
pub mod folding;
pub mod hostile;
pub mod planning;
pub mod reading;
pub mod refusing;
pub mod writing;

use super::report::{Outcome, Rule, Verdict};
use serde::{Deserialize, Serialize};

/// Every rule, in the order in which they are tried.
pub const RULES: &[Rule] = &[
    describing::IDS,
    describing::MANIFEST,
    describing::OPTIONS,
    describing::CONSTANT,
    refusing::LEVEL,
    refusing::OPTION,
    refusing::STATISTICS,
    planning::ALONE,
    writing::COMPLETES,
    planning::REPEATS,
    planning::COMPLETE,
    writing::COVERS,
    writing::THREADS,
    writing::ORDER,
    writing::PARTS,
    writing::RELEASES,
    finite::REFUSES,
    folding::USABLE,
    folding::REPEATS,
    reading::RECOGNISES,
    reading::VALID,
    reading::ERROR,
    reading::ROWS,
    reading::FEEDBACK,
    reading::CONFIG,
    reading::TOKENIZER,
    hostile::TRUNCATED,
    hostile::MUTATED,
    hostile::RANDOM,
    cancelling::CANCEL,
];

/// What a check tells while it runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// A rule is about to be tried; whatever crashes now, crashes in it.
    Starting {
        /// Id of the rule.
        rule: String,
        /// The promise.
        sentence: String,
        /// What it is tried on.
        case: String,
    },
    /// A rule was tried.
    Done(Verdict),
    /// The check came to its end.
    Finished {
        /// Plugin id.
        plugin: String,
        /// Plugin version.
        version: String,
    },
}

/// A promise that was not broken.
pub enum Grade {
    /// It was kept.
    Kept,
    /// It was kept, with a figure.
    KeptWith(String),
    /// It could not be tried.
    NotTried(String),
}

/// Records verdicts and tells them at once.
pub struct Judge<'a> {
    verdicts: Vec<Verdict>,
    tell: &'a mut dyn FnMut(&Line),
}

impl<'a> Judge<'a> {
    /// A judge that tells every line to `tell`.
    pub fn new(tell: &'a mut dyn FnMut(&Line)) -> Judge<'a> {
        Judge { verdicts: Vec::new(), tell }
    }

    /// Tries a rule; an error of `body` is the reason why it is broken.
    pub fn hold(&mut self, rule: Rule, case: &str, body: impl FnOnce() -> Result<Grade, String>) {
        let (id, sentence) = (rule.id.to_owned(), rule.sentence.to_owned());
        (self.tell)(&Line::Starting { rule: id.clone(), sentence: sentence.clone(), case: case.to_owned() });
        let (outcome, reason) = match body() {
            Ok(Grade::Kept) => (Outcome::Pass, String::new()),
            Ok(Grade::KeptWith(figure)) => (Outcome::Pass, figure),
            Ok(Grade::NotTried(reason)) => (Outcome::Skip, reason),
            Err(reason) => (Outcome::Fail, reason),
        };
        let verdict = Verdict { rule: id, sentence, case: case.to_owned(), outcome, reason };
        (self.tell)(&Line::Done(verdict.clone()));
        self.verdicts.push(verdict);
    }

    /// All verdicts.
    pub fn finish(self) -> Vec<Verdict> {
        self.verdicts
    }
}

/// Keeps a promise if `kept`, else breaks it with a reason.
pub fn keep(kept: bool, reason: impl FnOnce() -> String) -> Result<Grade, String> {
    if kept { Ok(Grade::Kept) } else { Err(reason()) }
}
