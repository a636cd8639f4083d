//! Which experts a token goes to, and with what weights.
//!
//! Scores come from router logits by softmax or sigmoid; the best `used` are chosen (among equals the first), in models
//! with groups only within the best groups; weights are the chosen scores, on request divided by their sum, times a
//! factor. A correction shifts scores where experts are chosen and not where they are weighed (DeepSeek-V3,
//! arXiv 2412.19437). "Right" means the routers of transformers' classes.

/// How experts are chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Experts per token.
    pub used: usize,
    /// From logits to scores.
    pub score: Score,
    /// Whether weights are made to sum to one.
    pub normalise: Normalise,
    /// What weights are multiplied by.
    pub scale: f32,
    /// Groups of experts, if only the best groups take part.
    pub groups: Option<Groups>,
}

/// From logits to scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// exp over the sum of all.
    Softmax,
    /// 1 / (1 + exp(-x)), each by itself.
    Sigmoid,
}

/// Whether weights are made to sum to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalise {
    /// As they are.
    No,
    /// Divided by their sum.
    Yes,
}

/// Groups of neighbouring experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    /// Number of groups.
    pub count: usize,
    /// Groups that take part.
    pub used: usize,
    /// Experts whose scores are added to judge a group: its best one or two.
    pub judged_by: usize,
}

/// An expert and its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// Expert.
    pub expert: usize,
    /// Weight of its result.
    pub weight: f32,
}

/// Chooses experts from the router's logits of one token.
pub fn choose(logits: &[f32], correction: Option<&[f32]>, choice: &Choice) -> Vec<Chosen> {
    let scores = scores(logits, choice.score);
    let mut wanted: Vec<f32> = match correction {
        Some(correction) => scores.iter().zip(correction).map(|(score, shift)| score + shift).collect(),
        None => scores.clone(),
    };
    if let Some(groups) = choice.groups {
        let size = wanted.len() / groups.count;
        let judge = |group: &[f32]| best(group, groups.judged_by).iter().map(|at| group[*at]).sum::<f32>();
        let worth: Vec<f32> = wanted.chunks_exact(size).map(judge).collect();
        let taking_part = best(&worth, groups.used);
        for (group, wanted) in wanted.chunks_exact_mut(size).enumerate() {
            if !taking_part.contains(&group) {
                wanted.fill(f32::NEG_INFINITY);
            }
        }
    }
    let chosen = best(&wanted, choice.used);
    let sum: f32 = chosen.iter().map(|expert| scores[*expert]).sum();
    let factor = match choice.normalise {
        Normalise::No => choice.scale,
        // The summand is transformers': it keeps scores that are all zero from dividing by nothing.
        Normalise::Yes => choice.scale / (sum + 1e-20),
    };
    chosen.into_iter().map(|expert| Chosen { expert, weight: scores[expert] * factor }).collect()
}

fn scores(logits: &[f32], score: Score) -> Vec<f32> {
    match score {
        Score::Sigmoid => logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
        Score::Softmax => {
            let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f32> = logits.iter().map(|x| (x - top).exp()).collect();
            let sum: f32 = powers.iter().sum();
            powers.iter().map(|power| power / sum).collect()
        }
    }
}

/// Positions of the largest numbers, the largest first; among equals the first. NaN comes last.
fn best(values: &[f32], count: usize) -> Vec<usize> {
    let key = |at: &usize| if values[*at].is_nan() { f32::NEG_INFINITY } else { values[*at] };
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| key(b).total_cmp(&key(a)));
    order.truncate(count);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Choice =
        Choice { used: 2, score: Score::Softmax, normalise: Normalise::Yes, scale: 1.0, groups: None };

    #[test]
    fn normalised_softmax_is_the_softmax_of_the_chosen() {
        let chosen = choose(&[1.0, 3.0, 2.0, 0.0], None, &PLAIN);
        assert_eq!((chosen[0].expert, chosen[1].expert), (1, 2));
        let expected = 1.0 / (1.0 + (-1f32).exp());
        assert!((chosen[0].weight - expected).abs() < 1e-6 && (chosen[1].weight - 1.0 + expected).abs() < 1e-6);
    }

    #[test]
    fn a_correction_moves_the_choice_and_not_the_weight() {
        let choice = Choice { score: Score::Sigmoid, normalise: Normalise::No, used: 1, scale: 2.0, ..PLAIN };
        let chosen = choose(&[0.0, 1.0], Some(&[5.0, 0.0]), &choice);
        assert_eq!(chosen, [Chosen { expert: 0, weight: 1.0 }]);
    }

    #[test]
    fn only_the_best_groups_take_part() {
        let groups = Some(Groups { count: 2, used: 1, judged_by: 2 });
        let choice = Choice { score: Score::Sigmoid, groups, ..PLAIN };
        // The best expert stands in the worse group.
        let chosen = choose(&[4.0, -9.0, 2.0, 2.0], None, &choice);
        assert_eq!((chosen[0].expert, chosen[1].expert), (2, 3));
    }

    #[test]
    fn equals_are_taken_in_order_and_nan_last() {
        assert_eq!(best(&[1.0, f32::NAN, 1.0, 2.0], 3), [3, 0, 2]);
    }
}
