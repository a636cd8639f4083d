//! Layers by number, range, or distance from either end: `0-3,8,first2,last4`.

/// A choice of layers, independent of how many a model has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers {
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    /// Both inclusive.
    Range(u32, u32),
    First(u32),
    Last(u32),
}

impl Layers {
    /// Reads a comma-separated list, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Layers, String> {
        let spans: Result<Vec<Span>, String> = text.split(',').map(span).collect();
        Ok(Layers { spans: spans? })
    }

    /// Whether a layer is chosen, in a model of `count` layers.
    pub fn contains(&self, layer: u32, count: u32) -> bool {
        self.spans.iter().any(|span| match span {
            Span::Range(first, last) => (*first..=*last).contains(&layer),
            Span::First(number) => layer < *number,
            Span::Last(number) => layer >= count.saturating_sub(*number),
        })
    }

    /// The largest layer that is named by number and that a model of `count` layers does not have.
    pub fn beyond(&self, count: u32) -> Option<u32> {
        let named = self.spans.iter().filter_map(|span| match span {
            Span::Range(_, last) => Some(*last),
            Span::First(number) | Span::Last(number) => number.checked_sub(1),
        });
        named.max().filter(|last| *last >= count)
    }
}

fn span(text: &str) -> Result<Span, String> {
    let number = |word: &str| {
        word.parse::<u32>().map_err(|_| format!("`{text}` is not a layer, a range like 0-3, firstN or lastN"))
    };
    let counted = |word: &str| match number(word)? {
        0 => Err(format!("`{text}` chooses no layer")),
        count => Ok(count),
    };
    if let Some(count) = text.strip_prefix("first") {
        return Ok(Span::First(counted(count)?));
    }
    if let Some(count) = text.strip_prefix("last") {
        return Ok(Span::Last(counted(count)?));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first)?, number(last)?) {
        (first, last) if first <= last => Ok(Span::Range(first, last)),
        _ => Err(format!("the range `{text}` runs backwards")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chosen(text: &str, count: u32) -> Vec<u32> {
        let layers = Layers::parse(text).unwrap();
        (0..count).filter(|layer| layers.contains(*layer, count)).collect()
    }

    #[test]
    fn numbers_ranges_and_ends() {
        assert_eq!(chosen("3", 8), [3]);
        assert_eq!(chosen("0-2,5", 8), [0, 1, 2, 5]);
        assert_eq!(chosen("first2,last3", 8), [0, 1, 5, 6, 7]);
        assert_eq!(Layers::parse("0-2,9").unwrap().beyond(8), Some(9));
        assert_eq!(Layers::parse("last9").unwrap().beyond(8), Some(8));
        assert_eq!(Layers::parse("last8").unwrap().beyond(8), None);
        for (text, words) in [
            ("", "is not a layer"),
            ("1,", "is not a layer"),
            ("x", "`x` is not a layer"),
            ("5-2", "runs backwards"),
            ("last0", "chooses no layer"),
            ("-1", "is not a layer"),
            ("4294967296", "is not a layer"),
        ] {
            let message = Layers::parse(text).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}", count in 0u32..40) {
            if let Ok(layers) = Layers::parse(&text) {
                for layer in 0..count {
                    layers.contains(layer, count);
                }
                layers.beyond(count);
            }
        }

        #[test]
        fn a_written_choice_is_the_choice(
            ranges in prop::collection::vec((0u32..32, 0u32..32), 1..5), ends in (1u32..9, 1u32..9), count in 1u32..32,
        ) {
            let ranges: Vec<(u32, u32)> = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let mut words: Vec<String> = ranges.iter().map(|(a, b)| format!("{a}-{b}")).collect();
            words.push(format!("first{}", ends.0));
            words.push(format!("last{}", ends.1));
            let layers = Layers::parse(&words.join(",")).unwrap();
            for layer in 0..count {
                let expected = ranges.iter().any(|(a, b)| (*a..=*b).contains(&layer))
                    || layer < ends.0
                    || layer + ends.1 >= count;
                prop_assert_eq!(layers.contains(layer, count), expected, "{}", layer);
            }
        }
    }
}
