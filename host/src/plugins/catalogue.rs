//! Every plugin file that was seen, each with its state, and the choice of one for a format.
//!
//! Two files with one id: the first usable one in search order is used, the others are listed as shadowed. Two plugins
//! with different ids for one format are legal; then `--plugin ID` must say which, because silently preferring one
//! would make the bytes of an output depend on what else is installed.

use super::file_name_of;
use super::search::{Searched, Tier};
use crate::failure::{Class, Failure};
use crate::nearest::nearest;
use llmq_plugin_api::wire::Manifest;
use serde::Serialize;
use std::path::PathBuf;

/// The result of a search.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Catalogue {
    /// Every folder, in search order, absent ones included.
    pub searched: Vec<Searched>,
    /// Every file with the name of a plugin, in search order; one entry per file, however many paths lead to it.
    pub entries: Vec<Entry>,
}

/// One plugin file.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Path as it was found.
    pub path: PathBuf,
    /// Why its folder was searched.
    pub tier: Tier,
    /// What the file says of itself, if it could be read.
    pub manifest: Option<Manifest>,
    /// Whether it can be used.
    pub status: Status,
}

/// Whether a plugin can be used, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum Status {
    /// It can.
    Usable,
    /// An earlier file has the same id.
    Shadowed {
        /// That file.
        by: PathBuf,
    },
    /// Not a whole plugin for this machine.
    Broken(String),
    /// A plugin for another major version of the interface.
    Incompatible(String),
    /// Somebody else may have changed it.
    Untrusted(String),
    /// It crashed when it was tried in a child process; remembered until the file changes.
    Crashed(String),
    /// Switched off by the user.
    Disabled(String),
}

impl Status {
    /// One word for tables.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Usable => "usable",
            Status::Shadowed { .. } => "shadowed",
            Status::Broken(_) => "broken",
            Status::Incompatible(_) => "incompatible",
            Status::Untrusted(_) => "untrusted",
            Status::Crashed(_) => "crashed",
            Status::Disabled(_) => "disabled",
        }
    }

    /// The sentence behind the word; empty for a usable plugin.
    pub fn reason(&self) -> String {
        match self {
            Status::Usable => String::new(),
            Status::Shadowed { by } => format!("{} has the same id and comes first", by.display()),
            Status::Broken(reason)
            | Status::Incompatible(reason)
            | Status::Untrusted(reason)
            | Status::Crashed(reason)
            | Status::Disabled(reason) => reason.clone(),
        }
    }
}

impl Entry {
    /// The plugin's id: the manifest's, else what the file name promises.
    pub fn id(&self) -> String {
        let promised = || self.path.file_name().and_then(|n| super::id_of_file_name(n.to_str()?));
        self.manifest.as_ref().map(|m| m.id.clone()).or_else(promised).unwrap_or_default()
    }

    fn handles(&self, format: &str) -> bool {
        self.manifest.as_ref().is_some_and(|m| m.formats.iter().any(|f| f == format))
    }
}

impl Catalogue {
    /// Plugins that can be used, in search order.
    pub fn usable(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|e| e.status == Status::Usable)
    }

    /// Every usable format with the id of its plugin, in search order. A format of two plugins appears twice.
    pub fn formats(&self) -> Vec<(String, String)> {
        let manifests = self.usable().filter_map(|e| e.manifest.as_ref());
        manifests.flat_map(|m| m.formats.iter().map(|f| (f.clone(), m.id.clone()))).collect()
    }

    /// The plugin of a format, or of `plugin` if the user names one.
    pub fn for_format(&self, format: &str, plugin: Option<&str>) -> Result<&Entry, Failure> {
        if let Some(id) = plugin {
            return self.for_plugin(format, id);
        }
        let able: Vec<&Entry> = self.usable().filter(|e| e.handles(format)).collect();
        match able.as_slice() {
            [one] => Ok(one),
            [] => Err(self.no_plugin_for(format)),
            several => {
                let ids: Vec<String> = several.iter().map(|e| e.id()).collect();
                let message = format!("the format `{format}` is handled by {} plugins: {}", ids.len(), ids.join(", "));
                Err(Failure::new(Class::InvalidArguments, message)
                    .suggest(format!("say which with --plugin, for example --plugin {}", ids[0])))
            }
        }
    }

    fn for_plugin(&self, format: &str, id: &str) -> Result<&Entry, Failure> {
        let refuse = |message: String| Failure::new(Class::InvalidArguments, message);
        if let Some(entry) = self.usable().find(|e| e.id() == id) {
            if entry.handles(format) {
                return Ok(entry);
            }
            let formats = entry.manifest.as_ref().map(|m| m.formats.join(", ")).unwrap_or_default();
            return Err(refuse(format!("the plugin `{id}` does not handle the format `{format}`"))
                .suggest(format!("it handles: {formats}")));
        }
        if let Some(entry) = self.entries.iter().find(|e| e.id() == id) {
            return Err(refuse(unusable(entry)).suggest("`llm-quantize plugins doctor` explains every plugin's state"));
        }
        let known: Vec<String> = self.usable().map(Entry::id).collect();
        Err(refuse(format!("there is no plugin `{id}`")).suggest(suggestion(id, &known, &file_name_of(id))))
    }

    fn no_plugin_for(&self, format: &str) -> Failure {
        let spoiled: Vec<String> = self
            .entries
            .iter()
            .filter(|e| e.status != Status::Usable && (e.handles(format) || e.id() == format))
            .map(unusable)
            .collect();
        if !spoiled.is_empty() {
            let message = format!("no usable plugin handles the format `{format}`. {}", spoiled.join(". "));
            return Failure::new(Class::InvalidArguments, message)
                .suggest("`llm-quantize plugins doctor` explains every plugin's state");
        }
        let mut known: Vec<String> = self.formats().into_iter().map(|(format, _)| format).collect();
        known.sort();
        known.dedup();
        Failure::new(Class::InvalidArguments, format!("no plugin handles the format `{format}`")).suggest(suggestion(
            format,
            &known,
            &file_name_of(format),
        ))
    }
}

fn unusable(entry: &Entry) -> String {
    let (id, path) = (entry.id(), entry.path.display());
    format!("The plugin `{id}` at {path} is {}: {}", entry.status.word(), entry.status.reason())
}

fn suggestion(word: &str, known: &[String], file: &str) -> String {
    if known.is_empty() {
        return format!(
            "no plugin was found at all; put {file} beside the executable or name its folder with --plugin-dir \
             (`llm-quantize plugins doctor` lists the folders searched)"
        );
    }
    let near = nearest(word, known.iter().map(String::as_str));
    let known = known.join(", ");
    match near.as_slice() {
        [] => format!("known here: {known}"),
        near => format!("did you mean `{}`? Known here: {known}", near.join("` or `")),
    }
}
