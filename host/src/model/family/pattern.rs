//! Tensor name patterns: literal segments between dots, `{layer}`, `{expert}` and `{head}` standing for numbers, and
//! `{rest}` at the end for anything.

/// Numbers found in a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Captures {
    /// Value of `{layer}`.
    pub layer: Option<u32>,
    /// Value of `{expert}`.
    pub expert: Option<u32>,
    /// Value of `{head}`.
    pub head: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Layer,
    Expert,
    Head,
    /// One segment or more, only at the end.
    Rest,
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(Vec<Segment>);

impl NamePattern {
    /// Parses for example `model.layers.{layer}.self_attn.q_proj.weight`.
    pub fn parse(text: &str) -> Result<NamePattern, String> {
        let mut segments = Vec::new();
        for word in text.split('.') {
            let segment = match word {
                "{layer}" => Segment::Layer,
                "{expert}" => Segment::Expert,
                "{head}" => Segment::Head,
                "{rest}" => Segment::Rest,
                "" => return Err(format!("pattern `{text}` has an empty segment")),
                other if other.contains(['{', '}']) => {
                    return Err(format!(
                        "pattern `{text}`: `{other}` is none of {{layer}}, {{expert}}, {{head}} and {{rest}}"
                    ));
                }
                other => Segment::Literal(other.to_owned()),
            };
            if segments.contains(&segment) && !matches!(segment, Segment::Literal(_)) {
                return Err(format!("pattern `{text}` has `{word}` twice"));
            }
            if segments.last() == Some(&Segment::Rest) {
                return Err(format!("pattern `{text}` goes on behind {{rest}}"));
            }
            segments.push(segment);
        }
        Ok(NamePattern(segments))
    }

    /// The numbers in `name` if it fits, else `None`.
    pub fn matches(&self, name: &str) -> Option<Captures> {
        let (captures, rest) = self.begin(name)?;
        rest.is_none().then_some(captures)
    }

    /// The numbers in the beginning of `name`, if that fits and something follows it.
    pub fn matches_beginning(&self, name: &str) -> Option<Captures> {
        let (captures, rest) = self.begin(name)?;
        rest.is_some().then_some(captures)
    }

    /// The numbers in as many segments of `name` as the pattern has, and the segment behind them.
    fn begin<'n>(&self, name: &'n str) -> Option<(Captures, Option<&'n str>)> {
        let mut captures = Captures::default();
        let mut words = name.split('.');
        for segment in &self.0 {
            let word = words.next()?;
            match segment {
                Segment::Literal(literal) if literal == word => {}
                Segment::Literal(_) => return None,
                Segment::Layer => captures.layer = Some(number(word)?),
                Segment::Expert => captures.expert = Some(number(word)?),
                Segment::Head => captures.head = Some(number(word)?),
                Segment::Rest => return Some((captures, None)),
            }
        }
        Some((captures, words.next()))
    }

    /// The name for given numbers; a number that was not given shows as its placeholder.
    pub fn name(&self, numbers: Captures) -> String {
        let shown = |number: Option<u32>, word: &str| number.map_or_else(|| word.to_owned(), |n| n.to_string());
        let words: Vec<String> = self
            .0
            .iter()
            .map(|segment| match segment {
                Segment::Literal(literal) => literal.clone(),
                Segment::Layer => shown(numbers.layer, "{layer}"),
                Segment::Expert => shown(numbers.expert, "{expert}"),
                Segment::Head => shown(numbers.head, "{head}"),
                Segment::Rest => "{rest}".to_owned(),
            })
            .collect();
        words.join(".")
    }

    /// Whether `{layer}` occurs.
    pub fn has_layer(&self) -> bool {
        self.0.contains(&Segment::Layer)
    }

    /// Whether `{head}` occurs.
    pub fn has_head(&self) -> bool {
        self.0.contains(&Segment::Head)
    }

    /// Whether it ends with `{rest}`.
    pub fn is_open(&self) -> bool {
        self.0.contains(&Segment::Rest)
    }

    /// Whether `{expert}` occurs.
    pub fn has_expert(&self) -> bool {
        self.0.contains(&Segment::Expert)
    }
}

/// Digits without sign or leading zeros: `01` is another name than `1`, and both at once would be one tensor twice.
fn number(word: &str) -> Option<u32> {
    let digits = word.bytes().all(|b| b.is_ascii_digit());
    (digits && (word == "0" || !word.starts_with('0'))).then(|| word.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_numbers_and_writes_them_back() {
        let pattern = NamePattern::parse("model.layers.{layer}.experts.{expert}.w1.weight").unwrap();
        let name = "model.layers.12.experts.0.w1.weight";
        let captures = pattern.matches(name).unwrap();
        assert_eq!(captures, Captures { layer: Some(12), expert: Some(0), head: None });
        assert_eq!(pattern.name(captures), name);
        assert_eq!(pattern.name(Captures::default()), "model.layers.{layer}.experts.{expert}.w1.weight");
    }

    #[test]
    fn near_misses_do_not_match() {
        let pattern = NamePattern::parse("layers.{layer}.w").unwrap();
        for name in ["layers.1", "layers.1.w.x", "layers.01.w", "layers.-1.w", "layers..w", "layers.4294967296.w", ""] {
            assert_eq!(pattern.matches(name), None, "{name}");
        }
        assert_eq!(pattern.matches("layers.4294967295.w").unwrap().layer, Some(u32::MAX));
        let layer = NamePattern::parse("layers.{layer}").unwrap();
        assert_eq!(layer.matches_beginning("layers.3.w.x").unwrap().layer, Some(3));
        assert_eq!((layer.matches_beginning("layers.3"), layer.matches_beginning("layer.3.w")), (None, None));
    }

    #[test]
    fn the_rest_of_a_name_is_anything_but_nothing() {
        let pattern = NamePattern::parse("vision_tower.{rest}").unwrap();
        assert!(pattern.matches("vision_tower.layers.0.norm.weight").is_some());
        assert!(pattern.matches("vision_tower.x").is_some());
        assert!(pattern.matches("vision_tower").is_none());
        assert!(pattern.matches("vision_towers.x").is_none());
    }

    #[test]
    fn wrong_patterns_are_refused() {
        for text in ["", "a..b", "{rest}.a", "a.{block}", "a.x{layer}", "{layer}.{layer}"] {
            assert!(NamePattern::parse(text).is_err(), "{text}");
        }
    }
}
