//! Other spellings of a family's tensor names: beginnings that wrappers and older programs add or leave out.

use super::Family;
use serde::Deserialize;
use std::borrow::Cow;

/// One beginning of names and what the family's own names have in its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renaming {
    /// Beginning in the file.
    pub from: String,
    /// Beginning in this description.
    pub to: String,
}

impl Family {
    /// The description's own name for a name of the weight files: the first renaming whose beginning fits.
    pub fn own_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let rest = |r: &Renaming| name.strip_prefix(&r.from).map(|rest| format!("{}{rest}", r.to));
        self.renamings.iter().find_map(rest).map_or(Cow::Borrowed(name), Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::super::builtin;

    #[test]
    fn wrapped_and_bare_names_become_the_family_s_own() {
        let family = |id: &str| builtin().iter().find(|family| family.id == id).unwrap();
        for (id, name, own) in [
            ("gpt2", "h.0.attn.c_attn.weight", "transformer.h.0.attn.c_attn.weight"),
            ("gpt2", "transformer.wte.weight", "transformer.wte.weight"),
            ("gpt2", "heads.weight", "heads.weight"),
            ("gemma3", "language_model.model.norm.weight", "model.norm.weight"),
            ("gemma3", "model.language_model.norm.weight", "model.norm.weight"),
            ("gemma3", "model.norm.weight", "model.norm.weight"),
        ] {
            assert_eq!(family(id).own_name(name), own);
        }
    }
}
