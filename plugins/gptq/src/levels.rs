//! The levels on offer: bits, and where a name says so group size and symmetry.

use llmq_plugin_api::wire::{Level, SeenByLaterLayers};

/// Bits with the largest relative error of the weights that a sound output can have.
///
/// Rounding to nearest stays below a third of these on normal weights. Rounding that knows the inputs may move weights
/// further wherever inputs depend on each other, and does so rightly: what counts is the output.
const BITS: [(u32, f64); 4] = [(4, 0.7), (8, 0.2), (3, 0.9), (2, 1.0)];

/// Group sizes that levels name. Others are an option.
const GROUPS: [i64; 3] = [128, 64, 32];

/// Group size of levels that name none.
pub const USUAL_GROUP: i64 = 128;

/// What a level says. What it leaves open is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Bits of a code.
    pub bits: u32,
    /// Input channels that share a scale.
    pub group: Option<i64>,
    /// Whether zero is the middle code.
    pub symmetric: Option<bool>,
}

/// All levels with their ids.
pub fn all() -> Vec<(String, Said)> {
    let mut all = Vec::new();
    for (bits, _) in BITS {
        all.push((format!("{bits}bit"), Said { bits, group: None, symmetric: None }));
    }
    for (bits, _) in BITS {
        for group in GROUPS {
            for symmetric in [true, false] {
                let word = if symmetric { "sym" } else { "asym" };
                let said = Said { bits, group: Some(group), symmetric: Some(symmetric) };
                all.push((format!("{bits}bit-g{group}-{word}"), said));
            }
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
    let bits = f64::from(said.bits);
    let aliases = match (said.group, said.symmetric) {
        (None, _) => vec![format!("w{}", said.bits), format!("int{}", said.bits)],
        (Some(group), Some(true)) => vec![format!("{}bit-g{group}", said.bits)],
        _ => Vec::new(),
    };
    let summary = match (said.group, said.symmetric) {
        (Some(group), Some(symmetric)) => {
            let word = if symmetric { "symmetric" } else { "asymmetric" };
            format!("{} bits, {word}, a scale for every {group} inputs", said.bits)
        }
        _ => format!("{} bits; groups of {USUAL_GROUP} and symmetric unless options say otherwise", said.bits),
    };
    Level {
        id,
        aliases,
        bits_per_weight: bits + (16.0 + bits) / group as f64,
        summary,
        requires_statistics: vec!["gram".into()],
        uses_statistics: Vec::new(),
        later_layers_see: SeenByLaterLayers::Original,
        max_relative_error: BITS.iter().find(|(b, _)| *b == said.bits).map_or(0.0, |(_, error)| *error),
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
        assert_eq!(said("4bit-g64-sym"), Some(Said { bits: 4, group: Some(64), symmetric: Some(true) }));
        assert_eq!(said("3bit"), Some(Said { bits: 3, group: None, symmetric: None }));
        assert_eq!(said("5bit"), None);
        assert_eq!(levels.iter().find(|l| l.id == "4bit").unwrap().bits_per_weight, 4.15625);
    }
}
