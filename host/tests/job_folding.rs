//! Scales of a backend, folded into what it is handed: weights, statistics, the comparison with the output, resuming; and
//! scales or groups that are wrong.

mod model_folder;
mod toy;

use llm_quantize::cancel::Cancel;
use llm_quantize::event::Silent;
use llm_quantize::failure::{Class, Failure};
use llm_quantize::job::{Disk, Job, JobReport, JobSpec, Weights};
use llm_quantize::model::{Fingerprint, Model, NonFinite};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::Unit;
use llmq_plugin_api::wire::{Fold, Folds, ModelDescription, SmoothingKind, UnitReport};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use toy::backend::{Fault, Scale, Toy};
use toy::{Heard, Place, run_with};

/// Powers of two: folding them is exact.
fn scale(channel: usize) -> f32 {
    [0.5, 2.0, 4.0][channel % 3]
}

fn folds(model: &ModelDescription, unit: usize) -> Vec<Fold> {
    let groups = (0..).zip(&model.smoothing).filter(|(_, group)| group.unit as usize == unit);
    groups.map(|(group, of)| Fold { group, scales: (0..of.channels as usize).map(scale).collect() }).collect()
}

fn scaling() -> Toy {
    let scale: Scale = Arc::new(|model: &ModelDescription, unit: &Unit| {
        let mut report = UnitReport { warnings: vec!["searched".into()], ..UnitReport::default() };
        report.figures.insert("best".into(), 0.5.into());
        report.figures.insert("tensors".into(), 99.into());
        Folds { folds: folds(model, unit.index), report }
    });
    Toy { scale: Some(scale), ..Toy::default() }
}

/// Every number as it is, so that whatever is written can be compared exactly.
fn plain(place: &Place) -> JobSpec {
    JobSpec { level: "PLAIN".into(), ..place.spec() }
}

/// Numbers, and how many make a row.
type Matrix = (Vec<f32>, usize);

fn rows(unit: &Unit, name: &str) -> Matrix {
    let tensor = unit.tensors.iter().find(|t| t.name == name).unwrap();
    let mut values = vec![0.0; tensor.rows() * tensor.columns()];
    tensor.read_rows(0, &mut values).unwrap();
    (values, tensor.columns())
}

#[test]
fn the_backend_is_handed_the_folded_unit() {
    let place = Place::new();
    let model = Model::open(&place.model()).unwrap();
    let original = |name: &str| {
        let index = model.description().tensors.iter().position(|t| t.name == name).unwrap();
        let mut values = vec![0.0; model.description().tensors[index].elements() as usize];
        model.read_rows_f32(index, 0, &mut values).unwrap();
        values
    };
    let seen: Arc<Mutex<BTreeMap<String, Matrix>>> = Arc::default();
    let all = Arc::clone(&seen);
    let look = move |unit: &Unit| {
        for tensor in &unit.tensors {
            all.lock().unwrap().insert(tensor.name.to_owned(), rows(unit, tensor.name));
            // Whoever takes stored bytes would get the original's.
            assert!(tensor.raw().is_none() || !tensor.name.starts_with("model.layers"), "{}", tensor.name);
        }
    };
    let toy = Toy { look: Some(Arc::new(look)), ..scaling() };
    let report = run_with(&plain(&place), toy, &Disk, &Silent).unwrap();
    let seen = seen.lock().unwrap();
    let expect = |name: &str, factor: &dyn Fn(usize, usize) -> f32| {
        let (values, columns) = &seen[name];
        let expected: Vec<f32> =
            original(name).iter().enumerate().map(|(at, w)| w * factor(at / columns, at % columns)).collect();
        assert_eq!(values, &expected, "{name}");
    };
    expect("model.layers.1.input_layernorm.weight", &|_, column| 1.0 / scale(column));
    expect("model.layers.1.self_attn.q_proj.weight", &|_, column| scale(column));
    expect("model.layers.1.self_attn.v_proj.weight", &|row, column| scale(column) / scale(row));
    // Four heads, two wide, on two heads of values.
    expect("model.layers.1.self_attn.o_proj.weight", &|_, column| scale(column / 4 * 2 + column % 2));
    expect("model.layers.0.mlp.up_proj.weight", &|row, column| scale(column) / scale(row));
    expect("model.layers.0.mlp.down_proj.weight", &|_, column| scale(column));
    expect("model.norm.weight", &|_, _| 1.0);
    expect("lm_head.weight", &|_, _| 1.0);
    // Read back and compared with the folded model, not with the original.
    assert_eq!(report.max_relative_error, Some(0.0));
    assert!(report.warnings.contains(&"layer.1: searched".to_owned()), "{:?}", report.warnings);
    let figures = &report.figures["layer.0"];
    assert_eq!((&figures["best"], &figures["tensors"], &figures["fold_tensors"]), (&0.5.into(), &9.into(), &99.into()));
}

fn bytes(place: &Place) -> Vec<u8> {
    std::fs::read(place.file()).unwrap()
}

#[test]
fn threads_units_side_by_side_and_stops_change_no_byte() {
    let place = Place::new();
    run_with(&plain(&place), scaling(), &Disk, &Silent).unwrap();
    let expected = bytes(&place);
    let unscaled = Place::new();
    run_with(&plain(&unscaled), Toy::default(), &Disk, &Silent).unwrap();
    assert_ne!(expected, bytes(&unscaled));

    let place = Place::new();
    let toy = Toy { concurrent_units: 3, ..scaling() };
    run_with(&JobSpec { threads: Some(3), ..plain(&place) }, toy, &Disk, &Silent).unwrap();
    assert_eq!(bytes(&place), expected);

    // Stopped in layer.1, with and without the scales of the layer before.
    for forgotten in [false, true] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counting = |fault| {
            let (inner, asked) = (scaling().scale.unwrap(), Arc::clone(&asked));
            let scale: Scale = Arc::new(move |model: &ModelDescription, unit: &Unit| {
                asked.fetch_add(1, Ordering::SeqCst);
                inner(model, unit)
            });
            Toy { scale: Some(scale), fault, ..Toy::default() }
        };
        let stopped = Place::new();
        let limited = JobSpec { memory_limit: Some(1 << 40), ..plain(&stopped) };
        let failure = run_with(&limited, counting(Fault::ReservesTooMuch), &Disk, &Silent).unwrap_err();
        assert_eq!(failure.class, Class::OutOfMemory, "{failure:?}");
        if forgotten {
            std::fs::remove_dir_all(stopped.checkpoint().join("folds")).unwrap();
        }
        asked.store(0, Ordering::SeqCst);
        let report = run_with(&plain(&stopped), counting(Fault::None), &Disk, &Silent).unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), if forgotten { 2 } else { 1 });
        assert_eq!(report.units.resumed, if forgotten { 1 } else { 2 });
        assert_eq!(bytes(&stopped), expected);
        assert_eq!(stopped.names(), ["m.toy"]);
    }
}

fn refused(spoil: impl Fn(&ModelDescription, &mut Vec<Fold>) + Send + Sync + 'static) -> Failure {
    let scale: Scale = Arc::new(move |model: &ModelDescription, unit: &Unit| {
        let mut folds = folds(model, unit.index);
        if unit.id == "layer.1" {
            spoil(model, &mut folds);
        }
        Folds { folds, ..Folds::default() }
    });
    let place = Place::new();
    let failure = run_with(&plain(&place), Toy { scale: Some(scale), ..Toy::default() }, &Disk, &Silent).unwrap_err();
    assert!(!place.file().exists());
    failure
}

#[test]
fn scales_that_fit_no_group_are_the_plugin_s_fault() {
    type Spoil = fn(&ModelDescription, &mut Vec<Fold>);
    let cases: [(Spoil, &str); 7] = [
        (|model, folds| folds[0].group = model.smoothing.len() as u32, "group 8, and the model has 8"),
        (|_, folds| folds[0].group = 0, "belongs to unit `layer.0`"),
        (|_, folds| folds.push(folds[1].clone()), "v_proj -> o_proj` is there twice"),
        (|_, folds| folds[0].scales.truncate(7), "has 8 channels and was given 7 scales"),
        (
            |_, folds| folds[0].scales[3] = 0.0,
            "scale 3 of group `model.layers.1: input_layernorm -> q_proj, k_proj, v_proj` is 0",
        ),
        (|_, folds| folds[0].scales[3] = -1.0, "is -1"),
        (|_, folds| folds[0].scales[3] = f32::INFINITY, "is NaN"),
    ];
    for (spoil, words) in cases {
        let failure = refused(spoil);
        assert!(failure.message.contains("plugin `toy` gave scales for unit `layer.1`"), "{failure:?}");
        assert!(failure.message.contains(words), "{words}: {failure:?}");
        assert!(failure.suggestion.contains("defect of the plugin"), "{failure:?}");
    }
}

#[test]
fn weights_that_a_scale_takes_out_of_range_are_refused() {
    let failure = refused(|_, folds| folds[0].scales[0] = 3e38);
    assert!(
        failure.message.contains("unit `layer.1` computes") || failure.message.contains("scales folded in"),
        "{failure:?}"
    );
}

/// A model whose description says something else about its channels.
struct Misled(Model, ModelDescription);

impl Weights for Misled {
    fn description(&self) -> &ModelDescription {
        &self.1
    }
    fn bytes(&self, tensor: usize) -> Result<&[u8], Failure> {
        Weights::bytes(&self.0, tensor)
    }
    fn read_rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), Failure> {
        Weights::read_rows(&self.0, tensor, first_row, out)
    }
    fn file(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Weights::file(&self.0, name)
    }
    fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        Weights::fingerprint(&self.0)
    }
    fn non_finite(&self, tensor: usize) -> Result<Option<NonFinite>, Failure> {
        Weights::non_finite(&self.0, tensor)
    }
    fn notes(&self) -> &[String] {
        &[]
    }
    fn source_bytes(&self) -> u64 {
        Weights::source_bytes(&self.0)
    }
    fn will_need(&self, _: usize) {}
    fn done_with(&self, _: usize, _: bool) {}
    fn check_unchanged(&self) -> Result<(), Failure> {
        Ok(())
    }
}

fn misled(place: &Place, spoil: impl Fn(&mut ModelDescription)) -> Result<JobReport, Failure> {
    let model = Model::open(&place.model()).unwrap();
    let mut description = model.description().clone();
    spoil(&mut description);
    let (backend, cancel) = (Backend::in_process(scaling()).unwrap(), Cancel::default());
    let weights = Box::new(Misled(model, description));
    Job::open_with(&plain(place), weights, &backend, &Silent, &cancel, &Disk)?.run()
}

#[test]
fn a_wrong_group_stops_the_job_and_is_named() {
    let place = Place::new();
    assert!(misled(&place, |_| {}).is_ok());
    for (kind, name) in [
        (SmoothingKind::Norm, "model.layers.1: post_attention_layernorm -> gate_proj, up_proj"),
        (SmoothingKind::Values, "model.layers.1: self_attn.v_proj -> o_proj"),
        (SmoothingKind::Up, "model.layers.1: mlp.up_proj -> down_proj"),
    ] {
        let place = Place::new();
        let failure = misled(&place, |description| {
            let group =
                description.smoothing.iter_mut().find(|group| group.kind == kind && group.name == name).unwrap();
            if kind == SmoothingKind::Norm {
                group.consumers.pop();
            } else {
                group.producers[0].first_row = 1;
            }
        });
        let failure = failure.unwrap_err();
        assert!(
            failure.message.contains(&format!("scales of group `{name}` changes what unit `layer.1`")),
            "{failure:?}"
        );
        assert!(failure.suggestion.contains("leave this group out"), "{failure:?}");
        assert!(!place.file().exists());
    }
}

#[test]
fn a_model_without_groups_is_told_of() {
    let place = Place::new();
    let report = misled(&place, |description| {
        description.smoothing.clear();
        description.config["architectures"] = serde_json::json!(["BertModel"]);
    });
    let warnings = report.unwrap().warnings;
    assert!(warnings.iter().any(|w| w.contains("no channels are scaled before quantization")), "{warnings:?}");
    let heard = Heard::default();
    let spec = plain(&place);
    run_with(&spec, scaling(), &Disk, &heard).unwrap();
    assert!(heard.has("with scales folded in") && !heard.has("no channels are scaled"));
}
