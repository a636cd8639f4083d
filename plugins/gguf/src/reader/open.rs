//! Headers of one file or of all shards of a model, checked against each other.

use super::config::rebuild;
use super::listing::{Listing, list};
use super::shown::shown;
use super::stored::{in_order, shards_in_order, view};
use super::{GgufReader, Listed, tokenizer};
use crate::arch::{self, Mark};
use crate::container::{Header, decode};
use crate::mixture::Recipe;
use llmq_plugin_api::sdk::{Context, Error, Kind, MappedFile};
use llmq_plugin_api::wire::ReaderSummary;
use std::collections::{BTreeMap, HashSet};

impl GgufReader {
    /// Parses one file, or all shards of one model in any order.
    pub(crate) fn open(_cx: &Context, files: &[MappedFile]) -> Result<GgufReader, Error> {
        let mut headers = Vec::new();
        for file in files {
            headers.push(decode(file.data, file.length).map_err(|error| {
                let message = format!("{}: {error}", file.name);
                Error::new(Kind::CorruptInput, message).subject(file.name)
            })?);
        }
        let first = check_shards(&headers, files)?;
        let main = &headers[first];
        let name = main.text("general.architecture").unwrap_or_default();
        let arch = arch::by_name(name, |mark| match mark {
            Mark::Key(key) => main.get(&format!("{name}.{key}")).is_some(),
            Mark::Tensor(tensor) => headers.iter().flat_map(|h| &h.tensors).any(|t| t.info.name == tensor),
        });
        let mut warnings = Vec::new();
        if arch.is_none() {
            let known: Vec<&str> = arch::all().map(|arch| arch.name).collect();
            warnings.push(format!(
                "the architecture `{name}` has no Hugging Face names here (known: {}); tensors keep their own names",
                known.join(", ")
            ));
        }
        let Listing { listed, offered, tensors } = list(arch, main, &headers)?;
        let strangers =
            tensors.iter().filter(|tensor| tensor.name.is_empty() && !is_derived(&tensor.stored_name)).count();
        if arch.is_some() && strangers > 0 {
            warnings.push(format!("{strangers} of {} tensors have no Hugging Face name here", tensors.len()));
        }
        let config = match arch.map(|arch| rebuild(arch, main, &listed, files)) {
            Some(Ok(rebuilt)) => {
                warnings.extend(rebuilt.warnings);
                rebuilt.config
            }
            Some(Err(missing)) => {
                warnings.push(format!("config.json cannot be rebuilt: {missing}"));
                serde_json::Value::Null
            }
            None => serde_json::Value::Null,
        };
        let sidecars = match tokenizer::problem(main) {
            None => tokenizer::FILES.map(str::to_owned).to_vec(),
            Some(problem) => {
                warnings.push(format!(
                    "tokenizer.json cannot be rebuilt from the file ({problem}); bring the original one for tasks that \
                     read text"
                ));
                Vec::new()
            }
        };
        let shards = shards_in_order(&headers);
        let in_order = in_order(&listed, &shards);
        let summary = ReaderSummary {
            format: "gguf".into(),
            level: level(main, &listed),
            name: main.text("general.name").unwrap_or_default().to_owned(),
            config,
            metadata: shown(main),
            tensors,
            sidecars,
            warnings,
            stored: Some(view(main, &listed, &in_order)),
        };
        Ok(GgufReader { headers, main: first, arch, listed, offered, in_order, shards, summary })
    }
}

/// Tensors that follow from config.json.
fn is_derived(name: &str) -> bool {
    matches!(name, "rope_freqs.weight" | "rope_factors_long.weight" | "rope_factors_short.weight")
}

/// Finds the file with the metadata: the only one, or shard 0 of a complete set.
fn check_shards(headers: &[Header], files: &[MappedFile]) -> Result<usize, Error> {
    let refused = |message: String, hint: &str| Err(Error::new(Kind::CorruptInput, message).hint(hint));
    let Some(first) = headers.first() else { return refused("no file was given".into(), "") };
    let count = first.unsigned("split.count").unwrap_or(1).max(1);
    if count != headers.len() as u64 {
        let numbers: HashSet<u64> = headers.iter().filter_map(|header| header.unsigned("split.no")).collect();
        let missing: Vec<String> =
            (0..count.min(1 << 16)).filter(|n| !numbers.contains(n)).take(8).map(|n| (n + 1).to_string()).collect();
        let message = format!(
            "{} says that its model has {count} files, {} were given (not there: {})",
            files[0].name,
            headers.len(),
            missing.join(", ")
        );
        return refused(message, "give all shards (NAME-00001-of-0000N.gguf, ...) together");
    }
    if count == 1 {
        return Ok(0);
    }
    let mut numbers = HashSet::new();
    let mut names = HashSet::new();
    for (header, file) in headers.iter().zip(files) {
        let number = header.unsigned("split.no").filter(|number| *number < count);
        if header.unsigned("split.count") != Some(count) || !number.is_some_and(|number| numbers.insert(number)) {
            let message = format!("{} is not another one of the {count} shards", file.name);
            return refused(message, "give the shards of one model, each once");
        }
        if let Some(twice) = header.tensors.iter().find(|tensor| !names.insert(&tensor.info.name)) {
            return refused(format!("the tensor `{}` is in two shards", twice.info.name), "the shards are damaged");
        }
    }
    let main = headers.iter().position(|header| header.unsigned("split.no") == Some(0)).unwrap_or(0);
    for (header, file) in headers.iter().zip(files) {
        let total = header.unsigned("split.tensors.count").filter(|total| *total != names.len() as u64);
        if let Some(total) = total {
            let message = format!("{} speaks of {total} tensors, the {count} shards hold {}", file.name, names.len());
            return refused(message, "give the shards of one model, each once");
        }
        // Shards behind the first usually have no metadata; what they do have must not contradict it.
        let own = header.key_values.iter().filter(|pair| !pair.key.starts_with("split."));
        if let Some(pair) = own.into_iter().find(|pair| headers[main].get(&pair.key).is_some_and(|v| *v != pair.value))
        {
            let message = format!("{} and {} differ in `{}`", file.name, files[main].name, pair.key);
            return refused(message, "they belong to different models; give the shards of one");
        }
    }
    Ok(main)
}

/// The stated level, or the encoding of most bytes if a level has its name.
fn level(main: &Header, listed: &[Listed]) -> String {
    let stated = main.unsigned("general.file_type").and_then(|id| Recipe::from_file_type(u32::try_from(id).ok()?));
    if let Some(recipe) = stated {
        return recipe.name().to_owned();
    }
    let mut bytes: BTreeMap<_, u64> = BTreeMap::new();
    for tensor in listed {
        *bytes.entry(tensor.stored.info.encoding).or_default() += tensor.stored.bytes;
    }
    let most = bytes.into_iter().max_by_key(|(_, bytes)| *bytes);
    most.and_then(|(encoding, _)| Recipe::from_name(encoding.name()))
        .map_or(String::new(), |recipe| recipe.name().into())
}
