//! What a conversion encodes anew, in words, and whether that needs a yes.

use crate::failure::{Class, Failure};
use crate::job::Reencoded;
use std::collections::BTreeMap;

/// Bits per weight from which on a second quantization is hardly noticed: its error is half a percent.
const FINE: f64 = 7.75;
/// Bits that an encoding must have more than the one it replaces to lose little beside it. A bit halves the error, so two
/// bits add a sixteenth to its square.
const FINER: f64 = 2.0;

/// The tensors that lose a second time.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondLoss {
    tensors: Vec<Reencoded>,
    significant: usize,
}

impl SecondLoss {
    /// From a job's list; `None` if nothing is encoded anew.
    pub fn of(tensors: Vec<Reencoded>) -> Option<SecondLoss> {
        let significant = tensors.iter().filter(|tensor| is_significant(tensor)).count();
        (!tensors.is_empty()).then_some(SecondLoss { tensors, significant })
    }

    /// How many tensors.
    pub fn count(&self) -> usize {
        self.tensors.len()
    }

    /// Whether the second loss may be as large as the first or larger.
    pub fn needs_a_yes(&self) -> bool {
        self.significant > 0
    }

    /// What happens, as one sentence.
    pub fn warning(&self) -> String {
        let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        self.tensors.iter().for_each(|tensor| *kinds.entry((&tensor.from, &tensor.to)).or_default() += 1);
        let mut kinds: Vec<((&str, &str), usize)> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let shown = kinds.iter().take(3).map(|((from, to), count)| format!("{count} from {from} to {to}"));
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = if kinds.len() > 3 { ", and others" } else { "" };
        let weight = match self.needs_a_yes() {
            true => "what the first quantization lost stays lost, and this one may lose as much again",
            false => "what the first quantization lost stays lost; this one adds little to it",
        };
        format!("{} quantized tensors are encoded anew ({shown}{more}): {weight}", self.count())
    }

    /// Why nothing was done.
    pub fn refusal(&self, asked: bool) -> Failure {
        let why = if asked { "was declined" } else { "needs a yes, and nobody could be asked" };
        Failure::new(Class::UserCancelled, format!("The conversion {why}: {}", self.warning()))
            .suggest("Quantize the unquantized model instead, take a finer level with -q, or say --force")
    }
}

fn is_significant(tensor: &Reencoded) -> bool {
    tensor.to_bits < FINE && tensor.to_bits < tensor.from_bits + FINER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(tensors: &[(f64, f64)]) -> Option<SecondLoss> {
        let one = |(from_bits, to_bits): &(f64, f64)| Reencoded {
            name: "x".into(),
            from: format!("F{from_bits}"),
            to: format!("T{to_bits}"),
            from_bits: *from_bits,
            to_bits: *to_bits,
        };
        SecondLoss::of(tensors.iter().map(one).collect())
    }

    #[test]
    fn a_yes_is_needed_where_the_second_loss_is_not_small_beside_the_first() {
        assert_eq!(loss(&[]), None);
        for (from, to, yes) in
            [(8.5, 4.5, true), (4.5, 4.0, true), (4.5, 5.5, true), (4.5, 6.5625, false), (6.5625, 8.5, false)]
        {
            assert_eq!(loss(&[(from, to)]).unwrap().needs_a_yes(), yes, "{from} to {to}");
        }
        assert!(loss(&[(4.5, 8.5), (4.5, 4.5)]).unwrap().needs_a_yes(), "one is enough");
    }

    #[test]
    fn the_sentence_names_kinds_and_counts() {
        let loss = loss(&[(8.5, 4.0), (8.5, 4.0), (6.0, 4.0)]).unwrap();
        let words = "3 quantized tensors are encoded anew (2 from F8.5 to T4, 1 from F6 to T4): what the first";
        assert!(loss.warning().starts_with(words), "{}", loss.warning());
        assert_eq!(loss.refusal(false).class, Class::UserCancelled);
        assert!(loss.refusal(false).suggestion.contains("--force"));
    }
}
