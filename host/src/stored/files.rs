//! Which files belong together: shards carry their number and their count in the name.

use std::path::Path;

/// `prefix`, number and count of a name such as `model-00002-of-00005.gguf`, and its ending.
fn shard(name: &str) -> Option<(&str, u32, u32, &str)> {
    let (stem, ending) = name.rsplit_once('.')?;
    let number = |text: &str| (text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok());
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (prefix, place) = rest.rsplit_once('-')?;
    Some((prefix, number(place)??, number(count)??, ending))
}

/// The name and, if it is that of a shard, those of its siblings that are in the folder, in their order. Whether the set
/// is complete is for the format's reader to say.
pub fn together(folder: &Path, name: &str) -> std::io::Result<Vec<String>> {
    let Some((prefix, _, count, ending)) = shard(name) else { return Ok(vec![name.to_owned()]) };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let Ok(other) = entry?.file_name().into_string() else { continue };
        if shard(&other).is_some_and(|(p, _, c, e)| (p, c, e) == (prefix, count, ending)) {
            names.push(other);
        }
    }
    names.sort();
    Ok(names)
}

/// What a model is called by its file: the name without ending and shard number.
pub fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match shard(&name) {
        Some((prefix, ..)) => prefix.to_owned(),
        None => path.file_stem().map_or(name.clone(), |stem| stem.to_string_lossy().into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_known_by_their_names() {
        assert_eq!(shard("a-b-00002-of-00005.gguf"), Some(("a-b", 2, 5, "gguf")));
        for other in ["a.gguf", "a-2-of-5.gguf", "a-00002-of-00005", "a-0000x-of-00005.gguf", "-of-.x"] {
            assert_eq!(shard(other), None, "{other}");
        }
        assert_eq!(stem(Path::new("x/a-b-00002-of-00005.gguf")), "a-b");
        assert_eq!(stem(Path::new("x/a-b.v2.gguf")), "a-b.v2");
    }

    #[test]
    fn siblings_are_found_and_strangers_are_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "m-00002-of-00002.gguf",
            "m-00001-of-00002.gguf",
            "m-00001-of-00003.gguf",
            "n-00001-of-00002.gguf",
            "m.gguf",
        ] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let found = together(folder.path(), "m-00002-of-00002.gguf").unwrap();
        assert_eq!(found, ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]);
        assert_eq!(together(folder.path(), "m.gguf").unwrap(), ["m.gguf"]);
    }
}
