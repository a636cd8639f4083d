//! Jobs in which later layers see quantized ones: every layer gets the statistics of a model whose earlier layers are those
//! of the output, whether or not the job was stopped in between.

mod model_folder;
mod toy;

use llm_quantize::calibrate::{CalibrationSpec, TextSpec, Upfront, calibrate, read_text, settings};
use llm_quantize::cancel::Cancel;
use llm_quantize::event::Silent;
use llm_quantize::failure::{Class, Failure};
use llm_quantize::job::{Disk, Job, JobSpec, Weights};
use llm_quantize::model::Model;
use llm_quantize::pass::{Services, Subject};
use llm_quantize::statistics::Supply;
use llm_quantize::threads::pool;
use llmq_calibration::Folder;
use llmq_plugin_api::client::{Backend, Loaded};
use llmq_plugin_api::sdk::{MappedFile, Reader, StatisticKind};
use llmq_plugin_api::wire::{ModelDescription, SeenByLaterLayers};
use model_folder::tiny_model;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use toy::backend::Toy;
use toy::disks::{Death, Dying};
use toy::file::ToyReader;
use toy::{Heard, Place, run_cancellable, run_with};

/// Gram matrices by tensor name.
type Grams = BTreeMap<String, Vec<f32>>;

fn open(path: &Path) -> Result<Box<dyn Weights>, Failure> {
    Ok(Box::new(Model::open(path)?))
}

fn text(place: &Place) -> TextSpec {
    let file = place.root.path().join("text.txt");
    std::fs::write(&file, "The river runs to the sea, and the sea gives it back to the hills. ".repeat(20)).unwrap();
    TextSpec { files: vec![file], seqlen: 16, samples: 4, shuffle: None, tokenizer: Some(tiny_model()) }
}

fn spec(place: &Place, seen: SeenByLaterLayers) -> JobSpec {
    let backend = Backend::in_process(Toy::default()).unwrap();
    let plugin = Loaded { id: "toy".into(), version: "1".into(), older_interface: false, backend };
    let upfront = Upfront {
        text: text(place),
        kinds: vec![StatisticKind::Gram],
        open: Arc::new(open),
        plugin: Arc::new(plugin),
        later_layers_see: seen,
    };
    let statistics = Some(Supply::Text(Arc::new(upfront)));
    JobSpec { model: tiny_model(), level: "GRAM".into(), statistics, ..place.spec() }
}

fn in_parts() -> Toy {
    Toy { takes_parts: true, ..Toy::default() }
}

/// The model with some tensors as a finished output holds them.
fn partly(place: &Place, name: &str, replaced: impl Fn(usize) -> bool) -> PathBuf {
    let folder = place.root.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(tiny_model().join(file), folder.join(file)).unwrap();
    }
    let (model, output) = (Model::open(&tiny_model()).unwrap(), std::fs::read(place.file()).unwrap());
    let files = [MappedFile { name: "m.toy", data: &output, length: output.len() as u64 }];
    let reader = ToyReader::open(&files).unwrap();
    let tensors = &model.description().tensors;
    let mut stored: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let mut values = vec![0f32; tensor.elements() as usize];
        match replaced(index) {
            true => reader.decode_rows(&files, index, 0, &mut values).unwrap(),
            false => model.read_rows_f32(index, 0, &mut values).unwrap(),
        }
        let shape = tensor.shape.iter().map(|count| *count as usize).collect();
        stored.push((tensor.name.clone(), shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()));
    }
    let views =
        stored.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    folder
}

/// What a calibration by itself gathers of a model.
fn gathered(place: &Place, model: &Path) -> Grams {
    let subject = Subject::new(open(model).unwrap()).unwrap();
    let (cancel, vocab) = (Cancel::default(), subject.network.embedding.vocab);
    let samples = read_text(&text(place), model, subject.weights(), vocab, &Silent, &cancel).unwrap();
    let folder = model.join("statistics");
    let spec = CalibrationSpec {
        settings: settings(true, false),
        folder: Some(folder.clone()),
        memory_limit: None,
        peaks: false,
    };
    let pool = pool(Some(1)).unwrap();
    calibrate(&subject, &samples, &spec, &Services { pool: &pool, cancel: &cancel, observer: &Silent }).unwrap();
    let folder = Folder::open(&folder).unwrap();
    let mut all = Grams::new();
    for entry in folder.units().iter().flat_map(|unit| folder.read(&unit.id).unwrap()) {
        let gram = entry.records[0].gram_dense().unwrap();
        all.extend(entry.sources.iter().map(|source| (source.tensor.clone(), gram.clone())));
    }
    all
}

/// Runs a job; the Gram matrices that it handed in, and the units in the order of calls.
fn handed(place: &Place, seen: SeenByLaterLayers, description: &ModelDescription) -> (Grams, Vec<String>) {
    let seen_by_backend = Arc::new(Mutex::new((Grams::new(), Vec::new())));
    let (all, names) = (Arc::clone(&seen_by_backend), description.tensors.clone());
    let look = move |unit: &llmq_plugin_api::sdk::Unit| {
        let grams = unit.statistics.iter().map(|s| (names[s.tensor].name.clone(), s.values.to_vec()));
        let mut all = all.lock().unwrap();
        all.0.extend(grams);
        all.1.push(unit.id.to_owned());
    };
    let toy = Toy { look: Some(Arc::new(look)), ..in_parts() };
    let heard = Heard::default();
    let report = run_with(&spec(place, seen), toy, &Disk, &heard).unwrap();
    assert_eq!(report.later_layers_see, Some(seen));
    assert!(heard.has("Calibrating"), "{:?}", heard.events());
    assert_eq!(place.names(), ["m.toy"], "nothing but the output stays");
    Arc::try_unwrap(seen_by_backend).unwrap().into_inner().unwrap()
}

/// Position of a tensor's stage in its layer; the first one is worked on with everything that is no linear layer.
fn stage(name: &str) -> usize {
    let of = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match () {
        () if of(&["o_proj"]) => 1,
        () if of(&["gate_proj", "up_proj"]) => 2,
        () if of(&["down_proj"]) => 3,
        () => 0,
    }
}

#[test]
fn every_layer_sees_the_layers_before_it_as_the_output_holds_them() {
    let place = Place::new();
    let description = Model::open(&tiny_model()).unwrap().description().clone();
    let (grams, units) = handed(&place, SeenByLaterLayers::Quantized, &description);
    assert_eq!(units, ["embeddings", "layer.0", "layer.1", "head"]);
    assert_eq!(grams.len(), 14, "seven linear layers in each of two; the head is the embedding, which comes first");
    let original = gathered(&place, &partly(&place, "original", |_| false));
    for unit in [1, 2] {
        let model = partly(&place, &format!("before-{unit}"), |tensor| description.tensors[tensor].unit < unit);
        let expected = gathered(&place, &model);
        for tensor in description.tensors.iter().filter(|t| t.unit == unit && grams.contains_key(&t.name)) {
            assert!(grams[&tensor.name] == expected[&tensor.name], "{}", tensor.name);
            assert!(grams[&tensor.name] != original[&tensor.name], "{} sees original layers", tensor.name);
        }
    }
}

#[test]
fn by_stage_every_linear_layer_sees_those_before_it_in_its_own_layer_as_well() {
    let place = Place::new();
    let description = Model::open(&tiny_model()).unwrap().description().clone();
    let (grams, units) = handed(&place, SeenByLaterLayers::QuantizedByStage, &description);
    assert_eq!(units.iter().filter(|unit| *unit == "layer.0").count(), 4, "{units:?}");
    assert_eq!((grams.len(), units.len()), (14, 1 + 4 + 4 + 1));
    for (unit, now) in [(1, 0), (1, 1), (1, 3), (2, 2), (2, 3)] {
        let model = partly(&place, &format!("before-{unit}-{now}"), |tensor| {
            let tensor = &description.tensors[tensor];
            tensor.unit < unit || (tensor.unit == unit && stage(&tensor.name) < now)
        });
        let expected = gathered(&place, &model);
        let of_stage = |name: &&String| {
            let found = description.tensors.iter().find(|tensor| tensor.name == **name).unwrap();
            found.unit == unit && stage(name) == now
        };
        let names: Vec<&String> = grams.keys().filter(of_stage).collect();
        assert!(!names.is_empty());
        names.into_iter().for_each(|name| assert!(grams[name] == expected[name], "{name}"));
    }
}

#[test]
fn killed_anywhere_and_resumed_gives_the_same_bytes() {
    for seen in [SeenByLaterLayers::Quantized, SeenByLaterLayers::QuantizedByStage] {
        let whole = Place::new();
        let counting = Dying::after(usize::MAX, Death::Killed);
        run_with(&spec(&whole, seen), in_parts(), &counting, &Silent).unwrap();
        let (expected, mut resumed) = (std::fs::read(whole.file()).unwrap(), 0);
        // Rows are written one by one, so an operation of each kind in every unit is met with strides of any length.
        for count in (0..counting.done()).step_by(counting.done() / 9).chain([counting.done() - 3]) {
            let place = Place::new();
            run_with(&spec(&place, seen), in_parts(), &Dying::after(count, Death::PowerCut), &Silent).unwrap_err();
            let report = run_with(&spec(&place, seen), in_parts(), &Disk, &Silent).unwrap();
            resumed += report.units.resumed;
            assert!(std::fs::read(place.file()).unwrap() == expected, "after {count} operations, {seen:?}");
            assert_eq!(place.names(), ["m.toy"]);
        }
        assert!(resumed > 3, "units were taken over: {resumed}");
    }
}

#[test]
fn a_stop_is_honoured_and_another_way_to_see_is_another_job() {
    let place = Place::new();
    let cancel = Arc::new(Cancel::default());
    let stop = Arc::clone(&cancel);
    let hook = move |unit: &str| {
        if unit == "layer.0" {
            stop.request();
        }
    };
    let toy = Toy { hook: Some(Arc::new(hook)), ..in_parts() };
    let [original, whole, stages] = SeenByLaterLayers::ALL;
    let failure = run_cancellable(&spec(&place, whole), toy, &Disk, &Silent, &cancel).unwrap_err();
    assert_eq!(failure.class, Class::Interrupted, "{failure}");
    for other in [original, stages] {
        let resume = Some(place.checkpoint());
        let checkpoints = llm_quantize::job::Checkpoints::On { dir: None, resume };
        let spec = JobSpec { checkpoints, ..spec(&place, other) };
        let failure = run_with(&spec, in_parts(), &Disk, &Silent).unwrap_err();
        assert!(failure.class == Class::Checkpoint && failure.message.contains("later_layers_see"), "{failure}");
    }
    let report = run_with(&spec(&place, whole), in_parts(), &Disk, &Silent).unwrap();
    assert!(report.units.resumed > 0);
}

#[test]
fn what_cannot_be_done_is_refused_before_any_work() {
    let place = Place::new();
    let failure = run_with(&spec(&place, SeenByLaterLayers::QuantizedByStage), Toy::default(), &Disk, &Silent);
    let failure = failure.unwrap_err();
    assert!(failure.class == Class::InvalidArguments && failure.message.contains("as a whole"), "{failure}");
    let mute = JobSpec { format: "mute".into(), ..spec(&place, SeenByLaterLayers::Quantized) };
    let failure = run_with(&mute, Toy::default(), &Disk, &Silent).unwrap_err();
    assert!(failure.message.contains("does not read its own format"), "{failure}");
    assert!(place.names().is_empty());
    // A plan runs nothing, and says what would be seen.
    let (backend, cancel, heard) = (Backend::in_process(Toy::default()).unwrap(), Cancel::default(), Heard::default());
    let job = Job::open(&spec(&place, SeenByLaterLayers::Quantized), &backend, &heard, &cancel).unwrap();
    assert_eq!(job.plan_report().later_layers_see, Some(SeenByLaterLayers::Quantized));
    assert!(!heard.has("Calibrating") && place.names().is_empty());
}
