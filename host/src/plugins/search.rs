//! Where plugins are looked for, in which order: the first usable file of an id wins.

use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Environment variable with a list of folders, in the system's `PATH` syntax.
const PLUGIN_PATH: &str = "LLM_QUANTIZE_PLUGIN_PATH";

/// Environment variable with ids, separated by commas, that must not be used.
const DISABLED: &str = "LLM_QUANTIZE_DISABLE_PLUGINS";

/// What to search.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Folders of `--plugin-dir`, searched first.
    pub plugin_dirs: Vec<PathBuf>,
    /// `--allow-insecure-plugins`: skip the checks of owner and permissions.
    pub allow_insecure: bool,
    /// Whether to look at the environment and the standard folders at all. Without it, only [`Self::plugin_dirs`]
    /// count, which is what a test wants.
    pub env: bool,
}

/// Why a folder is searched, in search order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Named with `--plugin-dir`.
    PluginDir,
    /// Listed in `LLM_QUANTIZE_PLUGIN_PATH`.
    PluginPath,
    /// `$XDG_DATA_HOME/llm-quantize/plugins`, by default below `~/.local/share`.
    User,
    /// `../lib/llm-quantize/plugins`, seen from the executable's folder.
    Installed,
    /// The executable's own folder, or `plugins` in it.
    BesideExecutable,
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Tier::PluginDir => "--plugin-dir",
            Tier::PluginPath => PLUGIN_PATH,
            Tier::User => "user folder",
            Tier::Installed => "installed",
            Tier::BesideExecutable => "beside the executable",
        })
    }
}

/// A folder that was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Searched {
    /// The folder.
    pub path: PathBuf,
    /// Why it was searched.
    pub tier: Tier,
    /// What was found there.
    pub found: Folder,
}

/// What a search folder was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Folder {
    /// It was read and holds so many files with the name of a plugin.
    Read(usize),
    /// It does not exist, which is no fault for a standard folder.
    Absent,
    /// It could not be searched.
    Refused(String),
}

/// What the environment says; a value so that tests need not change the process.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub plugin_path: Option<OsString>,
    pub disabled: Option<OsString>,
    pub data_home: Option<OsString>,
    pub home: Option<OsString>,
    pub executable: Option<PathBuf>,
}

impl Surroundings {
    pub fn of_process() -> Surroundings {
        Surroundings {
            plugin_path: std::env::var_os(PLUGIN_PATH),
            disabled: std::env::var_os(DISABLED),
            data_home: std::env::var_os("XDG_DATA_HOME"),
            home: std::env::var_os("HOME"),
            executable: std::env::current_exe().and_then(|path| path.canonicalize()).ok(),
        }
    }

    /// Ids that must not be used.
    pub fn disabled_ids(&self) -> Vec<String> {
        let text = self.disabled.as_ref().map(|t| t.to_string_lossy().into_owned()).unwrap_or_default();
        text.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect()
    }
}

impl Search {
    /// The folders in order. The current folder, `PATH` and `LD_LIBRARY_PATH` are deliberately absent: a plugin must
    /// not come from wherever the user happens to stand.
    pub(super) fn folders(&self, around: &Surroundings) -> Vec<(PathBuf, Tier)> {
        let mut folders: Vec<_> = self.plugin_dirs.iter().map(|d| (d.clone(), Tier::PluginDir)).collect();
        if !self.env {
            return folders;
        }
        let listed = around.plugin_path.iter().flat_map(std::env::split_paths);
        // An empty entry means the current folder elsewhere; here it means nothing.
        folders.extend(listed.filter(|d| !d.as_os_str().is_empty()).map(|d| (d, Tier::PluginPath)));
        if let Some(data) = data_home(around) {
            folders.push((data.join("llm-quantize/plugins"), Tier::User));
        }
        if let Some(beside) = around.executable.as_deref().and_then(Path::parent) {
            if let Some(prefix) = beside.parent() {
                folders.push((prefix.join("lib/llm-quantize/plugins"), Tier::Installed));
            }
            folders.push((beside.to_owned(), Tier::BesideExecutable));
            folders.push((beside.join("plugins"), Tier::BesideExecutable));
        }
        folders
    }
}

/// The XDG rule: a relative value is ignored.
fn data_home(around: &Surroundings) -> Option<PathBuf> {
    let stated = around.data_home.as_ref().map(PathBuf::from).filter(|p| p.is_absolute());
    let implied = || around.home.as_ref().map(|h| Path::new(h).join(".local/share")).filter(|p| p.is_absolute());
    stated.or_else(implied)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn around() -> Surroundings {
        Surroundings {
            plugin_path: Some("/a::/b".into()),
            disabled: Some("quad, octa,,".into()),
            data_home: None,
            home: Some("/home/u".into()),
            executable: Some("/opt/q/bin/llm-quantize".into()),
        }
    }

    fn paths(search: &Search, around: &Surroundings) -> Vec<String> {
        search.folders(around).into_iter().map(|(p, _)| p.display().to_string()).collect()
    }

    #[test]
    fn the_order_is_the_documented_one_and_the_current_folder_is_never_in_it() {
        let search = Search { plugin_dirs: vec!["/x".into()], allow_insecure: false, env: true };
        let expected = [
            "/x",
            "/a",
            "/b",
            "/home/u/.local/share/llm-quantize/plugins",
            "/opt/q/lib/llm-quantize/plugins",
            "/opt/q/bin",
            "/opt/q/bin/plugins",
        ];
        assert_eq!(paths(&search, &around()), expected);
    }

    #[test]
    fn xdg_data_home_replaces_the_default_if_it_is_absolute() {
        let search = Search { env: true, ..Search::default() };
        let stated = Surroundings { data_home: Some("/data".into()), ..Surroundings::default() };
        assert_eq!(paths(&search, &stated), ["/data/llm-quantize/plugins"]);
        let relative =
            Surroundings { data_home: Some("data".into()), home: Some("".into()), ..Surroundings::default() };
        assert!(paths(&search, &relative).is_empty());
    }

    #[test]
    fn without_env_only_the_named_folders_count() {
        let search = Search { plugin_dirs: vec!["/x".into()], ..Search::default() };
        assert_eq!(paths(&search, &around()), ["/x"]);
    }

    #[test]
    fn disabled_ids_are_split_and_trimmed() {
        assert_eq!(around().disabled_ids(), ["quad", "octa"]);
    }
}
