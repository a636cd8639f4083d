//! The backend driven as a host drives it: every call crosses the real boundary, no file and no other process.

mod fake_host;

use fake_host::one_layer::*;
use fake_host::{Alone, Memory, Tiny};
use llmq_gptq::GptqBackend;
use llmq_plugin_api::client::{Backend, Source, UnitInput};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile, Statistic, StatisticKind};
use llmq_plugin_api::wire::{self, Request, UnitReport};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn request(level: &str, options: Value) -> Request {
    let offers = [2, 5, 6, 8].map(|tensor| json!({ "tensor": tensor, "kinds": ["gram"] }));
    let document = json!({ "v": 1, "statistics": offers, "format": "gptq", "level": level, "stem": "tiny", "device": "cpu", "options": options,
        "creator": "llm-quantize 1.2.3" });
    wire::decode("request", &document.to_string()).unwrap()
}

/// Files by name and contents, the weights fed back, and the reports.
struct Written {
    files: Vec<(String, Vec<u8>)>,
    fed_back: Vec<(u32, u64, Vec<f32>)>,
    plan: wire::Plan,
    reports: Vec<UnitReport>,
}

fn quantize(model: &Tiny, level: &str, options: Value) -> Result<Written, Error> {
    quantize_with(model, level, options, &[])
}

/// The same with Gram matrices: tensors that share one, tokens, values.
fn quantize_with(
    model: &Tiny,
    level: &str,
    options: Value,
    grams: &[(&[usize], u64, Vec<f32>)],
) -> Result<Written, Error> {
    let backend = Backend::in_process(GptqBackend)?;
    let services = Alone::default();
    let session = backend.open_session(&services, model, &request(level, options))?;
    let plan = session.plan().clone();
    plan.check(model.description.units.len(), model.description.tensors.len()).expect("a sound plan");
    let memory = Memory::new(&plan);
    let mut reports = Vec::new();
    for (index, unit) in model.description.units.iter().enumerate() {
        let count = model.description.tensors.len();
        let mine = (0..count).filter(|t| model.description.tensors[*t].unit == index as u32);
        let tensors = mine.clone().map(|t| model.tensor(t as u32).unwrap()).collect();
        let shapes: Vec<[u64; 2]> = grams.iter().map(|(.., values)| [values.len().isqrt() as u64; 2]).collect();
        let mut statistics = Vec::new();
        for ((tensors, count, values), shape) in grams.iter().zip(&shapes) {
            for tensor in mine.clone().filter(|tensor| tensors.contains(tensor)) {
                let kind = StatisticKind::Gram;
                statistics.push(Statistic { tensor, expert: None, kind, count: *count, shape, values });
            }
        }
        let input = UnitInput { index: index as u32, id: &unit.id, tensors, statistics };
        reports.push(session.quantize(&services, model, &input, &memory)?);
    }
    let mut files: Vec<_> = plan.files.iter().map(|f| (f.name.clone(), vec![0; f.bytes as usize])).collect();
    let mut put = |file: u32, at: u64, bytes: &[u8]| {
        files[file as usize].1[at as usize..at as usize + bytes.len()].copy_from_slice(bytes)
    };
    for (index, span) in plan.literals.iter().enumerate() {
        put(span.file, span.offset, &session.literal(index)?);
    }
    for (slot, bytes) in plan.slots.iter().zip(memory.slots.into_inner().unwrap()) {
        put(slot.file, slot.offset, &bytes);
    }
    Ok(Written { files, fed_back: memory.fed_back.into_inner().unwrap(), plan, reports })
}

fn mapped(files: &[(String, Vec<u8>)]) -> Vec<MappedFile<'_>> {
    files.iter().map(|(name, data)| MappedFile { name, data, length: data.len() as u64 }).collect()
}

fn json_of(written: &Written, name: &str) -> Value {
    let file = written.files.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}"));
    serde_json::from_slice(&file.1).unwrap()
}

/// Reads everything back: shapes, distances of at most `step` of quantized weights, equality of all others, feedback.
fn comes_back(model: &Tiny, written: &Written, step: f32) {
    let files = mapped(&written.files);
    let backend = Backend::in_process(GptqBackend).unwrap();
    assert!(backend.recognize(&files) > 90);
    let reader = backend.open(&Alone::default(), &files).unwrap();
    let report = reader.validate(&Alone::default(), &files).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(reader.summary().tensors.len(), model.description.tensors.len());
    for (index, tensor) in reader.summary().tensors.iter().enumerate() {
        let (source, described) = model.description.tensor(&tensor.name).unwrap();
        assert_eq!(tensor.shape, described.shape, "{}", tensor.name);
        let mut decoded = vec![0f32; tensor.elements() as usize];
        reader.decode_rows(&files, index, 0, &mut decoded).unwrap();
        let original = model.data[source].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        let allowed = if tensor.encoding.starts_with("GPTQ") { step } else { 0.0 };
        let far = original.zip(&decoded).map(|(w, d)| (w - d).abs()).fold(0.0, f32::max);
        assert!(far <= allowed, "{}: {far}", tensor.name);
        let columns = described.columns() as usize;
        for (_, first, rows) in written.fed_back.iter().filter(|(t, ..)| *t as usize == source) {
            let start = *first as usize * columns;
            assert_eq!(*rows, decoded[start..start + rows.len()], "{}", tensor.name);
        }
    }
}

#[test]
fn every_width_and_form_comes_back_within_a_step() {
    let model = tiny();
    // Weights lie between -0.4 and 0.582.
    for (level, range) in [("8bit", 255.0), ("4bit", 15.0), ("3bit", 7.0), ("2bit", 3.0)] {
        for (options, width) in [
            (json!({ "group_size": 32 }), 2.0 * 0.5822),
            (json!({ "group_size": -1, "checkpoint_format": "gptq_v2" }), 2.0 * 0.5822),
            (json!({ "group_size": 64, "sym": false }), 0.9822),
            (json!({ "group_size": 16, "sym": false, "checkpoint_format": "gptq" }), 0.9822),
        ] {
            let written = quantize(&model, level, options.clone()).unwrap();
            // Symmetric grids reach half a step less upwards.
            comes_back(&model, &written, 1.01 * width / range);
        }
    }
}

#[test]
fn matrices_that_are_stored_the_other_way_round_come_back() {
    let mut model = tiny();
    model.description.config["model_type"] = json!("gpt2");
    for (level, most) in [("4bit-g32-asym", 0.07), ("3bit-g64-asym", 0.15), ("8bit-g32-sym", 0.005)] {
        let written = quantize(&model, level, json!({ "lm_head": true })).unwrap();
        let shape = |name: &str| written.plan.slots.iter().find(|slot| slot.name == name).unwrap().shape.clone();
        assert_eq!(shape("model.layers.0.mlp.up_proj.qweight"), [96, 64], "as the source has it");
        assert_eq!(shape("lm_head.qweight"), [32, 64], "heads are stored as everywhere");
        comes_back(&model, &written, most);
    }
}

#[test]
fn what_had_no_gram_matrix_is_named() {
    let written = quantize(&tiny(), "4bit-g32-sym", json!({})).unwrap();
    let warnings: Vec<&String> = written.reports.iter().flat_map(|report| &report.warnings).collect();
    assert_eq!(warnings.len(), 3);
    let expected = "model.layers.0.self_attn.q_proj was rounded to nearest: there is no Gram matrix of its input";
    assert_eq!(warnings[0], expected);
    let fallbacks: Vec<&str> = written.reports[1].fallbacks.iter().map(|fallback| fallback.name.as_str()).collect();
    assert_eq!(fallbacks, ["self_attn.q_proj", "mlp.up_proj", "mlp.down_proj"].map(|m| format!("model.layers.0.{m}")));
    let figures = &written.reports[1].figures["model.layers.0.mlp.down_proj"];
    assert_eq!((&figures["bits"], &figures["group_size"], &figures["samples"]), (&4.into(), &32.into(), &0.into()));
    assert!(figures["relative_error"].is_null() && figures["fallback"].is_string());
    let needs = &written.plan.units;
    assert_eq!((needs.len(), needs[0].unit, needs[0].statistics.len()), (1, 1, 3));
    assert!(needs[0].scratch_bytes >= 96 * 96 * 4);
}

#[test]
fn config_files_say_what_loaders_ask_for() {
    let rules = json!({ "dynamic": ["-:.*up_proj", ".*down_proj bits=8,group_size=32"], "sym": false });
    let written = quantize(&tiny(), "4bit", rules).unwrap();
    let config = json_of(&written, "config.json");
    let quantization = json_of(&written, "quantize_config.json");
    assert_eq!(config["quantization_config"], quantization);
    assert_eq!(config["hidden_size"], 64);
    let expected = json!({
        "bits": 4, "checkpoint_format": "gptq_v2", "desc_act": false,
        "dynamic": { "-:.*up_proj": {}, ".*down_proj": { "bits": 8, "group_size": 32 } },
        "format": "gptq_v2", "group_size": 128, "lm_head": false,
        "meta": {
            "act_group_aware": true, "candidates": quantization["meta"]["candidates"], "damp_percent": 0.05, "mse": 0.0,
            "polish": 0, "quantizer": ["llm-quantize:1.2.3"], "static_groups": false, "true_sequential": false,
            "uri": env!("CARGO_PKG_REPOSITORY")
        },
        "method": "gptq", "pack_dtype": "int32", "quant_method": "gptq", "sym": false
    });
    assert_eq!(quantization.to_string(), expected.to_string(), "order of keys included");
    let files = mapped(&written.files);
    let reader = Backend::in_process(GptqBackend).unwrap().open(&Alone::default(), &files).unwrap();
    assert_eq!(reader.summary().config, tiny().description.config);
    assert_eq!(reader.summary().sidecars, ["config.json", "tokenizer.json"]);
    assert_eq!(reader.sidecar(&files, "tokenizer.json").unwrap(), b"{\"model\":{}}");
    assert!(reader.sidecar(&files, "model.safetensors").is_err());
    let encoding = |name: &str| {
        let found = reader.summary().tensors.iter().find(|tensor| tensor.name.ends_with(name)).unwrap();
        found.encoding.clone()
    };
    let found = ["q_proj.weight", "up_proj.weight", "down_proj.weight", "gate.weight", "lm_head.weight"].map(encoding);
    assert_eq!(found, ["GPTQ-4bit-g128", "F32", "GPTQ-8bit-g32", "F32", "F32"]);
}

#[test]
fn the_head_is_quantized_on_request() {
    let written = quantize(&tiny(), "8bit-g32-sym", json!({ "lm_head": true })).unwrap();
    assert!(written.plan.slots.iter().any(|slot| slot.name == "lm_head.qweight"));
    assert_eq!(json_of(&written, "quantize_config.json")["lm_head"], true);
    comes_back(&tiny(), &written, 0.005);
    let tied = Tiny::new(&TENSORS[..8], |_, _| 0.0);
    let error = quantize(&tied, "8bit-g32-sym", json!({ "lm_head": true })).err().unwrap();
    assert!(error.message.contains("tied"), "{}", error.message);
}

#[test]
fn shards_have_an_index_and_come_back() {
    let model = tiny();
    let whole = quantize(&model, "4bit-g32-sym", json!({})).unwrap();
    let written = quantize(&model, "4bit-g32-sym", json!({ "max_shard_size": "10KB" })).unwrap();
    let index = json_of(&written, "model.safetensors.index.json");
    let map = index["weight_map"].as_object().unwrap();
    assert_eq!(map.len(), written.plan.slots.len());
    assert_eq!(map["model.embed_tokens.weight"], "model-00001-of-00004.safetensors");
    let total: u64 = written.plan.slots.iter().map(|slot| slot.bytes).sum();
    assert_eq!(index["metadata"]["total_size"], total);
    let last = written.files.iter().filter(|(name, _)| name.ends_with(".safetensors")).count();
    assert_eq!(last, 4);
    comes_back(&model, &written, 0.08);
    comes_back(&model, &whole, 0.08);
    for (file, slots) in [(&written, 4), (&whole, 4)] {
        for slot in &file.plan.slots {
            let size = if slot.encoding == "F16" { 2 } else { slots };
            assert!(slot.offset.is_multiple_of(size), "{} lies at {}", slot.name, slot.offset);
        }
    }
}

#[test]
fn mistakes_are_refused_with_a_sentence() {
    let model = tiny();
    for (level, options, kind, word) in [
        ("5bit", json!({}), Kind::InvalidRequest, "`5bit`"),
        ("4bit", json!({ "zip": 1 }), Kind::InvalidRequest, "`zip`"),
        ("4bit", json!({ "group_size": 12 }), Kind::InvalidRequest, "multiple of 8"),
        ("4bit-g64-sym", json!({ "group_size": 32 }), Kind::InvalidRequest, "has group_size 64"),
        ("3bit", json!({ "group_size": 32, "target": "vllm" }), Kind::InvalidRequest, "3 symmetric bits"),
        ("4bit-g64-sym", json!({ "target": "vllm" }), Kind::InvalidRequest, "96 inputs are not whole groups of 64"),
        ("4bit", json!({ "dynamic": ["-:.*proj"] }), Kind::UnsupportedModel, "no tensor would be quantized"),
        (
            "4bit-g32-asym",
            json!({ "target": "sglang", "checkpoint_format": "gptq_v2" }),
            Kind::InvalidRequest,
            "SGLang",
        ),
        ("4bit-g32-sym", json!({ "target": "transformers", "dynamic": ["-:.*up"] }), Kind::InvalidRequest, "`dynamic`"),
        ("4bit-g32-sym", json!({ "target": "transformers", "lm_head": true }), Kind::InvalidRequest, "output head"),
    ] {
        let error = quantize(&model, level, options.clone()).err().unwrap_or_else(|| panic!("{options} was taken"));
        assert_eq!(error.kind, kind, "{options}");
        assert!(error.message.contains(word), "{}", error.message);
    }
    let stacked = Tiny::new(&[("model.layers.0.mlp.experts.up_proj", "expert_up", 1, &[2, 32, 32])], |_, _| 0.0);
    let error = quantize(&stacked, "4bit-g32-sym", json!({})).err().unwrap();
    assert!(error.message.contains("[2, 32, 32]; GPTQ knows matrices only"), "{}", error.message);
    for (tensor, at) in [(5, 9), (1, 3)] {
        let broken = Tiny::new(TENSORS, |t, i| if (t, i) == (tensor, at) { f32::NAN } else { 0.0 });
        let error = quantize(&broken, "4bit-g32-sym", json!({})).err().unwrap();
        assert!(error.message.contains(&format!("holds NaN at weight {at}")), "{}", error.message);
    }
}

#[test]
fn oddities_are_told_in_the_plan() {
    let short =
        quantize(&tiny(), "4bit-g64-asym", json!({ "checkpoint_format": "gptq", "dynamic": ["-:nothing"] })).unwrap();
    let all = short.plan.warnings.join("\n");
    for word in ["32 of its 96 inputs beyond whole groups of 64", "GPTQModel itself wrote it", "no module: -:nothing"] {
        assert!(all.contains(word), "{all}");
    }
    assert!(quantize(&tiny(), "4bit-g32-sym", json!({})).unwrap().plan.warnings.is_empty());
    let mut model = tiny();
    for (model_type, target, word) in
        [("gpt2", "any", "GPT-2"), ("gpt2", "transformers", "GPT-2"), ("falcon", "transformers", "falcon")]
    {
        model.description.config["model_type"] = json!(model_type);
        // All loaders but transformers take these; nobody is told of it unless it is not known who loads.
        assert!(quantize(&model, "4bit-g32-sym", json!({ "target": "vllm" })).unwrap().plan.warnings.is_empty());
        let told = match quantize(&model, "4bit-g32-sym", json!({ "target": target })) {
            Ok(written) => written.plan.warnings.join("\n"),
            Err(error) => error.message,
        };
        assert!(told.contains(word), "{model_type} for {target}: {told}");
    }
    // transformers loads version 1 of asymmetric modules, which GPTQModel's own loader does not.
    let first = json!({ "checkpoint_format": "gptq", "target": "transformers" });
    assert!(quantize(&tiny(), "4bit-g32-asym", first).unwrap().plan.warnings.is_empty());
}

#[test]
fn a_request_to_stop_is_honoured() {
    let model = tiny();
    let backend = Backend::in_process(GptqBackend).unwrap();
    let services = Alone::default();
    let session = backend.open_session(&services, &model, &request("4bit", json!({}))).unwrap();
    services.stop.store(true, Ordering::Relaxed);
    let tensors = vec![model.tensor(2).unwrap()];
    let input = UnitInput { index: 1, id: "layer.0", tensors, statistics: Vec::new() };
    let error = session.quantize(&services, &model, &input, &Memory::new(session.plan())).unwrap_err();
    assert_eq!(error.kind, Kind::Cancelled);
}

/// tr(dW G dW^T) / tr(W G W^T) of what was fed back for a tensor.
fn error_at_the_output(model: &Tiny, written: &Written, tensor: usize, gram: &[f32]) -> f64 {
    let columns = gram.len().isqrt();
    let weights: Vec<f32> = model.data[tensor].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let mut values = vec![0f32; weights.len()];
    for (_, first, rows) in written.fed_back.iter().filter(|(t, ..)| *t as usize == tensor) {
        values[*first as usize * columns..][..rows.len()].copy_from_slice(rows);
    }
    let form = |row: &[f64]| -> f64 {
        let product = |a: usize, b: usize| row[a] * f64::from(gram[a * columns + b]) * row[b];
        (0..columns).map(|a| (0..columns).map(|b| product(a, b)).sum::<f64>()).sum()
    };
    let (mut error, mut size) = (0.0, 0.0);
    for (w, v) in weights.chunks(columns).zip(values.chunks(columns)) {
        error += form(&w.iter().zip(v).map(|(w, v)| f64::from(v - w)).collect::<Vec<f64>>());
        size += form(&w.iter().map(|w| f64::from(*w)).collect::<Vec<f64>>());
    }
    error / size
}

#[test]
fn gram_matrices_lower_the_error_at_the_output_and_reports_state_it() {
    let model = tiny();
    let (hidden, inner) = (gram(64), gram(96));
    let grams: [(&[usize], u64, Vec<f32>); 2] = [(&[2, 5], 200, hidden.clone()), (&[6], 200, inner.clone())];
    for order in ["groups", "none", "descending"] {
        for symmetric in [true, false] {
            let options = json!({ "act_order": order, "group_size": 32, "sym": symmetric });
            let written = quantize_with(&model, "3bit", options.clone(), &grams).unwrap();
            let nearest = quantize(&model, "3bit", options.clone()).unwrap();
            assert!(written.reports.iter().all(|report| report.warnings.is_empty()));
            for (tensor, module, gram) in [
                (2, "model.layers.0.self_attn.q_proj", &hidden),
                (5, "model.layers.0.mlp.up_proj", &hidden),
                (6, "model.layers.0.mlp.down_proj", &inner),
            ] {
                let figures = &written.reports[1].figures[module];
                let stated = figures["relative_error"].as_f64().unwrap();
                let found = error_at_the_output(&model, &written, tensor, gram);
                assert!((stated / found - 1.0).abs() < 0.02, "{options} {module}: {stated} stated, {found} found");
                let before = error_at_the_output(&model, &nearest, tensor, gram);
                assert!(found < 0.7 * before, "{options} {module}: {found} of {before}");
                assert_eq!((&figures["samples"], &figures["fallback"]), (&200.into(), &Value::Null));
                assert!(figures["damp"].as_f64().unwrap() > 0.04 && figures["time"].is_f64());
                let per_token = figures["loss"].as_f64().unwrap() * 200.0 * 200.0;
                assert!(per_token > 0.0 && figures["loss"].as_f64().unwrap() < per_token);
            }
            assert_eq!(json_of(&written, "quantize_config.json")["desc_act"], order == "descending");
            // Whatever moved, the reader gives back what was fed back.
            comes_back(&model, &written, 3.0);
        }
    }
}

#[test]
fn gram_matrices_that_say_nothing_are_named_and_wrong_ones_refused() {
    let model = tiny();
    let cases: [(u64, Vec<f32>, &str); 3] = [
        (0, vec![0.0; 64 * 64], "no token of the calibration reached it"),
        (9, vec![0.0; 64 * 64], "every input is zero"),
        (9, vec![f32::NAN; 64 * 64], "NaN"),
    ];
    for (count, values, word) in cases {
        let written = quantize_with(&model, "4bit-g32-sym", json!({}), &[(&[2], count, values)]).unwrap();
        let warning = &written.reports[1].warnings[0];
        assert!(warning.contains("q_proj was rounded to nearest") && warning.contains(word), "{warning}");
    }
    let error = quantize_with(&model, "4bit-g32-sym", json!({}), &[(&[2], 9, vec![1.0; 9])]).err().unwrap();
    assert!(error.message.contains("need [64, 64]"), "{}", error.message);
}

#[test]
fn missing_gram_matrices_are_told_before_the_work() {
    let (model, backend) = (tiny(), Backend::in_process(GptqBackend).unwrap());
    let mut request = request("4bit-g32-sym", json!({}));
    request.statistics.retain(|offer| offer.tensor == 2);
    let session = backend.open_session(&Alone::default(), &model, &request).unwrap();
    assert!(session.plan().warnings[0].starts_with("2 of 3 matrices have no Gram matrix"));
    request.statistics.clear();
    let error = backend.open_session(&Alone::default(), &model, &request).err().unwrap();
    assert_eq!(error.kind, Kind::MissingStatistics);
}

#[test]
fn the_nearest_codes_need_the_weights_alone() {
    let (model, backend) = (tiny(), Backend::in_process(GptqBackend).unwrap());
    let format = &backend.descriptor().formats[0];
    let options = json!({ "rounding": "nearest" });
    let level = |options: &Value| format.with_options(&format.levels[0], options.as_object().unwrap());
    assert!(level(&options).requires_statistics.is_empty());
    assert_eq!(level(&json!({ "rounding": "feedback" })).requires_statistics, ["gram"]);
    let mut without = request("4bit-g32-sym", options.clone());
    without.statistics.clear();
    let session = backend.open_session(&Alone::default(), &model, &without).unwrap();
    let plan = session.plan();
    assert!(plan.units.iter().all(|unit| unit.statistics.is_empty()) && plan.warnings.is_empty());
    assert!(plan.notes.iter().any(|note| note.contains("without calibration")), "{:?}", plan.notes);

    // Statistics that are there all the same change nothing, and nobody is told of a fallback.
    let grams: [(&[usize], u64, Vec<f32>); 1] = [(&[2, 5], 90, gram(64))];
    let with = quantize_with(&model, "4bit-g32-sym", options.clone(), &grams).unwrap();
    let written = quantize(&model, "4bit-g32-sym", options).unwrap();
    assert_eq!(with.files, written.files);
    assert!(written.reports.iter().all(|report| report.warnings.is_empty() && report.fallbacks.is_empty()));
    let figures = &written.reports[1].figures["model.layers.0.mlp.up_proj"];
    assert_eq!((&figures["rounding"], &figures["fallback"]), (&"nearest".into(), &Value::Null));
    comes_back(&model, &written, 1.0);
}

/// The Gram matrix of the first tokens.
fn gram_of(columns: usize, tokens: usize, input: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let mut gram = vec![0f32; columns * columns];
    for token in 0..tokens {
        for (place, value) in gram.iter_mut().enumerate() {
            *value += input(token, place / columns) * input(token, place % columns);
        }
    }
    gram
}

#[test]
fn gram_matrices_of_low_rank_are_no_reason_to_fall_back() {
    let model = tiny();
    let wave = |token: usize, column: usize| ((token * 17 + column * 11) % 23) as f32 / 23.0 - 0.3;
    let alive = |token: usize, column: usize| if column % 5 == 2 { 0.0 } else { wave(token, column) };
    let huge = |token: usize, column: usize| if column == 7 { 3e4 } else { wave(token, column) };
    for (name, tokens, gram) in [
        ("one token", 1, gram_of(64, 1, wave)),
        ("three tokens", 3, gram_of(64, 3, wave)),
        ("the same token again and again", 500, gram_of(64, 500, |_, column| wave(1, column))),
        ("inputs that are always zero", 90, gram_of(64, 90, alive)),
        ("one input far above all", 90, gram_of(64, 90, huge)),
        ("hardly anything", 90, gram_of(64, 90, |t, c| wave(t, c) * 1e-18)),
    ] {
        for (level, damp) in [("4bit", 0.05), ("2bit", 0.05), ("4bit", 0.0), ("2bit", 0.0)] {
            let options = json!({ "group_size": 32, "damp": damp });
            let grams: [(&[usize], u64, Vec<f32>); 1] = [(&[2, 5], tokens, gram.clone())];
            let written = quantize_with(&model, level, options.clone(), &grams).unwrap();
            let nearest = quantize(&model, level, options).unwrap();
            let fallbacks = &written.reports[1].fallbacks;
            assert_eq!(fallbacks.len(), 1, "{name}: only down_proj has no Gram matrix: {fallbacks:?}");
            for tensor in [2, 5] {
                let (now, before) = [&written, &nearest].map(|w| error_at_the_output(&model, w, tensor, &gram)).into();
                assert!(now.is_finite() && now <= before, "{name}, {level}, {damp}: {now} after {before}");
            }
            comes_back(&model, &written, f32::MAX);
        }
    }
}

#[test]
fn rarely_reached_matrices_are_damped_more() {
    let wave = |token: usize, column: usize| ((token * 17 + column * 11) % 23) as f32 / 23.0 - 0.3;
    for (tokens, damp) in [(640, 0.05), (64, 0.05), (16, 0.2), (2, 1.0)] {
        let grams: [(&[usize], u64, Vec<f32>); 1] = [(&[2], tokens, gram_of(64, tokens as usize, wave))];
        let written = quantize_with(&tiny(), "4bit-g32-sym", json!({}), &grams).unwrap();
        let figures = &written.reports[1].figures["model.layers.0.self_attn.q_proj"];
        assert!((figures["damp"].as_f64().unwrap() - damp).abs() < 1e-6, "{tokens} tokens: {figures}");
    }
}

#[test]
fn inputs_that_fill_no_words_are_refused_before_the_work() {
    let odd = |columns: u64| {
        let shape = [8, columns];
        Tiny::new(&[("model.layers.0.mlp.up_proj.weight", "ffn_up", 1, &shape)], |_, i| (i % 9) as f32 * 0.1)
    };
    for (columns, level) in [(36, "4bit"), (60, "3bit"), (30, "8bit"), (20, "2bit")] {
        let backend = Backend::in_process(GptqBackend).unwrap();
        let mut request = request(level, json!({ "group_size": 8 }));
        request.statistics.iter_mut().for_each(|offer| offer.tensor = 0);
        let error = backend.open_session(&Alone::default(), &odd(columns), &request).err();
        let message = error.map(|error| error.message).unwrap_or_default();
        let why = format!("has {columns} inputs; every loader asks for a multiple of 32");
        assert!(message.contains(&why), "{columns} at {level}: {message}");
    }
}
