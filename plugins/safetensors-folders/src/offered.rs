//! Matrices whose Gram matrix the job offers, and those whose it does not.

use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{Request, StatisticsOffer};

/// What a plan says of codes that no calibration chose.
pub const ALONE: &str =
    "the nearest codes were asked for: they are computed from the weights alone, without calibration";

/// Refuses a job without any Gram matrix; a sentence about matrices that will have none. Matrices are tensor indices with the
/// names of their modules.
pub fn unseen(matrices: &[(usize, &str)], request: &Request) -> Result<Option<String>, Error> {
    let is_offered = |(tensor, _): &&(usize, &str)| {
        let of = |offer: &StatisticsOffer| offer.tensor as usize == *tensor && !offer.unseen;
        request.statistics.iter().any(|offer| of(offer) && offer.kinds.iter().any(|kind| kind == "gram"))
    };
    let without: Vec<&(usize, &str)> = matrices.iter().filter(|matrix| !is_offered(matrix)).collect();
    let Some((_, first)) = without.first() else { return Ok(None) };
    if without.len() == matrices.len() {
        let message = format!("none of the {} matrices has the Gram matrix of its input", matrices.len());
        let hint = "gather them with `analyze --gram --statistics DIR`, or give --calibration-data";
        return Err(Error::new(Kind::MissingStatistics, message).hint(hint));
    }
    let (count, all) = (without.len(), matrices.len());
    Ok(Some(format!("{count} of {all} matrices have no Gram matrix and will be rounded to nearest, first {first}")))
}
