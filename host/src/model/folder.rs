//! From a path to a folder with a parsed config.json.

use super::{ModelError, side_files};
use serde_json::Value;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

const CONFIG: &str = "config.json";
/// Sampling defaults and token ids of the model.
pub const GENERATION_CONFIG: &str = "generation_config.json";

/// Errors unless the path leads to a folder; says what else it leads to.
pub fn require_folder(path: &Path) -> Result<(), ModelError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(ModelError::NotFound { path: path.to_owned() });
        }
        Err(source) => return Err(ModelError::Io { action: "open", path: path.to_owned(), source }),
    };
    if metadata.is_dir() {
        return Ok(());
    }
    Err(ModelError::NotAFolder { path: path.to_owned(), what: recognise(path, &metadata) })
}

/// Names a file by its first bytes, or failing that by its ending.
fn recognise(path: &Path, metadata: &Metadata) -> &'static str {
    let mut magic = [0u8; 4];
    // Only regular files: reading a pipe or a device could block for ever.
    let read = metadata.is_file() && File::open(path).and_then(|mut f| f.read_exact(&mut magic)).is_ok();
    if read && &magic == b"GGUF" {
        return "a GGUF file";
    }
    match path.extension().and_then(|e| e.to_str()) {
        Some("safetensors") => "a single safetensors file",
        Some("json") => "a JSON file",
        _ => "a file",
    }
}

/// Reads config.json under its cap.
pub fn read_config(folder: &Path) -> Result<Value, ModelError> {
    let path = folder.join(CONFIG);
    if !path.try_exists().map_err(|source| ModelError::Io { action: "read", path, source })? {
        return Err(ModelError::NoConfig { path: folder.to_owned() });
    }
    parse(CONFIG, &side_files::read_capped(folder, CONFIG, side_files::MAX_CONFIG)?)
}

/// Parses a side file as JSON.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Value, ModelError> {
    serde_json::from_slice(bytes).map_err(|e| ModelError::Json { file: file.to_owned(), problem: e.to_string() })
}
