//! The best member of the families: a grid of ratios judged roughly, refined around the best, the finalists judged exactly.
//!
//! The loss is flat near its minimum and rows of a matrix lose alike, so a share of the rows, or what a loss may be expected to be,
//! ranks ratios well enough; only the last step needs the loss itself, and there no scaling at all always competes. So it never rises.

use crate::{Channels, Family};

/// Ratios of each family, both ends included. AutoAWQ tries 20 of one family, without the upper end.
const POINTS: usize = 21;
/// How often the gap between ratios is halved around the best.
const HALVINGS: usize = 2;
/// Members that are judged exactly.
const FINALISTS: usize = 2;

/// One member of a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The family.
    pub family: Family,
    /// Its parameter.
    pub ratio: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The scales with the member that they are; `None` if none is better than no scaling.
    pub best: Option<(Member, Vec<f32>)>,
    /// Loss without scaling.
    pub before: f64,
    /// Loss with the best scales.
    pub after: f64,
}

/// How candidates are judged. Each call gets lists of scales and gives a loss for each.
pub trait Search {
    /// Why it was stopped.
    type Stopped;
    /// As far as a ranking needs it.
    fn roughly(&mut self, scales: &[Vec<f32>]) -> Result<Vec<f64>, Self::Stopped>;
    /// By the loss that counts.
    fn exactly(&mut self, scales: &[Vec<f32>]) -> Result<Vec<f64>, Self::Stopped>;
    /// The scales as they will be, for example such that a norm can be stored; asked before any judgement.
    fn settle(&self, scales: Vec<f32>) -> Vec<f32> {
        scales
    }
}

/// Searches.
pub fn search<S: Search>(channels: &Channels, judge: &mut S) -> Result<Found, S::Stopped> {
    let one = vec![1.0f32; channels.inputs.len()];
    let gap = 1.0 / (POINTS - 1) as f64;
    let grid = [Family::Duo, Family::Plain].into_iter().flat_map(|family| {
        let first = usize::from(family == Family::Plain); // plain at 0 is no scaling
        (first..POINTS).map(move |point| Member { family, ratio: point as f64 * gap })
    });
    let mut tried: Vec<Tried> = Vec::new();
    judged(channels, judge, grid.collect(), &mut tried)?;
    let mut gap = gap;
    for _ in 0..HALVINGS {
        gap /= 2.0;
        let Some(best) = tried.first().map(|tried| tried.member) else { break };
        let sides = [-gap, gap].map(|side| Member { ratio: (best.ratio + side).clamp(0.0, 1.0), ..best });
        let new = sides.into_iter().filter(|side| tried.iter().all(|tried| tried.member != *side)).collect();
        judged(channels, judge, new, &mut tried)?;
    }
    tried.truncate(FINALISTS);
    let mut last: Vec<Vec<f32>> = vec![one];
    last.extend(tried.iter().map(|tried| tried.scales.clone()));
    let losses = judge.exactly(&last)?;
    let before = losses.first().copied().unwrap_or(0.0);
    let better = losses.iter().skip(1).zip(tried).filter(|(loss, _)| **loss < before);
    let best = better.min_by(|(a, _), (b, _)| a.total_cmp(b));
    Ok(match best {
        Some((loss, tried)) => Found { best: Some((tried.member, tried.scales)), before, after: *loss },
        None => Found { best: None, before, after: before },
    })
}

struct Tried {
    member: Member,
    scales: Vec<f32>,
    loss: f64,
}

/// Judges members roughly and sorts them in, best first, the earlier of equals first. Losses that are not finite drop out.
fn judged<S: Search>(
    channels: &Channels,
    judge: &mut S,
    members: Vec<Member>,
    tried: &mut Vec<Tried>,
) -> Result<(), S::Stopped> {
    let scales: Vec<Vec<f32>> =
        members.iter().map(|member| judge.settle(channels.scales(member.family, member.ratio))).collect();
    let losses = judge.roughly(&scales)?;
    let new = members.into_iter().zip(scales).zip(losses).filter(|(_, loss)| loss.is_finite());
    tried.extend(new.map(|((member, scales), loss)| Tried { member, scales, loss }));
    tried.sort_by(|a, b| a.loss.total_cmp(&b.loss)); // stable
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// A loss whose minimum lies at given scales.
    struct Bowl {
        at: Vec<f32>,
        calls: usize,
    }

    impl Bowl {
        fn losses(&mut self, scales: &[Vec<f32>]) -> Vec<f64> {
            self.calls += scales.len();
            let far = |scales: &Vec<f32>| {
                scales.iter().zip(&self.at).map(|(s, at)| f64::from((s / at).ln().powi(2))).sum::<f64>() + 1.0
            };
            scales.iter().map(far).collect()
        }
    }

    impl Search for Bowl {
        type Stopped = Infallible;
        fn roughly(&mut self, scales: &[Vec<f32>]) -> Result<Vec<f64>, Infallible> {
            Ok(self.losses(scales))
        }
        fn exactly(&mut self, scales: &[Vec<f32>]) -> Result<Vec<f64>, Infallible> {
            Ok(self.losses(scales))
        }
    }

    #[test]
    fn the_ratio_is_found_between_the_points_of_the_grid() {
        let channels = Channels { inputs: &[0.1, 1.0, 7.0, 3.0], weights: &[0.2, 0.3, 0.1, 0.2] };
        for (family, ratio) in [(Family::Plain, 0.4627), (Family::Duo, 0.312)] {
            let mut bowl = Bowl { at: channels.scales(family, ratio), calls: 0 };
            let found = search(&channels, &mut bowl).unwrap();
            let (member, scales) = found.best.unwrap();
            assert!(member.family == family && (member.ratio - ratio).abs() < 0.0126, "{member:?} for {ratio}");
            assert_eq!(scales, channels.scales(member.family, member.ratio));
            assert!(found.after < found.before && bowl.calls < 50, "{} calls", bowl.calls);
        }
    }

    #[test]
    fn no_scaling_is_kept_where_nothing_beats_it() {
        let channels = Channels { inputs: &[0.1, 1.0, 7.0], weights: &[0.2, 0.3, 0.1] };
        let mut bowl = Bowl { at: vec![1.0; 3], calls: 0 };
        let found = search(&channels, &mut bowl).unwrap();
        assert_eq!(found, Found { best: None, before: 1.0, after: 1.0 });
    }
}
