//! From a catalogue entry to a running backend.

use super::cache::{Cache, Memory};
use super::catalogue::{Entry, Status};
use super::file_identity::FileIdentity;
use super::probe::{Probed, probe};
use crate::child;
use crate::failure::{Class, Failure};
use llmq_plugin_api::client::{self, LoadError, Loaded};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How plugins are tried before they are loaded.
#[derive(Debug, Clone)]
pub struct Loader {
    /// The program that answers the hidden command [`super::PROBE_VERB`]; by default the running one, see
    /// [`child::executable`].
    pub probe_executable: Option<PathBuf>,
    /// Where answers are remembered; nothing = every load is probed again.
    pub cache_file: Option<PathBuf>,
    /// How long a plugin may take to describe itself.
    pub patience: Duration,
}

impl Default for Loader {
    fn default() -> Loader {
        Loader { probe_executable: None, cache_file: None, patience: Duration::from_secs(30) }
    }
}

impl Loader {
    /// With the cache at its usual place: `$XDG_CACHE_HOME/llm-quantize/plugins.json`, by default below `~/.cache`.
    pub fn from_environment() -> Loader {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        Loader { cache_file: cache.map(|c| c.join("llm-quantize/plugins.json")), ..Loader::default() }
    }

    /// Loads a usable plugin: probe in a child process unless this state of the file is known, then here.
    pub fn load(&self, entry: &Entry) -> Result<Loaded, Failure> {
        let (Status::Usable, Some(manifest)) = (&entry.status, &entry.manifest) else {
            return Err(refusal(entry, &format!("is {}: {}", entry.status.word(), entry.status.reason())));
        };
        let identity = FileIdentity::of(&entry.path)
            .map_err(|error| refusal(entry, &format!("cannot be examined any more: {error}")))?;
        self.probe_unless_known(entry, &identity)?;
        let loaded = open_here(&identity.path).map_err(|error| refusal(entry, &format!("cannot be used: {error}")))?;
        let described = loaded.backend.descriptor();
        for (id, version) in [(&loaded.id, &loaded.version), (&described.id, &described.version)] {
            if (id, version) != (&manifest.id, &manifest.version) {
                let message = format!(
                    "says in its manifest that it is {} {}, and in its code that it is {id} {version}",
                    manifest.id, manifest.version
                );
                return Err(refusal(entry, &message));
            }
        }
        Ok(loaded)
    }

    /// Tries a file in a child process, whatever is remembered of it, and remembers the answer.
    pub fn probe(&self, file: &Path) -> Result<Probed, Failure> {
        let general = |message: String| Failure::new(Class::General, message);
        let executable = match &self.probe_executable {
            Some(path) => path.clone(),
            None => child::executable().map_err(general)?,
        };
        let identity =
            FileIdentity::of(file).map_err(|e| general(format!("{} cannot be examined: {e}", file.display())))?;
        let probed = probe(&executable, &identity.path, self.patience)
            .map_err(|e| general(format!("{} could not be started as a probe: {e}", executable.display())))?;
        let memory = match &probed {
            Probed::Loads { .. } => Some(Memory::Loads),
            Probed::Crashed { message } => Some(Memory::Crashed(message.clone())),
            Probed::Refused { .. } | Probed::Hung { .. } => None,
        };
        if let Some(memory) = memory {
            let mut cache = Cache::read(self.cache_file.as_deref());
            if let Err(error) = cache.remember(identity, memory) {
                tracing::debug!("the plugin cache was not written: {error}");
            }
        }
        Ok(probed)
    }

    fn probe_unless_known(&self, entry: &Entry, identity: &FileIdentity) -> Result<(), Failure> {
        match Cache::read(self.cache_file.as_deref()).recall(identity) {
            Some(Memory::Loads) => return Ok(()),
            Some(Memory::Crashed(reason)) => return Err(refusal(entry, &format!("is crashed: {reason}"))),
            None => {}
        }
        match self.probe(&identity.path)? {
            Probed::Loads { .. } => Ok(()),
            Probed::Refused { message, .. } => Err(refusal(entry, &format!("cannot be used: {message}"))),
            Probed::Crashed { message } => Err(refusal(entry, &format!("crashed: {message}"))),
            Probed::Hung { message } => Err(refusal(entry, &format!("hangs: {message}"))),
        }
    }
}

impl Entry {
    /// Loads the plugin with the usual [`Loader`].
    pub fn load(&self) -> Result<Loaded, Failure> {
        Loader::from_environment().load(self)
    }
}

fn refusal(entry: &Entry, what: &str) -> Failure {
    let message = format!("the plugin `{}` at {} {what}", entry.id(), entry.path.display());
    Failure::new(Class::General, message)
        .suggest("reinstall it for this version of llm-quantize; `llm-quantize plugins doctor` explains its state")
}

/// Loads a file into this process, for good.
///
/// The file is opened once before the plugin interface does, with all symbols resolved at once: the interface's own
/// loader binds lazily, and a missing symbol would then end the process in the middle of a job (measured).
pub(crate) fn open_here(file: &Path) -> Result<Loaded, LoadError> {
    // A name without a slash would be looked for in the system's library folders.
    let file = &file.canonicalize().map_err(|error| LoadError::Open(error.to_string()))?;
    #[cfg(unix)]
    {
        use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
        // SAFETY: this runs the constructors of a file that passed the trust checks and the probe (or we are the
        // probe). It is the user's decision to run this code, and it stays loaded, so nothing it points to goes away.
        let library = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) };
        std::mem::forget(library.map_err(|error| {
            // The error says "dlopen failed"; why is in its source.
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            LoadError::Open(cause.unwrap_or_else(|| error.to_string()))
        })?);
    }
    client::load(file)
}
