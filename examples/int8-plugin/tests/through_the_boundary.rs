//! The backend driven as a host drives it: every call crosses the real boundary, no file and no other process.

mod fake_host;

use fake_host::{Alone, Memory, Tiny};
use llmq_int8::backend::Int8;
use llmq_plugin_api::client::{Backend, Source, UnitInput};
use llmq_plugin_api::sdk::{Error, Kind, MappedFile, Statistic, StatisticKind};
use llmq_plugin_api::wire::{self, Request};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const TENSORS: &[(&str, u32, &[u64])] = &[
    ("model.embed_tokens.weight", 0, &[6, 8]),
    ("model.layers.0.norm.weight", 1, &[8]),
    ("model.layers.0.q_proj.weight", 1, &[3, 8]),
    ("model.layers.0.experts.weight", 1, &[2, 5, 8]),
];

fn tiny() -> Tiny {
    Tiny::new(TENSORS, |t, i| ((i * 31 + t * 7) % 53) as f32 / 53.0 - 0.4)
}

fn request(options: Value) -> Request {
    let document =
        json!({ "v": 1, "format": "int8", "level": "W8", "stem": "tiny", "device": "cpu", "options": options });
    wire::decode("request", &document.to_string()).unwrap()
}

/// Files by name and contents, and the weights fed back.
type Written = (Vec<(String, Vec<u8>)>, Vec<(u32, u64, Vec<f32>)>);

fn quantize(model: &Tiny, options: Value, importance: Option<&[f32]>) -> Result<Written, Error> {
    let backend = Backend::in_process(Int8)?;
    let services = Alone::default();
    let session = backend.open_session(&services, model, &request(options))?;
    let plan = session.plan().clone();
    plan.check(model.description.units.len(), model.description.tensors.len()).expect("a sound plan");
    let memory = Memory::new(&plan);
    for (index, unit) in model.description.units.iter().enumerate() {
        let mine = (0..TENSORS.len()).filter(|t| model.description.tensors[*t].unit == index as u32);
        let tensors = mine.clone().map(|t| model.tensor(t as u32).unwrap()).collect();
        let statistic = |tensor: usize| {
            importance.map(|values| Statistic {
                tensor,
                expert: None,
                kind: StatisticKind::SumSquares,
                count: 1,
                shape: &[8],
                values,
            })
        };
        let input =
            UnitInput { index: index as u32, id: &unit.id, tensors, statistics: mine.filter_map(statistic).collect() };
        session.quantize(&services, model, &input, &memory)?;
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
    Ok((files, memory.fed_back.into_inner().unwrap()))
}

fn mapped(files: &[(String, Vec<u8>)]) -> Vec<MappedFile<'_>> {
    files.iter().map(|(name, data)| MappedFile { name, data, length: data.len() as u64 }).collect()
}

#[test]
fn what_is_written_is_read_back_within_half_a_step_and_fed_back_exactly() {
    let model = tiny();
    let (files, fed_back) = quantize(&model, json!({ "clip": 1.0 }), None).unwrap();
    let files = mapped(&files);
    let backend = Backend::in_process(Int8).unwrap();
    assert!(backend.recognize(&files) > 90);
    let reader = backend.open(&Alone::default(), &files).unwrap();
    assert!(reader.validate(&Alone::default(), &files).unwrap().is_valid());
    for (index, tensor) in reader.summary().tensors.iter().enumerate() {
        let (source, described) = model.description.tensor(&tensor.name).unwrap();
        assert_eq!(tensor.shape, described.shape);
        let mut decoded = vec![0f32; tensor.elements() as usize];
        reader.decode_rows(&files, index, 0, &mut decoded).unwrap();
        let original = model.data[source].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        let half_a_step = if described.shape.len() > 1 { 0.61 / 254.0 } else { 0.0 };
        assert!(original.zip(&decoded).all(|(w, d)| (w - d).abs() <= half_a_step), "{}", tensor.name);
        if let Some((_, _, rows)) = fed_back.iter().find(|(t, ..)| *t as usize == source) {
            assert_eq!(*rows, decoded, "{}", tensor.name);
        }
    }
    assert_eq!(reader.summary().tensors.len(), TENSORS.len());
}

#[test]
fn config_and_tokenizer_come_back() {
    let model = tiny();
    let (files, _) = quantize(&model, json!({}), None).unwrap();
    let files = mapped(&files);
    let written: Value = serde_json::from_slice(files.iter().find(|f| f.name == "config.json").unwrap().data).unwrap();
    assert_eq!(written["quantization_config"]["bits"], 8);
    let reader = Backend::in_process(Int8).unwrap().open(&Alone::default(), &files).unwrap();
    assert_eq!(reader.summary().config, model.description.config);
    assert_eq!(reader.summary().sidecars, ["config.json", "tokenizer.json"]);
    assert_eq!(reader.sidecar(&files, "tokenizer.json").unwrap(), b"{\"model\":{}}");
}

#[test]
fn statistics_change_the_chosen_scales() {
    let outlier = |_: usize, i: usize| if i.is_multiple_of(8) { 1.0 } else { 0.3 + (i % 5) as f32 * 0.003 };
    let model = Tiny::new(TENSORS, outlier);
    let unweighted = quantize(&model, json!({ "clip": 0.5 }), None).unwrap().0;
    let weighted = quantize(&model, json!({ "clip": 0.5 }), Some(&[0.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0])).unwrap().0;
    assert_ne!(unweighted, weighted);
}

#[test]
fn mistakes_are_refused_with_a_sentence() {
    let model = tiny();
    for (options, word) in
        [(json!({ "clip": 2 }), "0.5 to 1"), (json!({ "clip": "x" }), "0.5 to 1"), (json!({ "zip": 1 }), "`zip`")]
    {
        let error = quantize(&model, options, None).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidRequest);
        assert!(error.message.contains(word), "{}", error.message);
    }
    let broken = Tiny::new(TENSORS, |t, i| if (t, i) == (2, 9) { f32::NAN } else { 0.0 });
    let error = quantize(&broken, json!({}), None).unwrap_err();
    assert!(error.message.contains("q_proj.weight` holds NaN at weight 9"), "{}", error.message);
}

#[test]
fn a_request_to_stop_is_honoured() {
    let model = tiny();
    let backend = Backend::in_process(Int8).unwrap();
    let services = Alone::default();
    let session = backend.open_session(&services, &model, &request(json!({}))).unwrap();
    services.stop.store(true, Ordering::Relaxed);
    let tensors = vec![model.tensor(0).unwrap()];
    let input = UnitInput { index: 0, id: "embeddings", tensors, statistics: Vec::new() };
    let error = session.quantize(&services, &model, &input, &Memory::new(session.plan())).unwrap_err();
    assert_eq!(error.kind, Kind::Cancelled);
}
