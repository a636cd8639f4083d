//! What a model is called, from where it lies.

use std::path::{Component, Path};

/// Last component of the folder's real path, or the repository's name where the folder is a snapshot in the Hub's
/// cache (`models--org--name/snapshots/<commit>`).
pub fn model_name(folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let words: Vec<String> = real
        .components()
        .filter_map(|part| match part {
            Component::Normal(word) => Some(word.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    if let [.., repository, snapshots, _] = words.as_slice()
        && snapshots == "snapshots"
        && let Some(id) = repository.strip_prefix("models--")
    {
        return id.rsplit("--").next().unwrap_or(id).to_owned();
    }
    words.last().cloned().unwrap_or_else(|| "model".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_hub_snapshots() {
        assert_eq!(model_name(Path::new("/models/absent/Qwen3-0.6B")), "Qwen3-0.6B");
        assert_eq!(model_name(Path::new("/hub/models--Qwen--Qwen3-0.6B/snapshots/c1899de2")), "Qwen3-0.6B");
        assert_eq!(model_name(Path::new("/")), "model");
    }
}
