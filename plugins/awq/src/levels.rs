//! The levels on offer: the format has 4 bits; names may say group size and symmetry.

use llmq_plugin_api::wire::{Level, SeenByLaterLayers};

/// Bits of a code.
pub const BITS: u32 = 4;

/// Group sizes that levels name. Others are an option.
const GROUPS: [i64; 3] = [128, 64, 32];

/// Group size of levels that name none.
pub const USUAL_GROUP: i64 = 128;

/// Largest relative error of the weights that a sound output can have: scaling and rounding that know the inputs move
/// weights further than the nearest code wherever that serves the output.
const MOST_ERROR: f64 = 0.7;

/// What a level says. What it leaves open is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Input channels that share a scale.
    pub group: Option<i64>,
    /// Whether zero is the middle code.
    pub symmetric: Option<bool>,
}

/// All levels with their ids.
pub fn all() -> Vec<(String, Said)> {
    let mut all = vec![(format!("{BITS}bit"), Said { group: None, symmetric: None })];
    for group in GROUPS {
        for symmetric in [false, true] {
            let word = if symmetric { "sym" } else { "asym" };
            all.push((format!("{BITS}bit-g{group}-{word}"), Said { group: Some(group), symmetric: Some(symmetric) }));
        }
    }
    all
}

/// The level of an id.
pub fn said(id: &str) -> Option<Said> {
    all().into_iter().find(|(level, _)| level == id).map(|(_, said)| said)
}

/// The levels as the host lists them.
pub fn described() -> Vec<Level> {
    all().into_iter().map(|(id, said)| describe(id, said)).collect()
}

fn describe(id: String, said: Said) -> Level {
    let group = said.group.unwrap_or(USUAL_GROUP);
    let bits = f64::from(BITS);
    let aliases = match (said.group, said.symmetric) {
        (None, _) => vec![format!("w{BITS}"), format!("int{BITS}")],
        (Some(group), Some(false)) => vec![format!("{BITS}bit-g{group}")],
        _ => Vec::new(),
    };
    let summary = match (said.group, said.symmetric) {
        (Some(group), Some(symmetric)) => {
            let word = if symmetric { "symmetric" } else { "with zeros" };
            format!("{BITS} bits, {word}, a scale for every {group} inputs")
        }
        _ => format!("{BITS} bits; groups of {USUAL_GROUP} and with zeros unless options say otherwise"),
    };
    Level {
        id,
        aliases,
        bits_per_weight: bits + (16.0 + bits) / group as f64,
        summary,
        requires_statistics: vec!["gram".into()],
        uses_statistics: vec!["sum_abs".into()],
        later_layers_see: SeenByLaterLayers::Original,
        max_relative_error: MOST_ERROR,
        keeps_encodings: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_aliases_are_unique_and_say_what_they_set() {
        let levels = described();
        let mut words: Vec<String> = levels.iter().flat_map(|l| l.aliases.iter().chain([&l.id]).cloned()).collect();
        let count = words.len();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), count);
        assert_eq!(said("4bit-g64-sym"), Some(Said { group: Some(64), symmetric: Some(true) }));
        assert_eq!(said("4bit"), Some(Said { group: None, symmetric: None }));
        assert_eq!(said("8bit"), None);
        assert_eq!(levels.iter().find(|l| l.id == "4bit").unwrap().bits_per_weight, 4.15625);
    }
}
