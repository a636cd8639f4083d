//! The models and data sets a model was made from, as `general.base_model.*` and `general.dataset.*`.

use crate::value::KeyValue;

use super::model_id::{ModelId, title};

/// Writes the count and, for every id or address, what it says.
pub(super) fn write(kind: &str, ids: &[String], total: u64, list: &mut Vec<KeyValue>) {
    list.push(KeyValue::new(format!("general.{kind}.count"), u32::try_from(ids.len()).unwrap_or(u32::MAX)));
    for (index, id) in ids.iter().enumerate() {
        let url = ["http://", "https://", "ssh://"].iter().any(|scheme| id.starts_with(scheme));
        let parsed = match (url, hub_id(id)) {
            (false, _) => ModelId::parse(id, total),
            (true, Some(id)) => ModelId::parse(id, total),
            (true, None) => ModelId::default(),
        };
        let repository = match (url, &parsed.organization, &parsed.name) {
            (true, ..) => Some(id.clone()),
            (false, Some(organization), Some(name)) => Some(format!("https://huggingface.co/{organization}/{name}")),
            _ => None,
        };
        let fields = [
            ("name", parsed.name.as_deref().map(title)),
            ("version", parsed.version),
            ("organization", parsed.organization.as_deref().map(title)),
            ("repo_url", repository),
        ];
        for (field, text) in fields {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                list.push(KeyValue::new(format!("general.{kind}.{index}.{field}"), text));
            }
        }
    }
}

/// `org/name` of a Hugging Face address.
fn hub_id(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let id = rest.strip_prefix("huggingface.co/")?;
    let (organization, name) = id.split_once('/')?;
    (!organization.is_empty() && !name.is_empty() && !name.contains('/')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_addresses_tell_the_same() {
        let mut by_id = Vec::new();
        write("base_model", &["meta-llama/Llama-3.2-1B".to_owned()], 0, &mut by_id);
        let mut by_url = Vec::new();
        write("base_model", &["https://huggingface.co/meta-llama/Llama-3.2-1B".to_owned()], 0, &mut by_url);
        assert_eq!(by_id, by_url);
        assert_eq!(by_id[0], KeyValue::new("general.base_model.count", 1_u32));
        assert_eq!(by_id[1], KeyValue::new("general.base_model.0.name", "Llama 3.2 1B"));
        assert_eq!(by_id.last().unwrap().value.as_str(), Some("https://huggingface.co/meta-llama/Llama-3.2-1B"));
    }
}
