//! A whole job: the right bytes, whatever the number of threads, and a report that keeps the contract.

mod model_folder;
mod toy;

use llm_quantize::cancel::Cancel;
use llm_quantize::event::{Event, Silent};
use llm_quantize::job::{Checkpoints, Disk, Job};
use llmq_plugin_api::client::Backend;
use model_folder::Folder;
use toy::backend::Toy;
use toy::{Heard, Place, run, run_with};

#[test]
fn the_bytes_do_not_depend_on_threads_or_checkpoints() {
    let mut outputs = Vec::new();
    for threads in [1, 2, 5] {
        for checkpoints in [Checkpoints::Off, Checkpoints::default()] {
            let place = Place::new();
            let mut spec = place.spec();
            spec.threads = Some(threads);
            spec.checkpoints = checkpoints;
            run(&spec).unwrap();
            assert_eq!(place.names(), ["m.toy"], "nothing but the output stays");
            outputs.push(std::fs::read(place.file()).unwrap());
        }
    }
    outputs.dedup();
    assert_eq!(outputs.len(), 1);
}

#[test]
fn the_report_begins_with_the_contract_s_keys() {
    let place = Place::new();
    let report = run(&place.spec()).unwrap();
    let value = serde_json::to_value(&report).unwrap();
    let keys: Vec<&String> = value.as_object().unwrap().keys().take(10).collect();
    let contract = [
        "status",
        "output_path",
        "format",
        "quantization_level",
        "file_size",
        "compression_ratio",
        "duration_seconds",
        "peak_memory_bytes",
        "validation_status",
        "metadata",
    ];
    assert_eq!(keys, contract);
    let metadata: Vec<&String> = value["metadata"].as_object().unwrap().keys().take(3).collect();
    assert_eq!(metadata, ["original_dtype", "original_size", "layers_processed"]);
    assert_eq!(value["metadata"]["original_dtype"], "float32");
    assert_eq!(value["metadata"]["layers_processed"], 2);
    assert_eq!(value["validation_status"], "valid");
    assert_eq!(report.file_size, std::fs::metadata(place.file()).unwrap().len());
    assert_eq!(report.tensors.len(), 21);
    assert!(report.max_relative_error.is_some_and(|e| e > 0.0 && e < 0.02), "{:?}", report.max_relative_error);
    assert!(report.memory.peak_anonymous_bytes > 0);
    assert_eq!(report.units.total, 4);
    assert_eq!(report.warnings, ["a warning of the plan"]);
    assert_eq!(report.figures["layer.0"]["tensors"], 9);
}

#[test]
fn the_plan_is_what_is_written_and_planning_writes_nothing() {
    let place = Place::new();
    let (backend, cancel) = (Backend::in_process(Toy::default()).unwrap(), Cancel::default());
    let job = Job::open(&place.spec(), &backend, &Silent, &cancel).unwrap();
    let plan = job.plan_report();
    assert!(!place.out().exists());
    assert_eq!(plan.obstacles, Vec::<String>::new());
    assert_eq!(plan.tensors.len(), 21);
    let report = job.run().unwrap();
    assert_eq!((plan.file_size, plan.output_path), (report.file_size, report.output_path));
    assert_eq!(plan.bits_per_weight, report.bits_per_weight);
    let bytes = std::fs::read(place.file()).unwrap();
    let norm = plan.tensors.iter().find(|t| t.name == "toy/model.norm.weight").unwrap();
    let stored = &bytes[norm.place.1 as usize..][..norm.bytes as usize];
    assert_eq!(stored, Folder::llama().tensors["model.norm.weight"].bytes);
}

#[test]
fn a_folder_is_written_whole_and_replaced_only_when_allowed() {
    let place = Place::new();
    let mut spec = place.spec();
    spec.format = "toydir".into();
    run(&spec).unwrap();
    assert_eq!(place.names(), ["m/config.json", "m/sub/weights.toy"]);
    let first = std::fs::read(place.out().join("m/sub/weights.toy")).unwrap();
    std::fs::write(place.out().join("m/stray"), "x").unwrap();
    let refused = run(&spec).unwrap_err();
    assert_eq!(refused.class.exit_code(), 2);
    assert!(refused.suggestion.contains("--overwrite"), "{}", refused.suggestion);
    spec.overwrite = true;
    run(&spec).unwrap();
    assert_eq!(place.names(), ["m/config.json", "m/sub/weights.toy"]);
    assert_eq!(std::fs::read(place.out().join("m/sub/weights.toy")).unwrap(), first);
}

#[test]
fn an_existing_file_is_replaced_with_a_note() {
    let place = Place::new();
    std::fs::create_dir(place.out()).unwrap();
    std::fs::write(place.file(), "old").unwrap();
    let report = run(&place.spec()).unwrap();
    assert!(report.warnings.iter().any(|w| w.contains("is replaced")), "{:?}", report.warnings);
    assert_ne!(std::fs::read(place.file()).unwrap(), b"old");
}

#[test]
fn events_tell_the_story_in_order() {
    let (place, heard) = (Place::new(), Heard::default());
    run_with(&place.spec(), Toy::default(), &Disk, &heard).unwrap();
    let weights: u64 = 12 * 8 * 2 + 8 + 2 * (8 * 8 * 2 + 4 * 8 * 2 + 6 * 8 * 2 + 8 * 6 + 16);
    let steps: Vec<Event> =
        heard.events().into_iter().filter(|e| !matches!(e, Event::Detail(_) | Event::Progress { .. })).collect();
    let done = |id: &str, done| Event::UnitDone { id: id.into(), done, total: 4 };
    let expected = [
        Event::Step("Architecture: LlamaForCausalLM (2 layers)".into()),
        Event::Warning("a warning of the plan".into()),
        Event::Step("Quantizing to TOY INT8".into()),
        Event::Started { verb: "Quantizing", done: 0, total: 4, weights },
        done("embeddings", 1),
        done("layer.0", 2),
        done("layer.1", 3),
        done("head", 4),
        Event::Finished,
        Event::Step("Validating output...".into()),
    ];
    assert_eq!(steps, expected);
    let last = heard.events().into_iter().rfind(|e| matches!(e, Event::Progress { .. }));
    assert_eq!(last, Some(Event::Progress { weights }));
    assert!(heard.has("MiB anonymous"));
}

#[test]
fn a_format_without_a_reader_is_unchecked_and_says_so() {
    let place = Place::new();
    let mut spec = place.spec();
    spec.format = "mute".into();
    let report = run(&spec).unwrap();
    assert_eq!(report.validation_status, "unchecked");
    assert!(report.max_relative_error.is_none());
}
