//! The entries, by family group: which host families an architecture serves, what its tensors are called, which keys it
//! writes.

mod bert;
mod bitnet;
mod deepseek;
mod gemma;
mod glm;
mod gpt;
mod gpt_oss;
mod internlm;
mod layer_norm;
mod llama;
mod nemotron;
mod olmo;
mod phi;
mod qwen;
mod shared;

use super::{Key, Line};

/// How GGUF sees a group of model families.
#[derive(Debug)]
pub struct Architecture {
    /// `general.architecture`, also the prefix of its keys.
    pub name: &'static str,
    /// Families of the host that are written as this architecture.
    pub families: &'static [&'static str],
    /// What tells files of this entry from those of other entries with the same name.
    pub mark: Option<Mark>,
    /// Class that a reader names in the rebuilt config.json.
    pub class: &'static str,
    /// Model type that a reader names in the rebuilt config.json.
    pub model_type: &'static str,
    /// Llama's words of config.json with what the class calls them instead.
    pub words: &'static [(&'static str, &'static str)],
    /// Activation that a reader names in the rebuilt config.json.
    pub activation: &'static str,
    /// Its operations.
    pub lines: &'static [&'static [Line]],
    /// Keys in front of `general.file_type`, in the converter's order.
    pub keys: &'static [&'static [Key]],
    /// Keys behind it.
    pub late_keys: &'static [&'static [Key]],
}

/// Something that only files of one entry have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A key, without the architecture in front.
    Key(&'static str),
    /// A tensor.
    Tensor(&'static str),
}

/// All groups. A new group is a file and its line here.
static GROUPS: &[&[Architecture]] = &[
    llama::ENTRIES,
    qwen::ENTRIES,
    gemma::ENTRIES,
    phi::ENTRIES,
    olmo::ENTRIES,
    layer_norm::ENTRIES,
    gpt::ENTRIES,
    glm::ENTRIES,
    internlm::ENTRIES,
    nemotron::ENTRIES,
    bert::ENTRIES,
    deepseek::ENTRIES,
    gpt_oss::ENTRIES,
    bitnet::ENTRIES,
];

impl Architecture {
    /// Its operations, one after the other.
    pub fn lines(&self) -> impl Iterator<Item = &'static Line> {
        self.lines.iter().copied().flatten()
    }

    /// Whether llama.cpp is told of a sliding window.
    pub fn has_window(&self) -> bool {
        self.keys
            .iter()
            .chain(self.late_keys)
            .copied()
            .flatten()
            .any(|key| matches!(key, Key::SlidingWindow | Key::Count { key: "attention.sliding_window", .. }))
    }
}

/// All entries.
pub fn all() -> impl Iterator<Item = &'static Architecture> {
    GROUPS.iter().copied().flatten()
}

/// The architecture that a family of the host is written as.
pub fn by_family(family: &str) -> Option<&'static Architecture> {
    all().find(|arch| arch.families.contains(&family))
}

/// The architecture of a `general.architecture` value; `has` answers whether the file has something.
pub fn by_name(name: &str, has: impl Fn(Mark) -> bool) -> Option<&'static Architecture> {
    let named = || all().filter(|arch| arch.name == name);
    let marked = named().find(|arch| arch.mark.is_some_and(&has));
    marked.or_else(|| named().find(|arch| arch.mark.is_none()))
}

/// Every family that can be written.
pub fn families() -> Vec<String> {
    all().flat_map(|arch| arch.families).map(|family| (*family).to_owned()).collect()
}
