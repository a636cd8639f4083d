//! The text of a calibration that names none: WikiText-2 from the Hub, else the small text that every program carries.

use crate::cancel::Cancel;
use crate::evaluate::refused;
use crate::event::{Event, Observer};
use crate::failure::{Class, Failure};
use crate::hub::{HubId, Settings, fetch_file};
use llmq_text::{TextFile, TextOptions};
use llmq_text::{WIKITEXT_JOIN, WIKITEXT_REPOSITORY, WIKITEXT_TRAIN};
use std::path::PathBuf;

/// What WikiText-2 is called in results.
const NAME: &str = "WikiText-2 (train)";

/// What to do better. The choice of text decides what the calibrated model is good at.
const ADVICE: &str = "Results are better with text like that which the model will see: name it with --calibration-data";

/// A text that is at hand, with a remark that says which it is, and why.
///
/// # Errors
/// A stop by the user; a text that was fetched and cannot be read.
pub fn default_text(observer: &dyn Observer, cancel: &Cancel) -> Result<TextFile, Failure> {
    let reason = match wikitext(observer, cancel) {
        Ok(path) => {
            let options = TextOptions { join: Some(WIKITEXT_JOIN.to_owned()), ..TextOptions::default() };
            let remark = format!("No calibration text was given, so WikiText-2 from the Hub was used. {ADVICE}");
            return Ok(TextFile::open(&path, &options).map_err(refused)?.called(NAME).with_remark(remark));
        }
        Err(failure) if failure.class == Class::Interrupted => return Err(failure),
        Err(failure) => failure.message,
    };
    let remark = format!(
        "No calibration text was given, and WikiText-2 cannot be had from the Hub ({reason}), so a small bundled text \
         (about 90 kB: English prose, mathematics, documentation, code) was used. {ADVICE}"
    );
    Ok(llmq_text::bundled_text().with_remark(remark))
}

fn wikitext(observer: &dyn Observer, cancel: &Cancel) -> Result<PathBuf, Failure> {
    let unknown = || Failure::new(Class::General, format!("`{WIKITEXT_REPOSITORY}` is no name of a repository"));
    let id = HubId::parse(WIKITEXT_REPOSITORY).ok_or_else(unknown)?.of_dataset();
    observer.event(Event::Detail(format!("No calibration text was given; looking for {id}")));
    fetch_file(&id, WIKITEXT_TRAIN, &Settings::of_process()?, observer, cancel)
}
