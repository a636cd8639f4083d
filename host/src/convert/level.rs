//! Which level of the target a conversion takes when none is named.

use super::Input;
use llmq_plugin_api::wire::{FormatDescriptor, Level};

/// Levels this much further from the input than the closest one count as equally close, and the better known one is
/// taken: bits per weight are those of a typical model, and a 4-bit level should stay one (4.16 bits of GPTQ are Q4_K_M
/// and not IQ4_XS).
const AS_CLOSE: f64 = 0.75;

/// A level whose own bound on the relative error reaches this may lose a tensor altogether. It is for models that were
/// trained for it, or for those who ask for it.
const RUINOUS: f64 = 1.0;

/// The level that was chosen and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Level id.
    pub level: String,
    /// One sentence.
    pub why: String,
}

/// The level of a format that matches an input: its own level in its own format and its own dtype in any, else the one closest in bits per weight.
/// `available` tells whether the statistics that a level requires are there or can be gathered. `None` if no level is left.
pub fn matching(format: &FormatDescriptor, input: &Input, available: impl Fn(&Level) -> bool) -> Option<Matched> {
    let usable = |level: &&Level| !level.keeps_encodings && available(level);
    let same = input.format == format.id || !input.quantized;
    if let Some(own) = format.level(&input.level).filter(|level| same && usable(level)) {
        return Some(Matched { level: own.id.clone(), why: format!("level {}, the input's own", own.id) });
    }
    let distance = |level: &Level| (level.bits_per_weight - input.bits_per_weight).abs();
    let candidates = || format.levels.iter().filter(usable).filter(|level| level.max_relative_error < RUINOUS);
    let closest = candidates().map(distance).min_by(f64::total_cmp)?;
    let found = candidates().find(|level| distance(level) <= closest + AS_CLOSE)?;
    let why = format!(
        "level {}, the best known of those around the input's bits per weight ({:.2}; typically {:.2} in {})",
        found.id, input.bits_per_weight, found.bits_per_weight, found.id
    );
    Some(Matched { level: found.id.clone(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn format() -> FormatDescriptor {
        let level = |id: &str, bits: f64, error: f64, requires: &[&str]| {
            json!({"id": id, "bits_per_weight": bits, "summary": "", "requires_statistics": requires,
                "max_relative_error": error, "keeps_encodings": id == "KEEP"})
        };
        serde_json::from_value(json!({"id": "toy", "summary": "", "can_write": true, "can_read": true,
            "container": "file", "levels": [level("FOUR", 4.85, 0.1, &[]), level("EIGHT", 8.5, 0.01, &[]),
                level("FOUR_TOO", 4.3, 0.1, &[]), level("THREE", 3.5, 0.3, &[]), level("TERNARY", 2.06, 1.0, &[]),
                level("TWO", 2.1, 0.5, &["sum_squares"]), level("KEEP", 16.0, 0.0, &[]), level("HALF", 16.0, 0.0, &[])]}))
        .unwrap()
    }

    fn chosen(format_id: &str, level: &str, bits: f64, statistics: bool) -> String {
        let input = Input {
            path: "x".into(),
            format: format_id.into(),
            level: level.into(),
            bits_per_weight: bits,
            quantized: true,
        };
        matching(&format(), &input, |level| statistics || level.requires_statistics.is_empty()).unwrap().level
    }

    #[test]
    fn the_closest_bits_decide_and_the_better_known_level_wins_near_ties() {
        assert_eq!(chosen("other", "4bit", 4.16, false), "FOUR");
        assert_eq!(chosen("other", "4bit", 3.6, false), "FOUR_TOO");
        assert_eq!(chosen("other", "8bit", 8.2, false), "EIGHT");
        assert_eq!(chosen("other", "F16", 16.0, false), "HALF");
    }

    #[test]
    fn levels_that_ruin_or_lack_statistics_are_left_to_those_who_ask() {
        assert_eq!(chosen("other", "2bit", 2.1, false), "THREE");
        assert_eq!(chosen("other", "2bit", 2.1, true), "TWO");
    }

    #[test]
    fn within_a_format_the_input_s_own_level_stays() {
        assert_eq!(chosen("toy", "THREE", 8.5, false), "THREE");
        assert_eq!(chosen("toy", "unheard-of", 8.5, false), "EIGHT");
        assert_eq!(chosen("toy", "KEEP", 8.5, false), "EIGHT");
        let none = matching(&format(), &Input { format: "x".into(), ..input_of_nothing() }, |_| false);
        assert_eq!(none, None);
        let half = Input { level: "HALF".into(), ..input_of_nothing() };
        assert_eq!(matching(&format(), &half, |_| true).unwrap().why, "level HALF, the input's own");
    }

    fn input_of_nothing() -> Input {
        let (path, text) = (std::path::PathBuf::new(), String::new());
        Input { path, format: text.clone(), level: text, bits_per_weight: 4.0, quantized: false }
    }
}
