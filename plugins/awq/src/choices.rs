//! What a request means: level and options, typed and checked against each other.

use crate::levels::{self, BITS, USUAL_GROUP};
use crate::option_specs::{self, CANDIDATES, DAMP, POLISH};
use crate::target::Target;
use llmq_linear_grids::{Grid, Method};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{Request, Role};
use llmq_safetensors_folders::given::{Given, SHARD, bytes, invalid, unknown_word};

/// How much of something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Where it is known to do no harm.
    Auto,
    /// Everywhere.
    All,
    /// Nowhere.
    None,
}

/// How codes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// What costs less at the output.
    Auto,
    /// With error feedback, unless the nearest codes cost less.
    Feedback,
    /// The nearest codes.
    Nearest,
}

/// Everything that was chosen.
#[derive(Debug)]
pub struct Choices {
    /// Inputs that share a scale, -1 for all.
    pub group: i64,
    /// Whether zero is the middle code.
    pub symmetric: bool,
    /// Which channels may be scaled.
    pub smooth: Extent,
    /// Where largest weights may be cut off.
    pub clip: Extent,
    /// How codes are chosen.
    pub rounding: Rounding,
    /// Damping.
    pub damp: f32,
    /// Scales that are tried.
    pub candidates: usize,
    /// Rounds of refitting.
    pub polish: usize,
    /// Modules with one of these in their names stay.
    pub kept: Vec<String>,
    /// What will load the output.
    pub target: Target,
    /// Largest file of weights, in bytes.
    pub shard_bytes: u64,
}

fn extent(given: &Given, option: &str) -> Result<Extent, Error> {
    match given.text(option)? {
        None | Some("auto") => Ok(Extent::Auto),
        Some("all") => Ok(Extent::All),
        Some("none") => Ok(Extent::None),
        Some(other) => Err(unknown_word(option, other, "auto, all or none")),
    }
}

impl Choices {
    /// Reads a request.
    pub fn read(request: &Request) -> Result<Choices, Error> {
        let level = levels::said(&request.level).filter(|_| request.format == "awq").ok_or_else(|| {
            let message = format!("there is no level `{}` of format `{}`", request.level, request.format);
            let hint = "levels of awq are 4bit and names such as 4bit-g64-sym";
            Error::new(Kind::InvalidRequest, message).hint(hint)
        })?;
        let given = Given(request);
        given.only_known(&option_specs::all())?;
        let group = given.whole("group_size", i64::MIN, i64::MAX)?;
        let is_group = |group: &i64| *group == -1 || (*group > 0 && group % 8 == 0 && *group <= 1 << 20);
        if let Some(group) = group.filter(|group| !is_group(group)) {
            let message = format!("the option `group_size` is {group}; it must be a positive multiple of 8, or -1");
            return Err(invalid("group_size", message));
        }
        let symmetric = given.flag("sym")?;
        let agree = |option: &str, level_says: Option<String>, said: Option<String>| match (level_says, said) {
            (Some(level), Some(said)) if level != said => {
                let message = format!("the level `{}` has {option} {level}, the option says {said}", request.level);
                Err(invalid(option, message).hint("leave out the option, or name the level by its bits alone"))
            }
            _ => Ok(()),
        };
        agree("group_size", level.group.map(|g| g.to_string()), group.map(|g| g.to_string()))?;
        agree("sym", level.symmetric.map(|s| s.to_string()), symmetric.map(|s| s.to_string()))?;
        let rounding = match given.text("rounding")? {
            None | Some("auto") => Rounding::Auto,
            Some("feedback") => Rounding::Feedback,
            Some("nearest") => Rounding::Nearest,
            Some(other) => return Err(unknown_word("rounding", other, "auto, feedback or nearest")),
        };
        let word = given.text("target")?.unwrap_or("any");
        let target =
            Target::of(word).ok_or_else(|| unknown_word("target", word, "any, vllm, sglang or transformers"))?;
        let kept: Vec<String> =
            given.texts("modules_to_not_convert")?.into_iter().map(|text| text.trim().to_owned()).collect();
        if kept.iter().any(String::is_empty) {
            let message = "the option `modules_to_not_convert` has an empty text, which every module's name contains";
            return Err(invalid("modules_to_not_convert", message.into()));
        }
        Ok(Choices {
            group: group.or(level.group).unwrap_or(USUAL_GROUP),
            symmetric: symmetric.or(level.symmetric).unwrap_or(false),
            smooth: extent(&given, "smooth")?,
            clip: extent(&given, "clip")?,
            rounding,
            damp: given.number("damp", DAMP.0, DAMP.1)?.unwrap_or(DAMP.2) as f32,
            candidates: given.whole("candidates", CANDIDATES.0, CANDIDATES.1)?.unwrap_or(CANDIDATES.2) as usize,
            polish: given.whole("polish", POLISH.0, POLISH.1)?.unwrap_or(POLISH.2) as usize,
            kept,
            target,
            shard_bytes: bytes(given.text("max_shard_size")?.unwrap_or(SHARD))?,
        })
    }

    /// Whether nothing is asked of a calibration.
    pub fn alone(&self) -> bool {
        (self.smooth, self.clip, self.rounding) == (Extent::None, Extent::None, Rounding::Nearest)
    }

    /// Whether a module stays as it is.
    pub fn keeps(&self, module: &str) -> bool {
        self.kept.iter().any(|text| module.contains(text.as_str()))
    }

    /// Whether largest weights of a matrix may be cut off. Queries and keys go through a softmax, where AWQ found that it
    /// does harm.
    pub fn clips(&self, role: &Role) -> bool {
        match self.clip {
            Extent::All => true,
            Extent::None => false,
            Extent::Auto => !matches!(role, Role::AttnQ | Role::AttnK | Role::AttnQkv),
        }
    }

    /// How a matrix with groups of so many inputs is rounded.
    pub fn method(&self, group: usize) -> Method {
        let grid = Grid::new(BITS, self.symmetric);
        let usual = Method::new(grid, group);
        Method { damp: self.damp, candidates: self.candidates, polish: self.polish, ..usual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_plugin_api::wire;
    use serde_json::{Value, json};

    fn read(level: &str, options: Value) -> Result<Choices, Error> {
        let document =
            json!({ "v": 1, "format": "awq", "level": level, "stem": "x", "device": "cpu", "options": options });
        Choices::read(&wire::decode("request", &document.to_string()).unwrap())
    }

    #[test]
    fn levels_and_options_agree_or_are_refused() {
        let settings = |level, options| read(level, options).map(|choices| (choices.group, choices.symmetric)).unwrap();
        assert_eq!(settings("4bit", json!({})), (128, false));
        assert_eq!(settings("4bit", json!({ "group_size": -1, "sym": true })), (-1, true));
        assert_eq!(settings("4bit-g64-sym", json!({ "group_size": 64 })), (64, true));
        let error = read("4bit-g64-sym", json!({ "group_size": 128 })).unwrap_err();
        assert_eq!(error.message, "the level `4bit-g64-sym` has group_size 64, the option says 128");
        assert!(read("4bit-g64-sym", json!({ "sym": false })).is_err());
    }

    #[test]
    fn names_that_contain_a_text_are_kept() {
        let choices = read("4bit", json!({ "modules_to_not_convert": ["layers.0.", "o_proj"] })).unwrap();
        assert!(choices.keeps("model.layers.0.mlp.up_proj") && choices.keeps("model.layers.10.self_attn.o_proj"));
        assert!(!choices.keeps("model.layers.10.mlp.up_proj"));
    }

    #[test]
    fn mistakes_are_refused() {
        for options in [
            json!({ "group_size": 12 }),
            json!({ "group_size": 0 }),
            json!({ "sym": "yes" }),
            json!({ "smooth": "some" }),
            json!({ "clip": true }),
            json!({ "rounding": "up" }),
            json!({ "target": "exllama" }),
            json!({ "damp": 2.0 }),
            json!({ "zip": 1 }),
            json!({ "modules_to_not_convert": [""] }),
        ] {
            assert_eq!(read("4bit", options.clone()).unwrap_err().kind, Kind::InvalidRequest, "{options}");
        }
        assert!(read("3bit", json!({})).is_err());
    }
}
