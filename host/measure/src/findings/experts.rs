//! Coverage of a layer's experts: how evenly a text was routed, and which experts it hardly touched.

use serde::{Deserialize, Serialize};

/// An expert with less than this part of an even share is rarely used: its statistics rest on few tokens.
pub const RARE_SHARE: f64 = 0.1;

/// How a text was spread over the experts of one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpertCoverage {
    /// Layer.
    pub layer: u32,
    /// Experts.
    pub experts: usize,
    /// Tokens that passed the router.
    pub tokens: u64,
    /// Tokens over all experts: `tokens` times the experts per token.
    pub assignments: u64,
    /// Tokens per expert.
    pub counts: Vec<u64>,
    /// Smallest share of the assignments.
    pub smallest_share: f64,
    /// Largest share of the assignments.
    pub largest_share: f64,
    /// Experts that no token reached.
    pub never: Vec<usize>,
    /// Experts that were reached, by less than [`RARE_SHARE`] of an even share.
    pub rare: Vec<usize>,
    /// Entropy of the shares, in bits.
    pub entropy: f64,
    /// Entropy as a share of the largest possible; 1 for a single expert.
    pub entropy_share: f64,
}

/// Coverage of one layer's experts from the tokens that reached each, and the tokens that passed the router.
pub fn expert_coverage(layer: u32, tokens: u64, counts: &[u64]) -> ExpertCoverage {
    let assignments = counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
    let share = |count: u64| if assignments > 0 { count as f64 / assignments as f64 } else { 0.0 };
    let even = 1.0 / counts.len().max(1) as f64;
    let experts = |test: &dyn Fn(u64) -> bool| -> Vec<usize> {
        counts.iter().enumerate().filter(|(_, count)| test(**count)).map(|(expert, _)| expert).collect()
    };
    let shares = || counts.iter().map(|count| share(*count));
    let entropy: f64 = shares().map(|p| if p > 0.0 { -p * p.log2() } else { 0.0 }).sum();
    let most = (counts.len().max(1) as f64).log2();
    ExpertCoverage {
        layer,
        experts: counts.len(),
        tokens,
        assignments,
        counts: counts.to_vec(),
        smallest_share: shares().reduce(f64::min).unwrap_or(0.0),
        largest_share: shares().reduce(f64::max).unwrap_or(0.0),
        never: experts(&|count| count == 0),
        rare: experts(&|count| count > 0 && share(count) < RARE_SHARE * even),
        entropy,
        entropy_share: match most > 0.0 {
            true => entropy / most,
            false => 1.0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_routing_has_all_the_entropy() {
        let found = expert_coverage(2, 400, &[100; 8]);
        assert_eq!((found.layer, found.experts, found.assignments), (2, 8, 800));
        assert_eq!((found.entropy, found.entropy_share), (3.0, 1.0));
        assert_eq!((found.smallest_share, found.largest_share), (0.125, 0.125));
        assert!(found.never.is_empty() && found.rare.is_empty());
    }

    #[test]
    fn idle_and_rare_experts_are_named() {
        // An even share is 250; rare is below 25.
        let found = expert_coverage(0, 500, &[24, 0, 25, 951]);
        assert_eq!((found.never.as_slice(), found.rare.as_slice()), (&[1][..], &[0][..]));
        let h = |p: f64| -p * p.log2();
        assert!((found.entropy - h(0.024) - h(0.025) - h(0.951)).abs() < 1e-12);
        assert!((found.entropy_share - found.entropy / 2.0).abs() < 1e-15);
    }

    #[test]
    fn nothing_routed_is_no_division() {
        let found = expert_coverage(0, 0, &[0, 0]);
        assert_eq!((found.entropy_share, found.largest_share, found.never.len()), (0.0, 0.0, 2));
        assert!(found.rare.is_empty());
        assert_eq!(expert_coverage(0, 3, &[3]).entropy_share, 1.0);
        assert_eq!(expert_coverage(0, 0, &[]).experts, 0);
    }
}
