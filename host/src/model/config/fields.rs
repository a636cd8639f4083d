//! Typed access to config.json: the file's word first, then the class default, else an error that names the key.

use crate::model::ModelError;
use crate::model::family::Family;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// One config.json seen through a family: its defaults and its own words for keys.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    config: &'a Map<String, Value>,
    family: &'a Family,
}

impl<'a> Fields<'a> {
    /// Looks at `config`, the text model's part, as a member of `family`.
    pub fn new(config: &'a Map<String, Value>, family: &'a Family) -> Fields<'a> {
        Fields { config, family }
    }

    /// The family that config.json is read for.
    pub fn family(&self) -> &'a Family {
        self.family
    }

    /// This family's word for a key.
    fn word<'k>(&self, key: &'k str) -> &'k str
    where
        'a: 'k,
    {
        self.family.keys.get(key).map_or(key, String::as_str)
    }

    /// What the file itself says; null counts as silence.
    pub fn stated(&self, key: &str) -> Option<&'a Value> {
        self.config.get(self.word(key)).filter(|value| !value.is_null())
    }

    /// Whether the file says null, which some keys distinguish from silence.
    pub fn is_null(&self, key: &str) -> bool {
        self.config.get(self.word(key)).is_some_and(Value::is_null)
    }

    fn value(&self, key: &str) -> Option<Cow<'a, Value>> {
        let default = || self.family.defaults.get(key).and_then(|d| serde_json::to_value(d).ok());
        self.stated(key).map(Cow::Borrowed).or_else(|| default().map(Cow::Owned))
    }

    fn required(&self, key: &str, expected: &str) -> Result<Cow<'a, Value>, ModelError> {
        self.value(key).ok_or_else(|| refuse(self.word(key), None, expected))
    }

    /// A whole number in a range.
    pub fn count(&self, key: &str, range: RangeInclusive<u32>) -> Result<u32, ModelError> {
        let value = self.required(key, &whole_number(&range))?;
        as_count(self.word(key), &value, range)
    }

    /// A whole number in a range, or `None` where neither file nor class give one.
    pub fn count_if_any(&self, key: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ModelError> {
        match self.value(key) {
            Some(value) if !self.is_null(key) => as_count(self.word(key), &value, range).map(Some),
            _ => Ok(None),
        }
    }

    /// A number above 0, or `None` where neither file nor class give one.
    pub fn positive_if_any(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.value(key) {
            Some(value) if !self.is_null(key) => as_positive(self.word(key), &value).map(Some),
            _ => Ok(None),
        }
    }

    /// A number above 0.
    pub fn positive(&self, key: &str) -> Result<f64, ModelError> {
        let value = self.required(key, POSITIVE)?;
        as_positive(self.word(key), &value)
    }

    /// True or false; `not KEY` turns it around.
    pub fn switch(&self, key: &str) -> Result<bool, ModelError> {
        if let Some(key) = key.strip_prefix("not ") {
            return self.switch(key).map(|value| !value);
        }
        let value = self.required(key, "true or false")?;
        value.as_bool().ok_or_else(|| refuse(self.word(key), Some(&value), "true or false"))
    }

    /// `sliding_window_pattern`: a number n, every n-th layer being full, or letters, L for each layer with a window.
    pub fn sliding_pattern(&self) -> Result<Vec<bool>, ModelError> {
        let key = "sliding_window_pattern";
        if let Some(Value::String(letters)) = self.stated(key) {
            let known = !letters.is_empty() && letters.len() <= 4096 && letters.bytes().all(|b| b"LG".contains(&b));
            let refused = || refuse(key, self.stated(key), "a number, or letters L (window) and G (full)");
            return known.then(|| letters.bytes().map(|b| b == b'L').collect()).ok_or_else(refused);
        }
        let every = self.count(key, 1..=4096)?;
        Ok((1..=every).map(|layer| layer != every).collect())
    }

    /// A word.
    pub fn text(&self, key: &str) -> Result<String, ModelError> {
        let expected = "a non-empty string";
        let value = self.required(key, expected)?;
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| refuse(self.word(key), Some(&value), expected))
    }
}

const POSITIVE: &str = "a finite number above 0";

fn whole_number(range: &RangeInclusive<u32>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

/// Reads a whole number in a range; `4096.0` counts, as JSON has only one kind of number.
pub(super) fn as_count(key: &str, value: &Value, range: RangeInclusive<u32>) -> Result<u32, ModelError> {
    let exact = value.as_u64().or_else(|| value.as_f64().filter(|x| x.fract() == 0.0 && *x >= 0.0).map(|x| x as u64));
    let count = exact.and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n));
    count.ok_or_else(|| refuse(key, Some(value), &whole_number(&range)))
}

/// Reads a finite number above 0.
pub(super) fn as_positive(key: &str, value: &Value) -> Result<f64, ModelError> {
    let number = value.as_f64().filter(|x| x.is_finite() && *x > 0.0);
    number.ok_or_else(|| refuse(key, Some(value), POSITIVE))
}

/// The error for a key that is not what it must be.
pub(super) fn refuse(key: &str, value: Option<&Value>, expected: &str) -> ModelError {
    let mut shown = value.map_or_else(|| "not there".to_owned(), Value::to_string);
    if shown.chars().count() > 60 {
        shown = shown.chars().take(57).chain("...".chars()).collect();
    }
    ModelError::Config { key: key.to_owned(), value: shown, expected: expected.to_owned() }
}
