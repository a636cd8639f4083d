//! The backend driven as a host drives it: every call crosses the real boundary, no file and no other process.

mod fake_host;

use fake_host::one_layer::*;
use fake_host::{Alone, Memory, Tiny};
use llmq_awq::AwqBackend;
use llmq_plugin_api::client::{Backend, Session, Source, UnitInput};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile};
use llmq_plugin_api::wire::{self, Folds, Request, UnitReport};
use llmq_safetensors_folders::checkpoint;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn request(level: &str, options: Value) -> Request {
    let offers = [2, 5, 6].map(|tensor| json!({ "tensor": tensor, "kinds": ["gram", "sum_abs"] }));
    let document = json!({ "v": 1, "statistics": offers, "format": "awq", "level": level, "stem": "tiny",
        "device": "cpu", "options": options, "creator": "llm-quantize 1.2.3" });
    wire::decode("request", &document.to_string()).unwrap()
}

struct Written {
    files: Vec<(String, Vec<u8>)>,
    fed_back: Vec<(u32, u64, Vec<f32>)>,
    plan: wire::Plan,
    report: UnitReport,
}

fn unit<'a>(model: &'a Tiny, index: usize, seen: Option<&'a Seen>) -> UnitInput<'a> {
    let mine = (0..TENSORS.len()).filter(|t| model.description.tensors.get(*t).is_some_and(|t| t.unit == index as u32));
    let tensors = mine.map(|t| model.tensor(t as u32).unwrap()).collect();
    let statistics = seen.filter(|_| index == 1).map_or(Vec::new(), Seen::statistics);
    UnitInput { index: index as u32, id: &model.description.units[index].id, tensors, statistics }
}

fn open(model: &Tiny, level: &str, options: Value) -> Result<Session, Error> {
    Backend::in_process(AwqBackend)?.open_session(&Alone::default(), model, &request(level, options))
}

fn quantize(model: &Tiny, level: &str, options: Value, seen: Option<&Seen>) -> Result<Written, Error> {
    let session = open(model, level, options)?;
    let plan = session.plan().clone();
    plan.check(model.description.units.len(), model.description.tensors.len()).expect("a sound plan");
    let memory = Memory::new(&plan);
    let mut report = UnitReport::default();
    for index in 0..model.description.units.len() {
        let of = session.quantize(&Alone::default(), model, &unit(model, index, seen), &memory)?;
        if index == 1 {
            report = of;
        }
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
    Ok(Written { files, fed_back: memory.fed_back.into_inner().unwrap(), plan, report })
}

fn folds(model: &Tiny, options: Value, seen: &Seen) -> Folds {
    folds_at("4bit-g32-asym", model, options, seen)
}

fn folds_at(level: &str, model: &Tiny, options: Value, seen: &Seen) -> Folds {
    let session = open(model, level, options).unwrap();
    session.fold(&Alone::default(), model, &unit(model, 1, Some(seen))).unwrap()
}

fn mapped(files: &[(String, Vec<u8>)]) -> Vec<MappedFile<'_>> {
    files.iter().map(|(name, data)| MappedFile { name, data, length: data.len() as u64 }).collect()
}

fn json_of(written: &Written, name: &str) -> Value {
    let file = written.files.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}"));
    serde_json::from_slice(&file.1).unwrap()
}

/// Reads everything back: distances of at most `step` of quantized weights, equality of all others and of what was fed back.
fn comes_back(model: &Tiny, written: &Written, step: f32) {
    let files = mapped(&written.files);
    let backend = Backend::in_process(AwqBackend).unwrap();
    assert!(backend.recognize(&files) > 90);
    let reader = backend.open(&Alone::default(), &files).unwrap();
    let report = reader.validate(&Alone::default(), &files).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(reader.summary().tensors.len(), model.description.tensors.len());
    let mut compared = 0;
    for (index, tensor) in reader.summary().tensors.iter().enumerate() {
        let (source, described) = model.description.tensor(&tensor.name).unwrap();
        assert_eq!(tensor.shape, described.shape, "{}", tensor.name);
        let mut decoded = vec![0f32; tensor.elements() as usize];
        reader.decode_rows(&files, index, 0, &mut decoded).unwrap();
        let original = model.data[source].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        let allowed = if tensor.encoding.starts_with("AWQ") { step } else { 0.0 };
        let far = original.zip(&decoded).map(|(w, d)| (w - d).abs()).fold(0.0, f32::max);
        assert!(far <= allowed, "{}: {far}", tensor.name);
        let columns = described.columns() as usize;
        for (_, first, rows) in written.fed_back.iter().filter(|(t, ..)| *t as usize == source) {
            let start = *first as usize * columns;
            assert_eq!(*rows, decoded[start..start + rows.len()], "{}", tensor.name);
            compared += rows.len();
        }
    }
    assert_eq!(compared, 64 * 64 + 96 * 64 + 64 * 96);
}

#[test]
fn every_form_comes_back_within_a_step() {
    let model = tiny();
    // Weights lie between -0.4 and 0.582.
    for (options, width) in [
        (json!({ "group_size": 32 }), 0.9822),
        (json!({ "group_size": -1 }), 0.9822),
        (json!({ "group_size": 16, "sym": true }), 2.0 * 0.5822),
        (json!({ "group_size": 32, "max_shard_size": "10KB" }), 0.9822),
    ] {
        let written = quantize(&model, "4bit", options, None).unwrap();
        // Symmetric grids reach half a step less upwards.
        comes_back(&model, &written, 1.01 * width / 15.0);
        assert!(written.report.warnings[0].contains("was rounded to nearest: there is no Gram matrix"));
        assert!(written.report.figures["model.layers.0.mlp.down_proj"]["relative_error"].is_null());
    }
}

#[test]
fn config_files_say_what_loaders_ask_for() {
    let written = quantize(&tiny(), "4bit-g32-asym", json!({ "modules_to_not_convert": ["up_proj"] }), None).unwrap();
    let kept = ["model.layers.0.mlp.gate", "model.layers.0.mlp.up_proj"];
    let expected = json!({
        "bits": 4, "group_size": 32, "modules_to_not_convert": kept, "quant_method": "awq", "version": "gemm",
        "zero_point": true
    });
    assert_eq!(json_of(&written, "config.json")["quantization_config"], expected);
    let older = json!({ "zero_point": true, "q_group_size": 32, "w_bit": 4, "version": "GEMM",
        "modules_to_not_convert": kept });
    assert_eq!(json_of(&written, "quant_config.json").to_string(), older.to_string(), "order of keys included");
    let files = mapped(&written.files);
    let reader = Backend::in_process(AwqBackend).unwrap().open(&Alone::default(), &files).unwrap();
    assert_eq!(reader.summary().config, tiny().description.config);
    assert_eq!(reader.summary().sidecars, ["config.json", "tokenizer.json"]);
    let encoding = |name: &str| {
        reader.summary().tensors.iter().find(|tensor| tensor.name.ends_with(name)).unwrap().encoding.clone()
    };
    let found = ["q_proj.weight", "up_proj.weight", "down_proj.weight", "gate.weight", "lm_head.weight"].map(encoding);
    assert_eq!(found, ["AWQ-4bit-g32", "F32", "AWQ-4bit-g32", "F32", "F32"]);
}

#[test]
fn activations_that_transformers_divides_have_scales_of_one() {
    const NAME: &str = "model.layers.0.mlp.act.scales";
    let mut model = tiny();
    model.description.config["model_type"] = json!("mpt");
    let shard = |written: &Written| written.files.iter().position(|(name, _)| name == "model.safetensors").unwrap();
    let stored = |file: &[u8]| checkpoint::parse(file).unwrap().into_iter().find(|stored| stored.name == NAME);
    // Whether or not the matrix in front of it is quantized.
    for options in [json!({}), json!({ "modules_to_not_convert": ["up_proj"] }), json!({ "target": "transformers" })] {
        let mut written = quantize(&model, "4bit-g32-asym", options.clone(), None).unwrap();
        let at = shard(&written);
        let found = stored(&written.files[at].1).unwrap_or_else(|| panic!("no {NAME}"));
        assert_eq!((found.dtype, found.shape.as_slice()), (checkpoint::Dtype::F16, &[96u64][..]));
        assert!(written.files[at].1[found.start..found.end].chunks(2).all(|bytes| bytes == [0, 0x3c]));
        if options["modules_to_not_convert"].is_null() {
            comes_back(&model, &written, 0.07);
        }
        // Another number is a part of the model that Hugging Face's view has no place for.
        written.files[at].1[found.end - 1] = 0x40;
        let refused = Backend::in_process(AwqBackend).unwrap().open(&Alone::default(), &mapped(&written.files));
        assert!(refused.err().unwrap().message.contains("divides an activation"));
    }
    let plan = quantize(&model, "4bit-g32-asym", json!({}), None).unwrap().plan;
    assert!(plan.warnings.iter().any(|warning| warning.contains(NAME)), "{:?}", plan.warnings);
    let written = quantize(&model, "4bit-g32-asym", json!({ "target": "vllm" }), None).unwrap();
    assert!(stored(&written.files[shard(&written)].1).is_none(), "vLLM gave them up");
    let written = quantize(&model, "4bit-g32-asym", json!({ "max_shard_size": "10KB" }), None).unwrap();
    let index = json_of(&written, "model.safetensors.index.json");
    let last = written.files.iter().filter(|(name, _)| name.ends_with(".safetensors")).count();
    assert_eq!(index["weight_map"][NAME], format!("model-{last:05}-of-{last:05}.safetensors"));
    comes_back(&model, &written, 0.07);
}

#[test]
fn matrices_that_are_stored_the_other_way_round_come_back() {
    let mut model = tiny();
    model.description.config["model_type"] = json!("gpt2");
    let written = quantize(&model, "4bit-g32-asym", json!({}), None).unwrap();
    let shapes = |name: &str| written.plan.slots.iter().find(|slot| slot.name.ends_with(name)).unwrap().shape.clone();
    assert_eq!((shapes("up_proj.qweight"), shapes("down_proj.qweight")), (vec![96, 64], vec![64, 96]));
    // A source row is one input of all outputs: 96 inputs of up_proj share 3 scales for each of its 64 outputs.
    comes_back(&model, &written, 0.07);
    assert_eq!(written.fed_back.iter().filter(|(tensor, ..)| *tensor == 5).count(), 2, "in strips of inputs");
}

/// tr(dW G dW^T) of changes.
fn form(changes: &[f32], gram: &[f32], columns: usize) -> f64 {
    let row = |row: &[f32]| -> f64 {
        let product = |a: usize, b: usize| f64::from(row[a]) * f64::from(gram[a * columns + b]) * f64::from(row[b]);
        (0..columns).map(|a| (0..columns).map(|b| product(a, b)).sum::<f64>()).sum()
    };
    changes.chunks(columns).map(row).sum()
}

fn weights(model: &Tiny, tensor: usize) -> Vec<f32> {
    model.data[tensor].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn scales_are_found_for_every_group_and_lower_the_error_that_they_state() {
    let (model, seen) = (tiny(), Seen::all());
    let folds = folds(&model, json!({ "rounding": "nearest" }), &seen);
    assert_eq!(folds.folds.iter().map(|fold| fold.group).collect::<Vec<_>>(), [0, 1]);
    for (fold, (name, channels)) in folds.folds.iter().zip([("norm", 64), ("up", 96)]) {
        assert!(fold.scales.len() == channels && fold.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0));
        let strong: f32 = fold.scales.iter().step_by(9).sum::<f32>() / channels.div_ceil(9) as f32;
        assert!(strong > fold.scales.iter().sum::<f32>() / channels as f32, "strong inputs gain: {strong}");
        let figures = &folds.report.figures[name];
        let [before, after] =
            ["relative_error_before", "relative_error_after"].map(|key| figures[key].as_f64().unwrap());
        assert!(after < before, "{name}: {after} of {before}");
    }
    // By definition, for the group with one matrix.
    let (columns, gram, scales) = (96, &seen.grams[1], &folds.folds[1].scales);
    let original = weights(&model, 6);
    let loss = |scales: &[f32]| {
        let scaled: Vec<f32> = original.iter().zip(scales.iter().cycle()).map(|(w, s)| w * s).collect();
        let grid = llmq_linear_grids::Grid::new(4, false);
        let changes: Vec<f32> = scaled
            .chunks(32)
            .flat_map(|group| {
                let steps = grid.reaching(group);
                group.iter().map(move |w| steps.value(grid.code(*w, steps) as u8) - w).collect::<Vec<_>>()
            })
            .zip(scales.iter().cycle())
            .map(|(change, scale)| change / scale)
            .collect();
        form(&changes, gram, columns) / form(&original, gram, columns)
    };
    let figures = &folds.report.figures["up"];
    for (key, found) in [("relative_error_before", loss(&[1.0; 96])), ("relative_error_after", loss(scales))] {
        let stated = figures[key].as_f64().unwrap();
        assert!((stated / found - 1.0).abs() < 1e-3, "{key}: {stated} stated, {found} found");
    }
}

/// Scales serve the rounding that is used: with feedback they are judged by what feedback leaves.
#[test]
fn scales_are_judged_by_the_rounding_that_is_used() {
    let (model, seen) = (tiny(), Seen::all());
    let figure = |folds: &Folds, name: &str, key: &str| folds.report.figures[name][key].as_f64().unwrap();
    for level in ["4bit-g32-asym", "4bit-g32-sym"] {
        let of = |rounding: &str| folds_at(level, &model, json!({ "rounding": rounding }), &seen);
        let (nearest, fed) = (of("nearest"), of("feedback"));
        for name in ["norm", "up"] {
            let [before, after] = ["relative_error_before", "relative_error_after"].map(|key| figure(&fed, name, key));
            assert!(after <= before, "{name}: {after} of {before}");
            assert!(before < 0.8 * figure(&nearest, name, "relative_error_before"), "{name}: feedback costs less");
        }
        let auto = of("auto");
        let scales = |folds: &Folds| folds.folds.iter().map(|fold| fold.scales.clone()).collect::<Vec<_>>();
        assert_eq!(scales(&auto), scales(&fed));
        assert_ne!(scales(&nearest), scales(&fed));
    }
    // A Gram matrix without a factor is no reason to give up scaling: the nearest codes judge.
    let mut strange = Seen::all();
    strange.grams[1][1] = f32::MAX.sqrt();
    strange.grams[1][96] = f32::MAX.sqrt();
    assert!(folds(&model, json!({}), &strange).report.figures["up"]["relative_error_before"].is_number());
}

#[test]
fn groups_with_a_caution_and_groups_nobody_saw_are_left_alone_and_named() {
    let seen = Seen::all();
    let careful = Tiny::new(TENSORS, groups("norms behind it"), |t, i| ((i * 31 + t * 7) % 53) as f32 / 53.0 - 0.4);
    let some = folds(&careful, json!({}), &seen);
    assert_eq!(some.folds.len(), 1);
    assert_eq!(some.report.figures["norm"]["left_alone"], "norms behind it");
    assert_eq!(folds(&careful, json!({ "smooth": "all" }), &seen).folds.len(), 2);
    assert!(!open(&careful, "4bit-g32-asym", json!({ "smooth": "none" })).unwrap().plan().folds);
    assert!(open(&careful, "4bit-g32-asym", json!({})).unwrap().plan().folds);
    let unseen = Seen { count: 0, ..Seen::all() };
    let none = folds(&tiny(), json!({}), &unseen);
    assert!(none.folds.is_empty() && none.report.figures["up"]["left_alone"].is_string());
}

#[test]
fn dead_channels_keep_scale_one() {
    let mut seen = Seen::all();
    for other in 0..96 {
        (seen.grams[1][5 * 96 + other], seen.grams[1][other * 96 + 5]) = (0.0, 0.0);
    }
    seen.sums[1][5] = 0.0;
    let folds = folds(&tiny(), json!({}), &seen);
    let up = folds.folds.iter().find(|fold| fold.group == 1).expect("scales");
    assert!(up.scales[5] == 1.0 && up.scales.iter().all(|scale| (0.01..100.0).contains(scale)), "{:?}", up.scales);
}

#[test]
fn every_step_lowers_the_error_at_the_output_and_reports_state_it() {
    let (model, seen) = (tiny(), Seen::all());
    for symmetric in [false, true] {
        let run = |rounding: &str, clip: &str| {
            let options = json!({ "group_size": 32, "sym": symmetric, "rounding": rounding, "clip": clip });
            quantize(&model, "4bit", options, Some(&seen)).unwrap()
        };
        let (nearest, clipped, auto) = (run("nearest", "none"), run("nearest", "all"), run("auto", "all"));
        for (tensor, module, of) in [
            (2, "model.layers.0.self_attn.q_proj", 0),
            (5, "model.layers.0.mlp.up_proj", 0),
            (6, "model.layers.0.mlp.down_proj", 1),
        ] {
            let columns = seen.sums[of].len();
            let original = weights(&model, tensor);
            let mut before = f64::INFINITY;
            for written in [&nearest, &clipped, &auto] {
                let mut changes = vec![0f32; original.len()];
                for (_, first, rows) in written.fed_back.iter().filter(|(t, ..)| *t as usize == tensor) {
                    let at = *first as usize * columns;
                    changes[at..at + rows.len()].iter_mut().zip(rows).for_each(|(change, value)| *change = *value);
                }
                changes.iter_mut().zip(&original).for_each(|(change, weight)| *change -= weight);
                let found = form(&changes, &seen.grams[of], columns) / form(&original, &seen.grams[of], columns);
                let figures = &written.report.figures[module];
                let stated = figures["relative_error"].as_f64().unwrap();
                assert!((stated / found - 1.0).abs() < 0.02, "{module}: {stated} stated, {found} found");
                assert!(found <= before * 1.0001, "{module}: {found} after {before}");
                assert!(stated <= figures["relative_error_nearest"].as_f64().unwrap());
                before = found;
            }
            let figures = &auto.report.figures[module];
            assert_eq!((&figures["rounding"], &figures["samples"]), (&"feedback".into(), &TOKENS.into()));
            let step = figures["relative_error"].as_f64().unwrap();
            assert!(step < 0.7 * figures["relative_error_nearest"].as_f64().unwrap(), "{figures}");
        }
        assert!(auto.report.warnings.is_empty(), "{:?}", auto.report.warnings);
        comes_back(&model, &auto, 3.0);
    }
}

/// Everything that asks something of a calibration turned off, in every combination but one.
#[test]
fn the_weights_alone_are_enough_where_nothing_else_was_asked_for() {
    let (model, backend) = (tiny(), Backend::in_process(AwqBackend).unwrap());
    let format = &backend.descriptor().formats[0];
    let plain = |options: Value| Request { statistics: Vec::new(), ..request("4bit-g32-asym", options) };
    let alone = json!({ "rounding": "nearest", "smooth": "none", "clip": "none" });
    for missing in ["rounding", "smooth", "clip"] {
        let mut options = alone.clone();
        options.as_object_mut().unwrap().remove(missing);
        let needs = format.with_options(&format.levels[0], options.as_object().unwrap()).requires_statistics;
        assert_eq!(needs, ["gram"], "{options}");
        let error = backend.open_session(&Alone::default(), &model, &plain(options)).err().unwrap();
        assert_eq!(error.kind, Kind::MissingStatistics);
    }
    let level = format.with_options(&format.levels[0], alone.as_object().unwrap());
    assert!(level.requires_statistics.is_empty() && level.uses_statistics.is_empty());
    let session = backend.open_session(&Alone::default(), &model, &plain(alone.clone())).unwrap();
    let plan = session.plan();
    assert!(plan.units.iter().all(|unit| unit.statistics.is_empty()) && plan.warnings.is_empty() && !plan.folds);
    assert!(plan.notes.iter().any(|note| note.contains("without calibration")), "{:?}", plan.notes);
    // Statistics that are there all the same change nothing.
    let seen = Seen::all();
    let [with, without] =
        [Some(&seen), None].map(|seen| quantize(&model, "4bit-g32-asym", alone.clone(), seen).unwrap());
    assert_eq!(with.files, without.files);
    assert!(without.report.warnings.is_empty() && without.report.fallbacks.is_empty());
    let figures = &without.report.figures["model.layers.0.mlp.up_proj"];
    assert_eq!((&figures["rounding"], &figures["fallback"]), (&"nearest".into(), &Value::Null));
    comes_back(&model, &without, 3.0);
}

#[test]
fn mistakes_are_refused_with_a_sentence() {
    let model = tiny();
    for (level, options, kind, word) in [
        ("8bit", json!({}), Kind::InvalidRequest, "`8bit`"),
        ("4bit", json!({ "zip": 1 }), Kind::InvalidRequest, "`zip`"),
        ("4bit-g64-asym", json!({}), Kind::UnsupportedModel, "96 inputs; every loader asks for whole groups of 64"),
        ("4bit", json!({ "group_size": 16, "target": "vllm" }), Kind::InvalidRequest, "groups of 16"),
        ("4bit-g32-asym", json!({ "modules_to_not_convert": ["proj"] }), Kind::UnsupportedModel, "no tensor"),
    ] {
        let error =
            quantize(&model, level, options.clone(), None).err().unwrap_or_else(|| panic!("{options} was taken"));
        assert_eq!(error.kind, kind, "{options}");
        assert!(error.message.contains(word), "{}", error.message);
    }
    let broken = Tiny::new(TENSORS, json!([]), |t, i| if (t, i) == (5, 9) { f32::NAN } else { 0.0 });
    let error = quantize(&broken, "4bit-g32-asym", json!({}), None).err().unwrap();
    assert!(error.message.contains("holds NaN at weight 9"), "{}", error.message);
    let strange = Seen { grams: [vec![1.0; 64 * 64], vec![1.0; 9]], ..Seen::all() };
    let error = quantize(&model, "4bit-g32-asym", json!({}), Some(&strange)).err().unwrap();
    assert!(error.message.contains("need [96, 96]"), "{}", error.message);
    let nan = Seen { grams: [vec![f32::NAN; 64 * 64], gram(96)], ..Seen::all() };
    let written = quantize(&model, "4bit-g32-asym", json!({}), Some(&nan)).unwrap();
    assert!(written.report.warnings[0].contains("holds NaN"), "{:?}", written.report.warnings);
}

#[test]
fn few_tokens_are_told_and_damped_more() {
    let seen = Seen { count: 70, ..Seen::all() };
    let written = quantize(&tiny(), "4bit-g32-asym", json!({}), Some(&seen)).unwrap();
    assert!(written.report.warnings[0].contains("fewer tokens than they have inputs"), "{:?}", written.report.warnings);
    for (module, damp) in [("up_proj", 0.05), ("down_proj", 0.05 * 96.0 / 70.0)] {
        let figures = &written.report.figures[&format!("model.layers.0.mlp.{module}")];
        assert!((figures["damp"].as_f64().unwrap() - damp).abs() < 1e-6, "{figures}");
    }
    let names: Vec<&str> = written.plan.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["model.safetensors", "config.json", "quant_config.json", "tokenizer.json"]);
}

#[test]
fn a_request_to_stop_is_honoured() {
    let (model, seen) = (tiny(), Seen::all());
    let backend = Backend::in_process(AwqBackend).unwrap();
    let services = Alone::default();
    let session = backend.open_session(&services, &model, &request("4bit-g32-asym", json!({}))).unwrap();
    services.stop.store(true, Ordering::Relaxed);
    let input = unit(&model, 1, Some(&seen));
    assert_eq!(session.fold(&services, &model, &input).unwrap_err().kind, Kind::Cancelled);
    let error = session.quantize(&services, &model, &input, &Memory::new(session.plan())).unwrap_err();
    assert_eq!(error.kind, Kind::Cancelled);
}
