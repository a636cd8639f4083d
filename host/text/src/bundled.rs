//! The text that stands in when no other is given.

use crate::{Form, TextFile};

/// What the text is and under which terms it is shipped.
pub const BUNDLED_LICENSE: &str = "Chapters I to III of William Morris, News from Nowhere (1890), and chapter II of \
    A. N. Whitehead, An Introduction to Mathematics (1911), both in the public domain; documentation and source code of \
    this project (MIT or Apache-2.0).";

/// The warning that a report on it carries.
const REMARK: &str = "No calibration text was given, so a small bundled text (about 90 kB: English prose, mathematics, \
    documentation, code) was used. Results are better with text like that which the model will see.";

/// A small text of prose, mathematics, documentation and code, the same in every build of a version. Every report on it
/// carries a warning that it was used.
pub fn bundled_text() -> TextFile {
    TextFile::of_static("the bundled text", include_bytes!("../bundled/sample.txt"), Form::Plain).with_remark(REMARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_it_says() {
        let file = bundled_text();
        let (bytes, sha256) = file.fingerprint().unwrap();
        assert!((50_000..150_000).contains(&bytes), "{bytes}");
        // A change of the text changes every result made with it, so it is a change that the changelog names.
        assert_eq!(sha256, "c7f5e1b37de343888fdcdbc48f38bf10316ceb48b0edfecda3d7a2302b819c18");
        assert!(file.remark().is_some_and(|r| r.contains("No calibration text was given")));
    }
}
