//! Tensors that hold several tensors of a layer one behind the other: another way to save the same weights.

use super::{Captures, NamePattern};
use serde::Deserialize;

/// More experts than any model has: a hostile file must not make a list of billions.
const MOST_EXPERTS: u64 = 1 << 16;

/// A tensor whose first dimension counts experts, or another name of a tensor.
#[derive(Debug, Clone)]
pub struct StackedTensor {
    /// Its name.
    pattern: NamePattern,
    /// What lies one behind the other, for each expert in turn; equal in shape.
    parts: Vec<NamePattern>,
}

/// The same in a description.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StackedEntry {
    name: String,
    parts: Vec<String>,
}

impl StackedEntry {
    pub fn read(self) -> Result<StackedTensor, String> {
        let parts: Vec<NamePattern> =
            self.parts.iter().map(|part| NamePattern::parse(part)).collect::<Result<_, _>>()?;
        let alike = parts.first().is_some_and(|first| parts.iter().all(|p| p.has_expert() == first.has_expert()));
        if !alike {
            return Err(format!("`{}` needs parts, and all or none of them by expert", self.name));
        }
        Ok(StackedTensor { pattern: NamePattern::parse(&self.name)?, parts })
    }
}

impl StackedTensor {
    /// Names and shapes of the parts of a tensor called `name`, in the order in which their bytes follow each other, all
    /// equally long. `None` if it is another tensor or its shape cannot be shared evenly.
    pub fn split(&self, name: &str, shape: &[u64]) -> Option<Vec<(String, Vec<u64>)>> {
        let Captures { layer, .. } = self.pattern.matches(name)?;
        let (experts, shape) = match shape {
            [experts, rest @ ..] if self.parts[0].has_expert() => (Some(*experts), rest),
            _ => (None, shape),
        };
        let [rows, rest @ ..] = shape else { return None };
        let count = self.parts.len() as u64;
        let whole = rows.is_multiple_of(count) && *rows > 0 && rest.iter().all(|dim| *dim > 0);
        if !whole || experts.is_some_and(|experts| experts == 0 || experts > MOST_EXPERTS) {
            return None;
        }
        let shape: Vec<u64> = std::iter::once(rows / count).chain(rest.iter().copied()).collect();
        let numbers = experts.map_or(vec![None], |experts| (0..experts as u32).map(Some).collect());
        let of_expert = |expert| self.parts.iter().map(move |part| part.name(Captures { layer, expert, head: None }));
        Some(numbers.into_iter().flat_map(of_expert).map(|name| (name, shape.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacked(name: &str, parts: &[&str]) -> Result<StackedTensor, String> {
        StackedEntry { name: name.into(), parts: parts.iter().map(|p| (*p).into()).collect() }.read()
    }

    #[test]
    fn parts_follow_each_other_expert_by_expert() {
        let both = stacked("l.{layer}.both", &["l.{layer}.{expert}.gate", "l.{layer}.{expert}.up"]).unwrap();
        let names = |shape: &[u64]| {
            both.split("l.7.both", shape).map(|parts| parts.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[2, 4, 3]).unwrap(), ["l.7.0.gate", "l.7.0.up", "l.7.1.gate", "l.7.1.up"]);
        assert_eq!(both.split("l.7.both", &[2, 4, 3]).unwrap()[0].1, [2, 3]);
        assert!(both.split("l.7.other", &[2, 4, 3]).is_none());
        let other_name = stacked("l.{layer}.router", &["l.{layer}.gate"]).unwrap();
        assert_eq!(other_name.split("l.0.router", &[4, 3]).unwrap(), [("l.0.gate".to_owned(), vec![4, 3])]);
        for hostile in [&[2, 3, 3][..], &[0, 4, 3], &[1 << 40, 4, 0], &[1 << 40, 4, 3], &[2, 0, 3], &[2], &[]] {
            assert_eq!(names(hostile), None, "{hostile:?}");
        }
    }

    #[test]
    fn mistakes_in_descriptions_are_named() {
        assert!(stacked("a", &[]).is_err());
        assert!(stacked("a", &["b.{expert}", "c"]).is_err());
    }
}
