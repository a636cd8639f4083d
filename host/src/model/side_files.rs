//! The small files next to the weights: which of them a model offers, and reading them under a cap.

use super::ModelError;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longest side file accepted, in bytes. The largest published tokenizer.json have about 40 MB.
const MAX_SIDE_FILE: u64 = 256 << 20;
/// Longest config.json accepted, in bytes.
pub const MAX_CONFIG: u64 = 16 << 20;
/// Most chat templates accepted in their folder.
const MAX_TEMPLATES: usize = 256;
/// Folder of named chat templates.
const TEMPLATES: &str = "additional_chat_templates";

/// Names that a model may offer. A fixed list: weights, pickles and program text of a download never pass.
const KNOWN: &[&str] = &[
    "1_Pooling/config.json",
    "README.md",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
    "NOTICE.txt",
    "USE_POLICY.md",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "modules.json",
    "preprocessor_config.json",
    "processor_config.json",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tekken.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
    "vocab.json",
    "vocab.txt",
];

/// Whether a file of this name is a side file. A template's name must be plain: it may come from a download.
pub fn is_side_file(name: &str) -> bool {
    let plain = |word: &str| {
        !word.starts_with('.')
            && word.len() <= 255
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    match name.split_once('/') {
        Some(_) if KNOWN.contains(&name) => true,
        Some((folder, template)) => folder == TEMPLATES && template.ends_with(".jinja") && plain(template),
        None => KNOWN.contains(&name),
    }
}

/// Side files present in a folder, sorted, with `/` between folder and name on every system.
pub fn present(folder: &Path) -> Vec<String> {
    let is_file = |path: &Path| std::fs::metadata(path).is_ok_and(|m| m.is_file());
    let mut names: Vec<String> =
        KNOWN.iter().filter(|name| is_file(&folder.join(name))).map(|&name| name.to_owned()).collect();
    if let Ok(entries) = std::fs::read_dir(folder.join(TEMPLATES)) {
        let mut templates: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".jinja") && is_file(&folder.join(TEMPLATES).join(name)))
            .collect();
        templates.sort();
        templates.truncate(MAX_TEMPLATES);
        names.extend(templates.into_iter().map(|name| format!("{TEMPLATES}/{name}")));
    }
    names.sort();
    names
}

/// Reads one of the `present` side files.
pub fn read(folder: &Path, present: &[String], name: &str) -> Result<Vec<u8>, ModelError> {
    if !present.iter().any(|p| p == name) {
        return Err(ModelError::NoSuchFile { file: name.to_owned() });
    }
    read_capped(folder, name, MAX_SIDE_FILE)
}

/// Reads a regular file of at most `limit` bytes.
pub fn read_capped(folder: &Path, name: &str, limit: u64) -> Result<Vec<u8>, ModelError> {
    let path = folder.join(name);
    let io = |source| ModelError::Io { action: "read", path: path.clone(), source };
    let metadata = std::fs::metadata(&path).map_err(io)?;
    if !metadata.is_file() {
        return Err(ModelError::NotAFile { path });
    }
    let too_large = |size| ModelError::TooLarge { file: name.to_owned(), size, limit };
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows a file that grew since its length was taken.
    let read = File::open(&path).and_then(|f| f.take(limit + 1).read_to_end(&mut bytes)).map_err(io)?;
    if read as u64 > limit {
        return Err(too_large(read as u64));
    }
    Ok(bytes)
}
