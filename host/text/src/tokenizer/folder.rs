//! The files of a tokenizer in a model's folder.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{MAX_CONFIG, MAX_TOKENIZER, Tokenizer};
use crate::TextError;

/// Template files that are looked at; models have a handful.
const MAX_TEMPLATES: usize = 32;

impl Tokenizer {
    /// The tokenizer of a folder: tokenizer.json, and where they exist tokenizer_config.json, chat_template.jinja and
    /// additional_chat_templates/*.jinja, which go before the templates of tokenizer_config.json.
    ///
    /// # Errors
    /// A missing tokenizer.json, and files that cannot be used.
    pub fn from_folder(folder: &Path) -> Result<Tokenizer, TextError> {
        let path = folder.join("tokenizer.json");
        let name = path.display().to_string();
        let missing = || TextError::Tokenizer { file: name.clone(), message: "it does not exist".to_owned() };
        let json = read(&path, MAX_TOKENIZER)?.ok_or_else(missing)?;
        let config = read(&folder.join("tokenizer_config.json"), MAX_CONFIG)?;
        let mut tokenizer = Tokenizer::from_parts(&json, config.as_deref(), &name)?;
        tokenizer.templates = tokenizer.templates.or_files(template_files(folder)?);
        Ok(tokenizer)
    }
}

fn template_files(folder: &Path) -> Result<Vec<(String, String)>, TextError> {
    let mut found = Vec::new();
    let text = |path: &Path| -> Result<Option<String>, TextError> {
        let wrong = || TextError::ChatTemplate { message: format!("{} is not UTF-8", path.display()) };
        read(path, MAX_CONFIG)?.map(|bytes| String::from_utf8(bytes).map_err(|_| wrong())).transpose()
    };
    if let Some(source) = text(&folder.join("chat_template.jinja"))? {
        found.push(("default".to_owned(), source));
    }
    let Ok(entries) = std::fs::read_dir(folder.join("additional_chat_templates")) else { return Ok(found) };
    let mut paths: Vec<_> = entries.take(1024).filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "jinja"));
    // The order of a folder's entries is the file system's.
    paths.sort();
    for path in paths.iter().take(MAX_TEMPLATES) {
        let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        found.extend(text(path)?.map(|source| (name, source)));
    }
    Ok(found)
}

/// The bytes of a file; `None` if it does not exist.
fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, TextError> {
    let name = path.display().to_string();
    let io = |source| TextError::Io { file: name.clone(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(TextError::Tokenizer { file: name, message: format!("it is longer than {limit} bytes") });
    }
    Ok(Some(bytes))
}
