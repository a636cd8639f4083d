//! Statistics of the folded model from those of the original: what arrives at a scaled matrix is divided by the scales.

use super::Changes;
use super::changes::Arriving;
use crate::statistics::{Block, Handful};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::StatisticsPart;
use std::borrow::Cow;
use std::sync::Arc;

/// What some users of a block divide it by, if anything, and their places in the list of uses.
type Users = (Option<Arc<[f32]>>, Vec<usize>);

impl Handful<'_> {
    /// Bytes of new values that [`Handful::fold`] makes: where the old ones are borrowed or belong to others as well.
    pub fn fold_bytes(&self, changes: &Changes) -> u64 {
        let of_block = |block: usize| {
            let (arriving, values) = (self.arriving(block, changes), &self.blocks[block].values);
            let scaled = arriving.iter().filter(|(divisors, _)| divisors.is_some()).count();
            let in_place = arriving.len() == 1 && matches!(values, Cow::Owned(_));
            let copies = if in_place { 0 } else { scaled };
            (copies * values.len() * size_of::<f32>()) as u64
        };
        (0..self.blocks.len()).map(of_block).fold(0, u64::saturating_add)
    }

    /// Turns statistics of the original model into those of the folded one. Returns the tensors whose statistics are
    /// gone: sums over experts that were scaled differently.
    pub fn fold(&mut self, changes: &Changes) -> Vec<StatisticsPart> {
        let mixed = |part: &StatisticsPart| matches!(changes.arriving(*part), Arriving::Mixed);
        let mut gone: Vec<StatisticsPart> = self.uses.iter().map(|(part, _)| *part).filter(mixed).collect();
        gone.sort_unstable();
        gone.dedup();
        self.uses.retain(|(part, _)| !mixed(part));
        for block in 0..self.blocks.len() {
            let mut arriving = self.arriving(block, changes);
            // The last takes the block itself, so that what nobody shares is changed in place.
            let last = arriving.pop();
            for (divisors, uses) in arriving {
                let Block { kind, count, ref shape, ref values } = self.blocks[block];
                let copy = Block { kind, count, shape: shape.clone(), values: Cow::Owned(values.to_vec()) };
                let number = self.keep(copy);
                uses.into_iter().for_each(|at| self.uses[at].1 = number);
                self.divide(number, divisors);
            }
            if let Some((divisors, _)) = last {
                self.divide(block, divisors);
            }
        }
        gone
    }

    /// By what the values of a block are divided, and for whom. One entry unless its users differ.
    fn arriving(&self, block: usize, changes: &Changes) -> Vec<Users> {
        let mut found: Vec<Users> = Vec::new();
        for (at, (part, used)) in self.uses.iter().enumerate() {
            if *used != block {
                continue;
            }
            let divisors = match changes.arriving(*part) {
                Arriving::Divided(divisors) => Some(divisors),
                Arriving::Same | Arriving::Mixed => None,
            };
            match found.iter_mut().find(|(known, _)| *known == divisors) {
                Some((_, uses)) => uses.push(at),
                None => found.push((divisors, vec![at])),
            }
        }
        found
    }

    fn divide(&mut self, block: usize, divisors: Option<Arc<[f32]>>) {
        let Some(divisors) = divisors else { return };
        let block = &mut self.blocks[block];
        let values = block.values.to_mut();
        for (row, values) in values.chunks_exact_mut(divisors.len().max(1)).enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                let own = f64::from(divisors[column]);
                let divisor = match block.kind {
                    StatisticKind::SumSquares => own * own,
                    StatisticKind::Gram => own * f64::from(divisors[row]),
                    _ => own,
                };
                *value = (f64::from(*value) / divisor) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmq_plugin_api::wire::Fold;

    fn part(tensor: u32) -> StatisticsPart {
        StatisticsPart { tensor, expert: None }
    }

    fn block(kind: StatisticKind, shape: &[u64], values: &'static [f32], owned: bool) -> Block<'static> {
        let values = if owned { Cow::Owned(values.to_vec()) } else { Cow::Borrowed(values) };
        Block { kind, count: 3, shape: shape.to_vec(), values }
    }

    fn changes() -> Changes {
        let model = crate::fold::changes::tests::one_norm_two_readers();
        Changes::new(&model, &[Fold { group: 0, scales: vec![2.0, 4.0] }])
    }

    #[test]
    fn every_kind_is_that_of_the_divided_input() {
        let mut handful = Handful::default();
        /// Kind, shape, values of the original, values of the folded model.
        type Case = (StatisticKind, &'static [u64], &'static [f32], &'static [f32]);
        let cases: [Case; 7] = [
            (StatisticKind::Sum, &[2], &[8.0, 8.0], &[4.0, 2.0]),
            (StatisticKind::SumAbs, &[2], &[8.0, 8.0], &[4.0, 2.0]),
            (StatisticKind::Min, &[2], &[-8.0, 8.0], &[-4.0, 2.0]),
            (StatisticKind::Max, &[2], &[8.0, 8.0], &[4.0, 2.0]),
            (StatisticKind::SumSquares, &[2], &[16.0, 16.0], &[4.0, 1.0]),
            (StatisticKind::Gram, &[2, 2], &[16.0, 8.0, 8.0, 16.0], &[4.0, 1.0, 1.0, 1.0]),
            (StatisticKind::Samples, &[2, 2], &[4.0, 4.0, 8.0, 8.0], &[2.0, 1.0, 4.0, 2.0]),
        ];
        for (kind, shape, values, _) in cases {
            let number = handful.keep(block(kind, shape, values, true));
            handful.give(part(1), number);
            handful.give(part(2), number);
        }
        assert_eq!(handful.fold_bytes(&changes()), 0);
        assert!(handful.fold(&changes()).is_empty());
        for (view, (kind, _, _, expected)) in handful.views().iter().zip(cases.iter().flat_map(|case| [case, case])) {
            assert_eq!((view.kind, view.values), (*kind, *expected));
        }
    }

    #[test]
    fn values_that_are_borrowed_or_shared_with_others_are_copied_and_counted() {
        let mut handful = Handful::default();
        let borrowed = handful.keep(block(StatisticKind::Sum, &[2], &[8.0, 8.0], false));
        handful.give(part(1), borrowed);
        let shared = handful.keep(block(StatisticKind::Sum, &[2], &[8.0, 8.0], true));
        // Tensor 3 reads something else.
        handful.give(part(2), shared);
        handful.give(part(3), shared);
        assert_eq!(handful.fold_bytes(&changes()), 16);
        handful.fold(&changes());
        let values: Vec<&[f32]> = handful.views().iter().map(|view| view.values).collect();
        assert_eq!(values, [&[4.0, 2.0][..], &[4.0, 2.0], &[8.0, 8.0]]);
    }
}
