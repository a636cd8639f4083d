//! The environment's say: server, cache, token, patience. Read once, then passed on.

use crate::failure::{Class, Failure};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Uri;

const HUB: &str = "https://huggingface.co";

/// A secret that shows itself to nobody but [`Token::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The secret. For the one header that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Everything the environment decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address of the server, without a slash at the end.
    pub endpoint: String,
    /// The folder that holds `models--org--name`.
    pub cache: PathBuf,
    /// What opens gated and private repositories.
    pub token: Option<Token>,
    /// Whether only the cache may answer.
    pub offline: bool,
    /// Longest wait for a connection, and then for the head of an answer.
    pub answer_timeout: Duration,
    /// Longest silence inside a body.
    pub stall_timeout: Duration,
    /// Attempts in a row that may fail without a byte of progress.
    pub attempts: u32,
    /// Pause after the first failed attempt; each further one is twice as long.
    pub backoff: Duration,
}

impl Settings {
    /// The settings of this process.
    pub fn of_process() -> Result<Settings, Failure> {
        Settings::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// The settings that variables make.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, Failure> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let switch = |name: &str| {
            set(name).is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str()))
        };
        let home = path("HF_HOME")
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| path("HOME").or_else(|| path("USERPROFILE")).map(|home| home.join(".cache/huggingface")));
        let cache = path("LLM_QUANTIZE_CACHE")
            .or_else(|| path("HF_HUB_CACHE"))
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| home.as_ref().map(|home| home.join("hub")))
            .ok_or_else(|| {
                wrong("No folder for downloads is known: none of LLM_QUANTIZE_CACHE, HF_HUB_CACHE, HF_HOME and HOME is set")
                    .suggest("Set LLM_QUANTIZE_CACHE to a folder with room for the model")
            })?;
        let of_file = || {
            let file = path("HF_TOKEN_PATH").or_else(|| home.as_ref().map(|home| home.join("token")))?;
            std::fs::read_to_string(file).ok()
        };
        let token = match switch("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            true => None,
            false => set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")).or_else(of_file),
        };
        Ok(Settings {
            endpoint: endpoint(set("HF_ENDPOINT").as_deref().unwrap_or(HUB))?,
            cache,
            token: token
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty())
                .map(secret)
                .transpose()?,
            offline: switch("HF_HUB_OFFLINE") || switch("TRANSFORMERS_OFFLINE"),
            answer_timeout: seconds("HF_HUB_ETAG_TIMEOUT", set("HF_HUB_ETAG_TIMEOUT"), 30.0)?,
            stall_timeout: seconds("HF_HUB_DOWNLOAD_TIMEOUT", set("HF_HUB_DOWNLOAD_TIMEOUT"), 30.0)?,
            attempts: match set("LLM_QUANTIZE_HUB_ATTEMPTS") {
                None => 5,
                Some(text) => text.trim().parse().ok().filter(|n| (1..=100).contains(n)).ok_or_else(|| {
                    wrong(format!("LLM_QUANTIZE_HUB_ATTEMPTS is `{text}`, not a number from 1 to 100"))
                })?,
            },
            backoff: seconds("LLM_QUANTIZE_HUB_BACKOFF", set("LLM_QUANTIZE_HUB_BACKOFF"), 1.0)?,
        })
    }
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::new(Class::InvalidArguments, message)
}

fn endpoint(typed: &str) -> Result<String, Failure> {
    let address = typed.trim().trim_end_matches('/');
    let valid = address.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none()
    });
    // A name and password in the address would reach logs and error texts.
    match valid && !address.contains('@') {
        true => Ok(address.to_owned()),
        false => Err(wrong("HF_ENDPOINT is no address of a server")
            .suggest("Write it like https://huggingface.co, without a user name; the token goes into HF_TOKEN")),
    }
}

fn secret(text: String) -> Result<Token, Failure> {
    match text.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(Token(text)),
        false => Err(wrong("The Hugging Face token holds characters that no token has (it is not shown here)")
            .suggest("Check HF_TOKEN, HF_TOKEN_PATH or the file `token` in HF_HOME; `hf auth login` writes it anew")),
    }
}

fn seconds(name: &str, typed: Option<String>, default: f64) -> Result<Duration, Failure> {
    let Some(typed) = typed else { return Ok(Duration::from_secs_f64(default)) };
    let number = typed.trim().parse::<f64>().ok().filter(|n| (0.001..=86_400.0).contains(n));
    number
        .map(Duration::from_secs_f64)
        .ok_or_else(|| wrong(format!("{name} is `{typed}`, not a number of seconds from 0.001 to 86400")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(set: &[(&str, &str)]) -> Result<Settings, Failure> {
        Settings::read(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_cache_is_found_in_the_documented_order() {
        let all = [
            ("LLM_QUANTIZE_CACHE", "/own", "/own"),
            ("HF_HUB_CACHE", "/hub", "/hub"),
            ("HUGGINGFACE_HUB_CACHE", "/old", "/old"),
            ("HF_HOME", "/hf", "/hf/hub"),
            ("XDG_CACHE_HOME", "/xdg", "/xdg/huggingface/hub"),
            ("HOME", "/me", "/me/.cache/huggingface/hub"),
        ];
        for first in 0..all.len() {
            let set: Vec<_> = all[first..].iter().map(|(name, value, _)| (*name, *value)).collect();
            assert_eq!(read(&set).unwrap().cache, Path::new(all[first].2));
        }
        assert_eq!(read(&[]).unwrap_err().class, Class::InvalidArguments);
        assert_eq!(read(&[("HF_HOME", ""), ("HOME", "/me")]).unwrap().cache, Path::new("/me/.cache/huggingface/hub"));
    }

    #[test]
    fn the_token_is_found_in_the_documented_order_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (home, other) = (folder.path().to_str().unwrap(), folder.path().join("other"));
        std::fs::write(folder.path().join("token"), "hf_home\n").unwrap();
        std::fs::write(&other, " hf_path ").unwrap();
        let all = [
            ("HF_TOKEN", "hf_one", "hf_one"),
            ("HUGGING_FACE_HUB_TOKEN", "hf_old", "hf_old"),
            ("HF_TOKEN_PATH", other.to_str().unwrap(), "hf_path"),
            ("HF_HOME", home, "hf_home"),
        ];
        for first in 0..all.len() {
            let set: Vec<_> = all[first..].iter().map(|(name, value, _)| (*name, *value)).collect();
            let settings = read(&set).unwrap();
            assert_eq!(settings.token.as_ref().unwrap().reveal(), all[first].2);
            assert!(!format!("{settings:?}").contains("hf_one"), "{settings:?}");
        }
        assert_eq!(read(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).unwrap().token, None);
        let refused = read(&[("HOME", "/me"), ("HF_TOKEN", "hf_se\ncret")]).unwrap_err();
        assert!(!refused.message.contains("cret"), "{refused}");
    }

    #[test]
    fn addresses_and_times_are_checked() {
        let with = |name, value| read(&[("HOME", "/me"), (name, value)]);
        assert_eq!(with("HF_ENDPOINT", "http://127.0.0.1:80/hf/").unwrap().endpoint, "http://127.0.0.1:80/hf");
        for wrong in ["huggingface.co", "ftp://x", "https://", "https://me:pass@x"] {
            let refused = with("HF_ENDPOINT", wrong).unwrap_err();
            assert!(!refused.message.contains("pass"), "{refused}");
        }
        assert_eq!(with("HF_HUB_DOWNLOAD_TIMEOUT", "0.25").unwrap().stall_timeout, Duration::from_millis(250));
        for wrong in ["0", "-1", "NaN", "soon", "1e9"] {
            assert!(with("HF_HUB_ETAG_TIMEOUT", wrong).is_err(), "{wrong}");
        }
        assert!(with("LLM_QUANTIZE_HUB_ATTEMPTS", "0").is_err());
        assert!(with("HF_HUB_OFFLINE", "1").unwrap().offline && !with("HF_HUB_OFFLINE", "0").unwrap().offline);
    }
}
