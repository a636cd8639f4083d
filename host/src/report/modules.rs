//! Figures of single modules as comma-separated values, beginning with the columns of GPTQModel's `quant_log.csv`.

use serde_json::{Map, Value};

/// GPTQModel's columns behind `layer` and `module`.
const THEIRS: [&str; 4] = ["loss", "samples", "damp", "time"];

/// One line for every module that a backend tells figures of; `figures` are by unit, then by module. Columns that only
/// this backend has stand behind GPTQModel's, in the order in which they appear.
pub fn modules(figures: &Map<String, Value>) -> String {
    let units = || figures.iter().filter_map(|(unit, modules)| Some((unit, modules.as_object()?)));
    let lines =
        || units().flat_map(|(unit, m)| m.iter().filter_map(move |(name, f)| Some((unit, name, f.as_object()?))));
    let mut columns: Vec<&str> = THEIRS.to_vec();
    for key in lines().flat_map(|(_, _, figures)| figures.keys()) {
        if !columns.contains(&key.as_str()) {
            columns.push(key);
        }
    }
    let mut text = format!("layer,module,{}\n", columns.join(","));
    for (unit, name, figures) in lines() {
        let (layer, module) = place(unit, name);
        let values = columns.iter().map(|column| figures.get(*column).map_or_else(String::new, shown));
        let fields: Vec<String> =
            [String::from(layer), String::from(module)].into_iter().chain(values).map(field).collect();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

/// The number of the layer and the module's name in it, as GPTQModel has them; units that are no layer keep their names.
fn place<'a>(unit: &'a str, module: &'a str) -> (&'a str, &'a str) {
    let Some(number) = unit.strip_prefix("layer.") else { return (unit, module) };
    let inner = module.split_once(&format!(".{number}.")).map_or(module, |(_, inner)| inner);
    (number, inner)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Quoted where RFC 4180 wants it.
fn field(text: String) -> String {
    if !text.contains([',', '"', '\n', '\r']) {
        return text;
    }
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_for_every_module_with_the_columns_of_gptqmodel_first() {
        let figures = json!({
            "layer.10": {
                "model.layers.10.mlp.up_proj": { "bits": 4, "loss": 0.5, "samples": 7, "damp": 0.05, "time": 1.25 },
                "model.layers.10.mlp.down_proj": { "bits": 4, "loss": null, "fallback": "none, \"really\"" },
                "seconds": 3
            },
            "head": { "lm_head": { "loss": 1 } }
        });
        let text = modules(figures.as_object().unwrap());
        let expected = "layer,module,loss,samples,damp,time,bits,fallback\n\
            10,mlp.up_proj,0.5,7,0.05,1.25,4,\n\
            10,mlp.down_proj,,,,,4,\"none, \"\"really\"\"\"\n\
            head,lm_head,1,,,,,\n";
        assert_eq!(text, expected);
        assert_eq!(modules(&Map::new()), "layer,module,loss,samples,damp,time\n");
    }
}
