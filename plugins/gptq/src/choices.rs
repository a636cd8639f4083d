//! What a request means: level and options, typed and checked against each other.

use crate::dynamic::{Action, Rules, is_group};
use crate::levels::{self, USUAL_GROUP};
use crate::option_specs::{self, CANDIDATES, DAMP, POLISH};
use crate::target::Target;
use llmq_linear_grids::{Grid, Method, Order};
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{Request, SeenByLaterLayers};
use llmq_safetensors_folders::given::{Given, SHARD, bytes, invalid, unknown_word};

/// Bits, groups and symmetry of one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bits of a code: 2, 3, 4 or 8.
    pub bits: u32,
    /// Inputs that share a scale, -1 for all.
    pub group: i64,
    /// Whether zero is the middle code.
    pub symmetric: bool,
}

impl Settings {
    /// Inputs that share a scale, for so many inputs.
    pub fn group_of(&self, columns: usize) -> usize {
        usize::try_from(self.group).unwrap_or(columns).min(columns.max(1))
    }
}

/// How zeros are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zeros {
    /// `gptq`: less one.
    LessOne,
    /// `gptq_v2`: as they are.
    AsTheyAre,
}

impl Zeros {
    /// The word of config files.
    pub fn word(self) -> &'static str {
        match self {
            Zeros::LessOne => "gptq",
            Zeros::AsTheyAre => "gptq_v2",
        }
    }
}

/// How codes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// With error feedback.
    Feedback,
    /// The nearest codes of steps that fit the weights.
    Nearest,
}

/// Everything that was chosen.
#[derive(Debug)]
pub struct Choices {
    /// Settings of modules that no rule names.
    pub settings: Settings,
    /// Rules for single modules.
    pub rules: Rules,
    /// How codes are chosen.
    pub rounding: Rounding,
    /// Order of rounding.
    pub order: Order,
    /// Damping.
    pub damp: f32,
    /// Scales that are tried.
    pub candidates: usize,
    /// Rounds of refitting.
    pub polish: Option<usize>,
    /// How zeros are stored, if it was said.
    pub zeros: Option<Zeros>,
    /// Whether the output head is quantized.
    pub lm_head: bool,
    /// What will load the output.
    pub target: Target,
    /// Largest file of weights, in bytes.
    pub shard_bytes: u64,
    /// Whether inputs come from stages that are quantized already, which config files call true sequential.
    pub by_stage: bool,
}

impl Choices {
    /// Reads a request.
    pub fn read(request: &Request) -> Result<Choices, Error> {
        let level = levels::said(&request.level).filter(|_| request.format == "gptq").ok_or_else(|| {
            let message = format!("there is no level `{}` of format `{}`", request.level, request.format);
            let hint = "levels of gptq are 4bit, 8bit, 3bit and 2bit, and names such as 4bit-g64-sym";
            Error::new(Kind::InvalidRequest, message).hint(hint)
        })?;
        let given = Given(request);
        given.only_known(&option_specs::all())?;
        let group = given.whole("group_size", i64::MIN, i64::MAX)?;
        if let Some(group) = group.filter(|group| !is_group(*group)) {
            let message = format!("the option `group_size` is {group}; it must be a positive multiple of 8, or -1");
            return Err(invalid("group_size", message));
        }
        let agree = |option: &str, level_says: Option<String>, said: Option<String>| match (level_says, said) {
            (Some(level), Some(said)) if level != said => {
                let message = format!("the level `{}` has {option} {level}, the option says {said}", request.level);
                Err(invalid(option, message).hint("leave out the option, or name the level by its bits alone"))
            }
            _ => Ok(()),
        };
        let symmetric = given.flag("sym")?;
        agree("group_size", level.group.map(|g| g.to_string()), group.map(|g| g.to_string()))?;
        agree("sym", level.symmetric.map(|s| s.to_string()), symmetric.map(|s| s.to_string()))?;
        let settings = Settings {
            bits: level.bits,
            group: group.or(level.group).unwrap_or(USUAL_GROUP),
            symmetric: symmetric.or(level.symmetric).unwrap_or(true),
        };
        let order = match given.text("act_order")? {
            None | Some("groups") => Order::WithinGroups,
            Some("none") => Order::Natural,
            Some("descending") => Order::Descending,
            Some(other) => return Err(unknown_word("act_order", other, "groups, none or descending")),
        };
        let rounding = match given.text("rounding")? {
            None | Some("feedback") => Rounding::Feedback,
            Some("nearest") => Rounding::Nearest,
            Some(other) => return Err(unknown_word("rounding", other, "feedback or nearest")),
        };
        // Runs of an order that nobody saw would be natural runs with a g_idx that loaders pay for.
        if rounding == Rounding::Nearest && order == Order::Descending {
            let message =
                "act_order=descending goes by the strength of inputs, which rounding=nearest does not look at";
            return Err(invalid("act_order", message.into()).hint("leave out --act-order"));
        }
        let zeros = match given.text("checkpoint_format")? {
            None | Some("auto") => None,
            Some("gptq") => Some(Zeros::LessOne),
            Some("gptq_v2") => Some(Zeros::AsTheyAre),
            Some(other) => return Err(unknown_word("checkpoint_format", other, "auto, gptq or gptq_v2")),
        };
        let word = given.text("target")?.unwrap_or("any");
        let target = Target::of(word)
            .ok_or_else(|| unknown_word("target", word, "any, vllm, sglang, transformers or exllama"))?;
        Ok(Choices {
            settings,
            rules: Rules::read(&given.texts("dynamic")?)?,
            rounding,
            order,
            damp: given.number("damp", DAMP.0, DAMP.1)?.unwrap_or(DAMP.2) as f32,
            candidates: given.whole("candidates", CANDIDATES.0, CANDIDATES.1)?.unwrap_or(CANDIDATES.2) as usize,
            polish: given.whole("polish", POLISH.0, POLISH.1)?.map(|rounds| rounds as usize),
            zeros,
            lm_head: given.flag("lm_head")?.unwrap_or(false),
            target,
            shard_bytes: bytes(given.text("max_shard_size")?.unwrap_or(SHARD))?,
            by_stage: request.later_layers_see == SeenByLaterLayers::QuantizedByStage,
        })
    }

    /// Settings of a module; `None` if a rule keeps it as it is.
    pub fn of(&self, module: &str) -> Option<Settings> {
        match self.rules.action(module) {
            None => Some(self.settings),
            Some(Action::Keep) => None,
            Some(Action::Change(change)) => Some(Settings {
                bits: change.bits.unwrap_or(self.settings.bits),
                group: change.group.unwrap_or(self.settings.group),
                symmetric: change.symmetric.unwrap_or(self.settings.symmetric),
            }),
        }
    }

    /// How a matrix of so many inputs is rounded.
    pub fn method(&self, settings: Settings, columns: usize, zeros: Zeros) -> Method {
        // Readers of zeros less one disagree about a zero of 0.
        let least_zero = u8::from(zeros == Zeros::LessOne);
        let grid = Grid { least_zero, ..Grid::new(settings.bits, settings.symmetric) };
        let usual = Method::new(grid, settings.group_of(columns));
        let polish = self.polish.unwrap_or(usual.polish);
        Method { order: self.order, damp: self.damp, candidates: self.candidates, polish, ..usual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_plugin_api::wire;
    use serde_json::{Value, json};

    fn read(level: &str, options: Value) -> Result<Choices, Error> {
        let document =
            json!({ "v": 1, "format": "gptq", "level": level, "stem": "x", "device": "cpu", "options": options });
        Choices::read(&wire::decode("request", &document.to_string()).unwrap())
    }

    #[test]
    fn levels_and_options_agree_or_are_refused() {
        let settings = |level, options| read(level, options).unwrap().settings;
        assert_eq!(settings("4bit", json!({})), Settings { bits: 4, group: 128, symmetric: true });
        let given = json!({ "group_size": -1, "sym": false });
        assert_eq!(settings("3bit", given), Settings { bits: 3, group: -1, symmetric: false });
        assert_eq!(settings("2bit-g64-asym", json!({})), Settings { bits: 2, group: 64, symmetric: false });
        assert_eq!(settings("2bit-g64-asym", json!({ "group_size": 64 })).group, 64);
        let error = read("4bit-g64-sym", json!({ "group_size": 128 })).unwrap_err();
        assert_eq!(error.message, "the level `4bit-g64-sym` has group_size 64, the option says 128");
        assert!(read("4bit-g64-sym", json!({ "sym": false })).is_err());
    }

    #[test]
    fn rules_change_single_modules() {
        let choices = read("4bit", json!({ "dynamic": ["-:.*o_proj", ".*down bits=8,group_size=32"] })).unwrap();
        assert_eq!(choices.of("a.o_proj"), None);
        assert_eq!(choices.of("a.down"), Some(Settings { bits: 8, group: 32, symmetric: true }));
        assert_eq!(choices.of("a.up"), Some(choices.settings));
    }

    #[test]
    fn mistakes_are_refused() {
        for options in [
            json!({ "group_size": 12 }),
            json!({ "group_size": 0 }),
            json!({ "sym": "yes" }),
            json!({ "act_order": "up" }),
            json!({ "rounding": "auto" }),
            json!({ "rounding": "nearest", "act_order": "descending" }),
            json!({ "target": "x" }),
            json!({ "damp": 2.0 }),
            json!({ "checkpoint_format": "marlin" }),
            json!({ "zip": 1 }),
            json!({ "dynamic": "x" }),
        ] {
            assert_eq!(read("4bit", options.clone()).unwrap_err().kind, Kind::InvalidRequest, "{options}");
        }
        assert!(read("5bit", json!({})).is_err());
    }
}
