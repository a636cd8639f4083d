//! Options of a request by type. The host has checked them; a host that has not gets an error.

use llmq_plugin_api::sdk::{Error, Kind};
use llmq_plugin_api::wire::{OptionSpec, Request};
use serde_json::Value;

/// An option that cannot be used, with the sentence.
pub fn invalid(option: &str, message: String) -> Error {
    Error::new(Kind::InvalidRequest, message).subject(option)
}

/// A word that an option does not have.
pub fn unknown_word(option: &str, word: &str, words: &str) -> Error {
    invalid(option, format!("the option `{option}` is `{word}`; it must be {words}"))
}

/// The options of a request.
pub struct Given<'a>(pub &'a Request);

impl<'a> Given<'a> {
    /// Refuses options that there are not.
    pub fn only_known(&self, specs: &[OptionSpec]) -> Result<(), Error> {
        match self.0.options.keys().find(|name| !specs.iter().any(|spec| spec.name == **name)) {
            Some(unknown) => Err(invalid(unknown, format!("there is no option `{unknown}`"))),
            None => Ok(()),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.options.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(&self, name: &str, what: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let unfit = || invalid(name, format!("the option `{name}` is {value}; it must be {what}"));
        read(value).map(Some).ok_or_else(unfit)
    }

    /// Text.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Error> {
        self.typed(name, "text", Value::as_str)
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// A whole number within limits, both inclusive.
    pub fn whole(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>, Error> {
        let what = format!("a whole number from {min} to {max}");
        self.typed(name, &what, |value| value.as_i64().filter(|number| (min..=max).contains(number)))
    }

    /// A number within limits, both inclusive.
    pub fn number(&self, name: &str, min: f64, max: f64) -> Result<Option<f64>, Error> {
        let what = format!("a number from {min} to {max}");
        self.typed(name, &what, |value| value.as_f64().filter(|number| (min..=max).contains(number)))
    }

    /// Several texts; none if the option is absent.
    pub fn texts(&self, name: &str) -> Result<Vec<&'a str>, Error> {
        let read = |value: &'a Value| value.as_array()?.iter().map(Value::as_str).collect();
        Ok(self.typed(name, "a list of texts", read)?.unwrap_or_default())
    }
}

/// Largest file of weights if nobody says, as Hugging Face's tools have it.
pub const SHARD: &str = "5GB";

/// A size such as `5GB` of the option `max_shard_size`, in bytes.
pub fn bytes(text: &str) -> Result<u64, Error> {
    let unfit = || {
        let message =
            format!("the option `max_shard_size` is `{text}`; it must be a size such as 5GB, 500MB or 1000000");
        invalid("max_shard_size", message)
    };
    let upper = text.trim().to_ascii_uppercase();
    let bare = upper.strip_suffix('B').unwrap_or(&upper);
    let (digits, unit) = match bare.as_bytes().last() {
        Some(b'K') => (&bare[..bare.len() - 1], 1000),
        Some(b'M') => (&bare[..bare.len() - 1], 1_000_000),
        Some(b'G') => (&bare[..bare.len() - 1], 1_000_000_000),
        Some(b'T') => (&bare[..bare.len() - 1], 1_000_000_000_000),
        _ => (bare, 1),
    };
    let size = digits.trim().parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    size.filter(|size| *size > 0).ok_or_else(unfit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(bytes("5GB").unwrap(), 5_000_000_000);
        assert_eq!((bytes("12k").unwrap(), bytes(" 7 ").unwrap()), (12_000, 7));
        for text in ["", "B", "0", "-1", "5 XB", "99999999999G", "1.5G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
