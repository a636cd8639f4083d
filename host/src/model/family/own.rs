//! Families that users describe themselves: TOML files in a folder, for classes that compute like a built-in family.
//!
//! The folder is `LLM_QUANTIZE_FAMILIES`, else `$XDG_CONFIG_HOME/llm-quantize/families`, else
//! `~/.config/llm-quantize/families`. A description has the words of the built-in ones (`host/families/*.toml`) and `like`:
//! the built-in family that every backend takes the model for.

use super::{Family, builtin, nearest};
use crate::model::ModelError;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Names the folder.
const FOLDER: &str = "LLM_QUANTIZE_FAMILIES";
/// Longest description: the longest built-in one has 6 KiB.
const MAX_BYTES: u64 = 256 << 10;
/// Most entries that the folder may have.
const MAX_FILES: usize = 512;

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file or folder.
    pub path: PathBuf,
    /// The rest of the sentence.
    pub problem: String,
}

/// The user's families, read once.
///
/// # Errors
/// The first description that cannot be used, whichever model is opened: a mistake in it must not pass unseen.
pub fn own() -> Result<&'static [Family], ModelError> {
    static OWN: OnceLock<Result<Vec<Family>, Fault>> = OnceLock::new();
    let read = || match folder(|name| std::env::var_os(name)) {
        None => Ok(Vec::new()),
        Some((folder, stated)) if stated || folder.is_dir() => read_families(&folder),
        Some(_) => Ok(Vec::new()),
    };
    match OWN.get_or_init(read) {
        Ok(families) => Ok(families),
        Err(Fault { path, problem }) => Err(ModelError::OwnFamily { path: path.clone(), problem: problem.clone() }),
    }
}

/// The folder, and whether it was named, so that it has to be there.
fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<(PathBuf, bool)> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = path(FOLDER) {
        return Some((folder, true));
    }
    let config = path("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let config = config.or_else(|| path("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".config")))?;
    Some((config.join("llm-quantize/families"), false))
}

/// All descriptions of a folder, in the order of their file names.
///
/// # Errors
/// The first one that cannot be used.
pub fn read_families(folder: &Path) -> Result<Vec<Family>, Fault> {
    let fault = |path: &Path, problem: String| Fault { path: path.to_owned(), problem };
    let entries = std::fs::read_dir(folder).map_err(|e| fault(folder, format!("cannot be read: {e}")))?;
    let mut files = Vec::new();
    for entry in entries.take(MAX_FILES + 1) {
        files.push(entry.map_err(|e| fault(folder, format!("cannot be read: {e}")))?.path());
    }
    if files.len() > MAX_FILES {
        return Err(fault(folder, format!("holds more than {MAX_FILES} entries")));
    }
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    let mut families: Vec<Family> = Vec::new();
    let mut ids: HashSet<String> = builtin().iter().map(|family| family.id.clone()).collect();
    for path in files {
        let mut text = String::new();
        let file = std::fs::File::open(&path).map_err(|e| fault(&path, format!("cannot be read: {e}")))?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|e| fault(&path, format!("cannot be read: {e}")))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(fault(&path, format!("is longer than {MAX_BYTES} bytes")));
        }
        let family = family_like(&text).map_err(|problem| fault(&path, format!("cannot be used: {problem}")))?;
        if !ids.insert(family.id.clone()) {
            return Err(fault(&path, format!("there is another family `{}`", family.id)));
        }
        families.push(family);
    }
    Ok(families)
}

/// One description. What it leaves open in `defaults` is taken from the family that it is like.
///
/// # Errors
/// A sentence about the first mistake.
pub fn family_like(text: &str) -> Result<Family, String> {
    let mut family = Family::from_toml(text)?;
    let base = base(&family)?;
    if family.classes.is_empty() || family.id.is_empty() {
        return Err("`id` and `classes` must say something".to_owned());
    }
    for (key, own, its) in [("norm", &family.norm, &base.norm), ("rope_layout", &family.rope_layout, &base.rope_layout)]
    {
        if own != its {
            return Err(format!("`{key}` is `{own}`, but models like `{}` have `{its}`", base.id));
        }
    }
    for template in &family.templates {
        if !base.templates.iter().any(|its| its.role == template.role && its.part == template.part) {
            let roles = base.templates.iter().map(|its| its.role.to_string());
            let close = nearest(&template.role.to_string(), roles, 3).join(", ");
            return Err(format!(
                "models like `{}` have no {} of the role `{}`; its nearest roles are {close}",
                base.id,
                if template.part.is_empty() { "tensor" } else { &template.part },
                template.role
            ));
        }
    }
    for (key, value) in &base.defaults {
        if !family.defaults.contains_key(key) {
            family.defaults.insert(key.clone(), value.clone());
        }
    }
    Ok(family)
}

impl Family {
    /// The class and the family id that backends are told: a user's family passes for the built-in one that it is like.
    pub fn for_backends(&self, class: String, notes: &mut Vec<String>) -> (String, String) {
        let Some(base) = self.like.as_ref().and_then(|like| builtin().iter().find(|family| family.id == *like)) else {
            return (class, self.id.clone());
        };
        notes.push(format!("`{class}` is your family `{}` and is written like `{}`", self.id, base.id));
        (base.classes[0].clone(), base.id.clone())
    }
}

/// The built-in family that a user's one is like.
fn base(family: &Family) -> Result<&'static Family, String> {
    let ids = || builtin().iter().map(|family| family.id.clone());
    let Some(like) = &family.like else {
        return Err("`like` is missing: it names the built-in family that the models compute like, for example \
                    like = \"llama\""
            .to_owned());
    };
    builtin().iter().find(|family| family.id == *like).ok_or_else(|| {
        format!(
            "`like` names `{like}`, which is no built-in family; did you mean {}?",
            nearest(like, ids(), 3).join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LLAMA: &str = include_str!("../../../families/llama.toml");

    /// The description of Llama with other names for itself and its tensors.
    fn renamed() -> String {
        LLAMA
            .replacen("id = \"llama\"", "id = \"mine\"\nlike = \"llama\"", 1)
            .replace("LlamaForCausalLM", "MineForCausalLM")
            .replace("LLaMAForCausalLM", "MineModel")
            .replace("[\"llama\"]", "[\"mine\"]")
            .replace("model.layers.", "decoder.blocks.")
    }

    #[test]
    fn a_description_like_llama_is_read() {
        let family = family_like(&renamed()).unwrap();
        assert_eq!((family.id.as_str(), family.like.as_deref()), ("mine", Some("llama")));
        assert!(family.templates.iter().any(|t| t.pattern.matches("decoder.blocks.3.mlp.up_proj.weight").is_some()));
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, words) in [
            ("like = \"llama\"\n", "", "`like` is missing"),
            ("like = \"llama\"", "like = \"lama\"", "did you mean llama"),
            ("norm = \"rms\"", "norm = \"layer\"", "models like `llama` have `rms`"),
            ("role = \"attn_norm\"", "role = \"attn_q_norm\"", "nearest roles are"),
            ("rope_layout =", "rope_layuot =", "rope_layuot"),
        ] {
            assert!(renamed().contains(from), "{from}");
            let problem = family_like(&renamed().replacen(from, to, 1)).unwrap_err();
            assert!(problem.contains(words), "{words}: {problem}");
        }
    }

    #[test]
    fn folders_are_read_in_order_with_limits() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
        write("b.toml", &renamed());
        write("notes.txt", "not a description");
        assert_eq!(read_families(place.path()).unwrap().len(), 1);
        write("c.toml", &renamed());
        let fault = read_families(place.path()).unwrap_err();
        assert!(fault.path.ends_with("c.toml") && fault.problem.contains("another family `mine`"), "{fault:?}");
        write("a.toml", &" ".repeat(MAX_BYTES as usize + 1));
        assert!(read_families(place.path()).unwrap_err().problem.contains("longer than 262144 bytes"));
        assert!(read_families(&place.path().join("none")).unwrap_err().problem.contains("cannot be read"));
    }

    #[test]
    fn the_named_folder_wins() {
        let of = |pairs: &'static [(&str, &str)]| {
            folder(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        let home = of(&[("HOME", "/h")]).unwrap();
        assert_eq!(home, ("/h/.config/llm-quantize/families".into(), false));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]).unwrap().0, Path::new("/c/llm-quantize/families"));
        assert_eq!(of(&[("HOME", "/h"), (FOLDER, "f")]).unwrap(), ("f".into(), true));
        assert_eq!(of(&[("XDG_CONFIG_HOME", "relative")]), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_family_or_a_sentence(text in ".{0,300}") {
            prop_assert!(family_like(&text).is_err());
        }

        #[test]
        fn a_spoiled_description_is_a_family_or_a_sentence(at in 0usize..4000, with in "[\\[\\]{}=\"'.*a-z0-9\n]{0,4}") {
            let mut text = renamed();
            let at = at.min(text.len() - 4);
            text.replace_range(at..at + 4, &with);
            if let Err(problem) = family_like(&text) {
                prop_assert!(!problem.is_empty());
            }
        }
    }
}
