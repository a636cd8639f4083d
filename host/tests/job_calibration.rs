//! Jobs that calibrate first: what the backend is handed is what a calibration by itself gathers, and nothing stays.

mod model_folder;
mod toy;

use llm_quantize::calibrate::{CalibrationSpec, LABEL, TextSpec, Upfront, calibrate, read_text, settings};
use llm_quantize::cancel::Cancel;
use llm_quantize::event::Silent;
use llm_quantize::failure::Class;
use llm_quantize::job::{Checkpoints, Disk, Job, JobSpec, Weights};
use llm_quantize::model::Model;
use llm_quantize::pass::{Services, Subject};
use llm_quantize::statistics::Supply;
use llm_quantize::threads::pool;
use llmq_calibration::Folder;
use llmq_plugin_api::client::{Backend, Loaded};
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::SeenByLaterLayers;
use model_folder::tiny_model;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use toy::backend::Toy;
use toy::{Heard, Place, run_with};

fn open(path: &Path) -> Result<Box<dyn Weights>, llm_quantize::failure::Failure> {
    Ok(Box::new(Model::open(path)?))
}

fn text(place: &Place) -> TextSpec {
    let file = place.root.path().join("text.txt");
    std::fs::write(&file, "The river runs to the sea, and the sea gives it back to the hills. ".repeat(20)).unwrap();
    TextSpec { files: vec![file], seqlen: 16, samples: 4, shuffle: None, tokenizer: Some(tiny_model()) }
}

fn spec(place: &Place, model: &Path) -> JobSpec {
    let backend = Backend::in_process(Toy::default()).unwrap();
    let plugin = Loaded { id: "toy".into(), version: "1".into(), older_interface: false, backend };
    let upfront = Upfront {
        text: text(place),
        kinds: vec![StatisticKind::Gram],
        open: Arc::new(open),
        plugin: Arc::new(plugin),
        later_layers_see: SeenByLaterLayers::Original,
    };
    let statistics = Some(Supply::Text(Arc::new(upfront)));
    JobSpec { model: model.to_owned(), level: "GRAM".into(), statistics, ..place.spec() }
}

/// The Gram matrices that a calibration by itself gathers, by tensor name.
fn gathered(place: &Place) -> BTreeMap<String, Vec<f32>> {
    let subject = Subject::new(open(&tiny_model()).unwrap()).unwrap();
    let cancel = Cancel::default();
    let vocab = subject.network.embedding.vocab;
    let samples = read_text(&text(place), &tiny_model(), subject.weights(), vocab, &Silent, &cancel).unwrap();
    let folder = place.root.path().join("alone");
    let spec = CalibrationSpec {
        settings: settings(true, false),
        folder: Some(folder.clone()),
        memory_limit: None,
        peaks: false,
    };
    let pool = pool(Some(1)).unwrap();
    calibrate(&subject, &samples, &spec, &Services { pool: &pool, cancel: &cancel, observer: &Silent }).unwrap();
    let folder = Folder::open(&folder).unwrap();
    let mut all = BTreeMap::new();
    for entry in folder.units().iter().flat_map(|unit| folder.read(&unit.id).unwrap()) {
        let gram = entry.records[0].gram_dense().unwrap();
        all.extend(entry.sources.iter().map(|source| (source.tensor.clone(), gram.clone())));
    }
    all
}

#[test]
fn the_backend_is_handed_what_is_gathered() {
    let place = Place::new();
    let expected = gathered(&place);
    // Seven linear layers in each of two, and the head.
    assert_eq!(expected.len(), 15);
    let names: Vec<String> =
        Model::open(&tiny_model()).unwrap().description().tensors.iter().map(|tensor| tensor.name.clone()).collect();
    for checkpoints in [Checkpoints::default(), Checkpoints::Off] {
        let handed = Arc::new(Mutex::new(BTreeMap::new()));
        let (all, names) = (Arc::clone(&handed), names.clone());
        let look = move |unit: &llmq_plugin_api::sdk::Unit| {
            let grams = unit.statistics.iter().map(|s| (names[s.tensor].clone(), s.values.to_vec()));
            all.lock().unwrap().extend(grams);
        };
        let toy = Toy { look: Some(Arc::new(look)), ..Toy::default() };
        let heard = Heard::default();
        let report = run_with(&JobSpec { checkpoints, ..spec(&place, &tiny_model()) }, toy, &Disk, &heard).unwrap();
        assert!(*handed.lock().unwrap() == expected, "other values than those of a calibration alone");
        assert_eq!(report.statistics.unwrap().files, [LABEL]);
        assert!(heard.has("Calibrating"), "{:?}", heard.events());
        assert_eq!(place.names(), ["m.toy"], "nothing but the output stays");
    }
}

#[test]
fn a_plan_needs_no_run() {
    let place = Place::new();
    let (backend, cancel, heard) = (Backend::in_process(Toy::default()).unwrap(), Cancel::default(), Heard::default());
    let job = Job::open(&spec(&place, &tiny_model()), &backend, &heard, &cancel).unwrap();
    let plan = job.plan_report();
    assert_eq!(plan.statistics.unwrap().entries, 15);
    let gram = |columns: u64| columns * columns * 4;
    let hyper = &job.model().hyperparameters;
    let of_layer = 3 * gram(hyper.hidden_size.into()) + gram(hyper.intermediate_size.into());
    assert!(job.statistics_bytes().values().filter(|bytes| **bytes == of_layer).count() == 2, "each input once");
    assert!(!heard.has("Calibrating") && place.names().is_empty());
}

#[test]
fn what_has_no_forward_pass_is_refused_before_any_work() {
    let place = Place::new();
    let bert = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/models/bert");
    let heard = Heard::default();
    let failure = run_with(&spec(&place, &bert), Toy::default(), &Disk, &heard).unwrap_err();
    assert_eq!(failure.class, Class::General);
    assert!(failure.message.contains("cannot be calibrated here"), "{failure}");
    assert!(place.names().is_empty() && !heard.has("Calibrating"));
}
