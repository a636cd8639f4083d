//! Which tensors use importance weights, which lack them, and what happens then.

use super::collect::Gathered;
use crate::imatrix::named;
use crate::levels::uses_importance;
use crate::mixture::{Assignment, Candidate, Recipe};
use llmq_ggml_blocks::BlockType;
use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{Request, StatisticsName, StatisticsPart};
use std::collections::HashMap;

/// The only kind of statistics that encodings here look at.
pub(super) const SUM_SQUARES: &str = "sum_squares";
/// Most experts that a note lists.
const LISTED: usize = 8;

/// What is done where importance weights are needed and missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Missing {
    /// The job is refused.
    #[default]
    Refuse,
    /// All channels count evenly.
    Even,
}

/// Where the importance weights of a tensor come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weighting {
    /// It has none: the encoding ignores them, or fits without.
    None,
    /// From the statistics; experts that saw nothing count evenly.
    Offered {
        /// Number of the first matrix's vector among those of its source; `None` if the source has this one only.
        first: Option<u32>,
    },
    /// All channels count evenly.
    Even,
}

/// What the job has, by what there could be.
pub(super) struct Importance {
    names: HashMap<String, StatisticsName>,
    /// Whether nothing was seen, by source.
    offers: HashMap<StatisticsPart, bool>,
    missing: Missing,
    refused: Vec<String>,
}

/// What is there for one tensor.
enum Held {
    Nothing,
    Everything,
    /// All, but these experts saw no tokens.
    Without(Vec<usize>),
}

impl Importance {
    pub(super) fn new(request: &Request, tensors: &[Gathered], missing: Missing) -> Importance {
        let of_kind = request.statistics.iter().filter(|offer| offer.kinds.iter().any(|kind| kind == SUM_SQUARES));
        let offers = of_kind
            .map(|offer| (StatisticsPart { tensor: offer.tensor, expert: offer.expert }, offer.unseen))
            .collect();
        let names = named(tensors).into_iter().map(|name| (name.name.clone(), name)).collect();
        Importance { names, offers, missing, refused: Vec::new() }
    }

    /// Whether there is any; the mixture rules look at that.
    pub(super) fn any(&self) -> bool {
        !self.offers.is_empty()
    }

    /// Decides for all tensors; those that are stored as they come need nothing. Returns what to say about each.
    pub(super) fn weigh(
        &mut self,
        recipe: Option<Recipe>,
        candidates: &[Candidate],
        assigned: &[Assignment],
    ) -> Vec<(Weighting, String)> {
        let one = |(candidate, assignment): (&Candidate, &Assignment)| match recipe {
            Some(recipe) if assignment.encoding != candidate.unquantized => {
                self.weighting(recipe, &candidate.name, assignment.encoding)
            }
            _ => (Weighting::None, String::new()),
        };
        candidates.iter().zip(assigned).map(one).collect()
    }

    /// Decides for one tensor.
    fn weighting(&mut self, recipe: Recipe, tensor: &str, encoding: BlockType) -> (Weighting, String) {
        if !uses_importance(encoding) {
            return (Weighting::None, String::new());
        }
        let required = recipe.needs_importance_for(tensor, encoding);
        let offered =
            Weighting::Offered { first: self.names.get(tensor).and_then(|n| n.parts.first()).and_then(|p| p.expert) };
        let (weighting, lack) = match self.held(tensor) {
            Held::Everything => return (offered, String::new()),
            Held::Nothing => {
                (if required { Weighting::Even } else { Weighting::None }, "no importance data".to_owned())
            }
            Held::Without(experts) => (offered, unseen(&experts)),
        };
        if required && self.missing == Missing::Refuse {
            self.refused.push(format!("{tensor} ({}): {lack}", encoding.name()));
        }
        let note = match weighting {
            Weighting::None if !self.any() => String::new(),
            Weighting::None => lack,
            _ => format!("{lack}: counts evenly"),
        };
        (weighting, note)
    }

    fn held(&self, tensor: &str) -> Held {
        let Some(name) = self.names.get(tensor) else { return Held::Nothing };
        let offers: Vec<Option<&bool>> = name.parts.iter().map(|part| self.offers.get(part)).collect();
        let unseen: Vec<usize> = (0..offers.len()).filter(|expert| offers[*expert] == Some(&true)).collect();
        match () {
            () if offers.contains(&None) || unseen.len() == offers.len() => Held::Nothing,
            () if unseen.is_empty() => Held::Everything,
            () => Held::Without(unseen),
        }
    }

    /// Refuses the job, before any work, if encodings need weights that are not there.
    ///
    /// # Errors
    /// `MissingStatistics`, naming every such tensor.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Some(first) = self.refused.first() else { return Ok(()) };
        let count = self.refused.len();
        let message = format!(
            "{count} tensors would get encodings that cannot be made well without importance weights: {}",
            self.refused.join("; ")
        );
        let hint = match self.any() {
            true => {
                "make the importance matrix from more text, or accept even weights for these tensors with \
                 --missing-importance even, or choose a level that needs none"
            }
            false => {
                "calibrate with --calibration-data TEXT, give an importance matrix of this model with --imatrix FILE, or \
                 choose a level that needs none"
            }
        };
        let subject = first.split(' ').next().unwrap_or_default();
        Err(Error::new(Kind::MissingStatistics, message).subject(subject).hint(hint))
    }
}

fn unseen(experts: &[usize]) -> String {
    let listed: Vec<String> = experts.iter().take(LISTED).map(usize::to_string).collect();
    let more = if experts.len() > LISTED { ", ..." } else { "" };
    match experts.len() {
        1 => format!("expert {} saw no tokens", listed[0]),
        n => format!("{n} experts saw no tokens ({}{more})", listed.join(", ")),
    }
}
