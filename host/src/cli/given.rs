//! Which statistics a `quantize` line gives, and which of its options change nothing.

use super::args::calibration::CalibrationArgs;
use crate::calibrate::TextSpec;
use crate::failure::{Class, Failure};
use crate::job::Choice;
use crate::statistics;
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::{FormatDescriptor, Level, SeenByLaterLayers};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Statistics as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypedStatistics {
    /// Importance matrices, and which of their entries.
    Matrices(Vec<PathBuf>, Option<statistics::Choice>),
    /// A folder that `analyze` wrote.
    Folder(PathBuf),
    /// A text, of which these kinds are gathered, behind these layers.
    Text(TextSpec, Vec<StatisticKind>, SeenByLaterLayers),
}

/// The options that are about statistics.
pub struct Given {
    /// `--statistics`.
    pub folder: Option<PathBuf>,
    /// `--imatrix`, with `--include-weights` and `--exclude-weights`.
    pub matrices: (Vec<PathBuf>, Option<statistics::Choice>),
    /// `--calibration-*`.
    pub text: CalibrationArgs,
    /// `--later-layers-see`.
    pub later_layers_see: Option<SeenByLaterLayers>,
}

impl Given {
    /// Refuses files of statistics for layers that are to see quantized ones: they were gathered behind original layers.
    pub fn check(&self) -> Result<(), Failure> {
        let Some(seen) = self.later_layers_see.filter(|seen| !seen.is_original()) else { return Ok(()) };
        let file = match (&self.folder, self.matrices.0.as_slice()) {
            (Some(_), _) => "--statistics",
            (None, [_, ..]) => "--imatrix",
            (None, []) => return Ok(()),
        };
        let message = format!(
            "--later-layers-see {} cannot be had from {file}: those statistics were gathered behind original layers",
            seen.word()
        );
        Err(Failure::new(Class::InvalidArguments, message).suggest(format!(
            "Give a text with --calibration-data instead of {file}, or leave out --later-layers-see."
        )))
    }

    /// What it means for a level, and what has no effect. The arguments of the contract are accepted for every format,
    /// because scripts pass them so, and named where they change nothing, because silence would look like calibration.
    pub fn meant(
        self,
        format: &FormatDescriptor,
        level: &Level,
        options: &Map<String, Value>,
        choice: &Choice,
    ) -> (Option<TypedStatistics>, Vec<String>) {
        let level = &format.with_options(level, options);
        let (kinds, mut typed) = (wanted(format, level, options, choice), self.text.typed());
        typed.extend(self.later_layers_see.map(|_| "--later-layers-see"));
        let weights_alone = format!("{} {} is computed from the weights alone", format.id, level.id);
        let (statistics, why) = match (self.folder, self.matrices) {
            (Some(folder), _) => {
                let folder = Some(TypedStatistics::Folder(folder));
                let why = "--statistics gives the statistics".to_owned();
                if kinds.is_empty() {
                    let unused = [ineffective(&["--statistics"], &weights_alone), ineffective(&typed, &why)];
                    return (folder, unused.into_iter().flatten().collect());
                }
                (folder, why)
            }
            (None, (files, chosen)) if !files.is_empty() => {
                (Some(TypedStatistics::Matrices(files, chosen)), "--imatrix gives the statistics".to_owned())
            }
            _ if kinds.is_empty() => (None, weights_alone),
            _ if !self.text.calibration_data.is_empty() || calibrates_by_itself(level) => {
                let seen = self.later_layers_see.unwrap_or(level.later_layers_see);
                return (Some(TypedStatistics::Text(self.text.text(), kinds, seen)), Vec::new());
            }
            _ => (None, "there is no --calibration-data".to_owned()),
        };
        (statistics, ineffective(&typed, &why).into_iter().collect())
    }
}

/// Kinds of statistics that a job may look at: those of the level, or of any level where rules or a plan choose encodings.
fn wanted(
    format: &FormatDescriptor,
    level: &Level,
    options: &Map<String, Value>,
    choice: &Choice,
) -> Vec<StatisticKind> {
    let levels: Vec<Level> = match choice {
        Choice::Level => vec![level.clone()],
        Choice::Rules(_) | Choice::Planned(_) => {
            format.levels.iter().map(|level| format.with_options(level, options)).collect()
        }
    };
    let words = levels.iter().flat_map(|level| level.requires_statistics.iter().chain(&level.uses_statistics));
    let mut kinds = Vec::new();
    for kind in words.filter_map(|word| StatisticKind::from_word(word)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Whether a level is calibrated on whatever text is at hand. A level that needs no more than an importance matrix is not:
/// who asks for it has one, or a text.
pub(super) fn calibrates_by_itself(level: &Level) -> bool {
    level.requires_statistics.iter().any(|kind| kind != StatisticKind::SumSquares.word())
}

fn ineffective(typed: &[&str], why: &str) -> Option<String> {
    let (last, others) = typed.split_last()?;
    let (names, verb) = match others {
        [] => ((*last).to_owned(), "has"),
        others => (format!("{} and {last}", others.join(", ")), "have"),
    };
    Some(format!("{names} {verb} no effect: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn format() -> FormatDescriptor {
        let level = |id: &str, requires: &[&str], uses: &[&str]| {
            json!({"id": id, "bits_per_weight": 4.0, "summary": "", "requires_statistics": requires,
                "uses_statistics": uses, "max_relative_error": 0.1})
        };
        serde_json::from_value(
            json!({"id": "toy", "summary": "", "can_write": true, "can_read": true, "container": "file",
            "levels": [level("PLAIN", &[], &[]), level("USES", &[], &["sum_squares"]),
                level("IMPORTANT", &["sum_squares"], &[]), level("GRAM", &["gram"], &["sum_abs"])]}),
        )
        .unwrap()
    }

    fn meant(level: &str, data: bool, folder: bool, choice: &Choice) -> (Option<TypedStatistics>, Vec<String>) {
        let text = CalibrationArgs {
            calibration_data: if data { vec!["t.txt".into()] } else { Vec::new() },
            calibration_samples: Some(8),
            ..CalibrationArgs::default()
        };
        let given =
            Given { folder: folder.then(|| "s".into()), matrices: (Vec::new(), None), text, later_layers_see: None };
        let format = format();
        given.meant(&format, format.level(level).unwrap(), &Map::new(), choice)
    }

    fn kinds(meant: (Option<TypedStatistics>, Vec<String>)) -> Vec<StatisticKind> {
        match meant {
            (Some(TypedStatistics::Text(_, kinds, SeenByLaterLayers::Original)), unused) if unused.is_empty() => kinds,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_text_is_gone_through_for_what_the_level_looks_at() {
        let by_level = Choice::Level;
        assert_eq!(kinds(meant("USES", true, false, &by_level)), [StatisticKind::SumSquares]);
        // Without a text: a level that cannot be had otherwise takes the one at hand, others do not.
        let both = [StatisticKind::Gram, StatisticKind::SumAbs];
        assert_eq!(kinds(meant("GRAM", false, false, &by_level)), both);
        for level in ["USES", "IMPORTANT"] {
            let (statistics, unused) = meant(level, false, false, &by_level);
            assert_eq!(statistics, None);
            assert_eq!(unused, ["--calibration-samples has no effect: there is no --calibration-data"]);
        }
        // Rules may give a tensor what another level would give it.
        assert_eq!(kinds(meant("PLAIN", true, false, &Choice::Rules(Vec::new()))).len(), 3);
    }

    #[test]
    fn what_changes_nothing_is_named() {
        let (statistics, unused) = meant("PLAIN", true, false, &Choice::Level);
        assert_eq!(statistics, None);
        let words = "--calibration-data and --calibration-samples have no effect: ";
        assert_eq!(unused, [format!("{words}toy PLAIN is computed from the weights alone")]);
        let (statistics, unused) = meant("GRAM", true, true, &Choice::Level);
        assert_eq!(statistics, Some(TypedStatistics::Folder("s".into())));
        assert_eq!(unused, [format!("{words}--statistics gives the statistics")]);
        assert_eq!(meant("PLAIN", false, true, &Choice::Level).1.len(), 2);
    }

    #[test]
    fn what_later_layers_see_is_the_users_word_or_the_levels() {
        let given = |seen, folder: bool, matrix: bool| Given {
            folder: folder.then(|| "s".into()),
            matrices: (if matrix { vec!["m".into()] } else { Vec::new() }, None),
            text: CalibrationArgs::default(),
            later_layers_see: seen,
        };
        let mut format = format();
        let mut seen = |said: Option<SeenByLaterLayers>, level: SeenByLaterLayers| {
            format.levels[3].later_layers_see = level;
            match given(said, false, false).meant(&format, &format.levels[3], &Map::new(), &Choice::Level).0 {
                Some(TypedStatistics::Text(_, _, seen)) => seen,
                other => panic!("{other:?}"),
            }
        };
        let [original, whole, stages] = SeenByLaterLayers::ALL;
        assert_eq!([seen(None, original), seen(None, stages), seen(Some(whole), stages)], [original, stages, whole]);
        for (folder, matrix, word) in [(true, false, "--statistics"), (false, true, "--imatrix")] {
            let failure = given(Some(stages), folder, matrix).check().unwrap_err();
            assert!(failure.message.contains(word) && failure.message.contains("quantized-by-stage"), "{failure:?}");
            assert!(given(Some(original), folder, matrix).check().is_ok());
        }
        assert!(given(Some(stages), false, false).check().is_ok());
        let (_, unused) =
            given(Some(whole), false, false).meant(&format, &format.levels[0], &Map::new(), &Choice::Level);
        assert_eq!(unused, ["--later-layers-see has no effect: toy PLAIN is computed from the weights alone"]);
    }
}
