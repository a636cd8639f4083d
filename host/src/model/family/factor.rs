//! Factors that family descriptions state as formulas: `config.scale_depth / sqrt(layers)`.

use crate::model::ModelError;
use crate::model::config::Fields;

/// Numbers and names, multiplied and divided from left to right.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    divides: bool,
    root: bool,
    value: TermValue,
}

#[derive(Debug, Clone, PartialEq)]
enum TermValue {
    Number(f64),
    /// A positive number of config.json.
    Key(String),
}

/// Names that stand for keys under which every family has them.
const NAMES: &[(&str, &str)] = &[("hidden", "hidden_size"), ("layers", "num_hidden_layers"), ("head_dim", "head_dim")];

impl Factor {
    /// Parses a formula.
    pub(super) fn parse(text: &str) -> Result<Factor, String> {
        let mut terms = Vec::new();
        let mut divides = false;
        for (number, piece) in text.split_inclusive(['*', '/']).enumerate() {
            let word = piece.trim_end_matches(['*', '/']).trim();
            let inner = word.strip_prefix("sqrt(").and_then(|rest| rest.strip_suffix(')'));
            let name = inner.unwrap_or(word).trim();
            let key = name.strip_prefix(super::schema::CONFIG_NAME).filter(|key| !key.is_empty());
            let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, key)| *key);
            let value = match (name.parse::<f64>().ok().filter(|x| x.is_finite() && *x > 0.0), key.or(known)) {
                (Some(number), _) => TermValue::Number(number),
                (None, Some(key)) => TermValue::Key(key.to_owned()),
                (None, None) => {
                    return Err(format!(
                        "`{text}` has `{name}` as term {}, which is no number, none of hidden, layers, \
                         head_dim, and does not begin with `config.`",
                        number + 1
                    ));
                }
            };
            terms.push(Term { divides, root: inner.is_some(), value });
            divides = piece.ends_with('/');
        }
        if terms.is_empty() || text.trim_end().ends_with(['*', '/']) {
            return Err(format!("`{text}` is no complete formula"));
        }
        Ok(Factor { terms })
    }

    /// Its value for a config.json.
    pub fn value(&self, fields: &Fields<'_>) -> Result<f64, ModelError> {
        self.terms.iter().try_fold(1.0, |product, term| {
            let value = match &term.value {
                TermValue::Number(number) => *number,
                TermValue::Key(key) => fields.positive(key)?,
            };
            let value = if term.root { value.sqrt() } else { value };
            Ok(if term.divides { product / value } else { product * value })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::family::Families;

    #[test]
    fn formulas_are_computed_from_left_to_right() {
        let config = serde_json::json!({ "hidden_size": 16, "num_hidden_layers": 4, "scale_depth": 1.4 });
        let config = config.as_object().unwrap();
        let family = Families::default().by_model_type("llama", config).unwrap();
        let fields = Fields::new(config, family);
        for (text, expected) in
            [("sqrt(hidden)", 4.0), ("config.scale_depth / sqrt(layers)", 0.7), ("1 / hidden * 8", 0.5)]
        {
            assert!((Factor::parse(text).unwrap().value(&fields).unwrap() - expected).abs() < 1e-12, "{text}");
        }
        assert!(Factor::parse("config.nothing").unwrap().value(&fields).is_err());
        for text in ["", "hidden *", "width", "sqrt(hidden", "-1", "config."] {
            assert!(Factor::parse(text).is_err(), "{text}");
        }
    }
}
