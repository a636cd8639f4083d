//! Statistics folders as jobs use them: every unit gets exactly its values, shared ones once, and nothing is used that
//! does not belong to the model.

mod model_folder;
mod toy;

use llm_quantize::event::Silent;
use llm_quantize::failure::{Class, Failure};
use llm_quantize::job::{Disk, Job, JobSpec};
use llm_quantize::model::Model;
use llm_quantize::statistics::{GatheredFolder, Supply};
use llmq_calibration::{Collector, Entry, Folder, GramWidth, Options, Settings, Source, Subject, Text};
use llmq_plugin_api::client::Backend;
use llmq_plugin_api::sdk::{StatisticKind, Unit};
use llmq_plugin_api::wire::{Fold, Folds, ModelDescription};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use toy::backend::{Scale, Toy};
use toy::{Heard, Place, run_with};

const EXPERTS: u32 = 3;
const ROWS: usize = 40;
const KEPT: usize = 5;

/// A Mixtral of two layers, as wide as the Llama that most tests use.
fn mixtral() -> model_folder::Folder {
    let mut folder = model_folder::Folder::llama()
        .set("architectures", serde_json::json!(["MixtralForCausalLM"]))
        .set("model_type", "mixtral".into())
        .set("num_local_experts", EXPERTS.into())
        .set("num_experts_per_tok", 2.into());
    for layer in 0..2 {
        for name in ["gate_proj", "up_proj", "down_proj"] {
            folder = folder.without(&format!("model.layers.{layer}.mlp.{name}.weight"));
        }
        let moe = format!("model.layers.{layer}.block_sparse_moe");
        folder = folder.with(&format!("{moe}.gate.weight"), &[u64::from(EXPERTS), 8]);
        for expert in 0..EXPERTS {
            let name = |part: &str| format!("{moe}.experts.{expert}.{part}.weight");
            folder = folder.with(&name("w1"), &[6, 8]).with(&name("w3"), &[6, 8]).with(&name("w2"), &[8, 6]);
        }
    }
    folder
}

/// Rows that differ from feed to feed.
fn rows(feed: &str, columns: usize) -> Vec<f32> {
    let mut state = feed.bytes().fold(17u32, |state, byte| state.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as f32 / 1000.0 - 30.0
    };
    (0..ROWS * columns).map(|_| next()).collect()
}

fn dense(unit: &str, feed: &str, columns: usize, tensors: &[String], gram: bool) -> Entry {
    let mut collector = Collector::new("text", feed, columns, None, Options { gram, samples: KEPT }).unwrap();
    collector.update(&rows(&format!("{unit} {feed}"), columns), 0).unwrap();
    collector.finish(tensors.iter().map(Source::dense).collect())
}

/// Every expert sees a third of the rows, but the last one none.
fn routed(unit: &str, feed: &str, columns: usize, parts: &[&str], gram: bool) -> Entry {
    let options = Options { gram, samples: KEPT };
    let mut collector = Collector::new("text", feed, columns, Some(EXPERTS as usize), options).unwrap();
    let all = rows(&format!("{unit} {feed}"), columns);
    for expert in 0..EXPERTS - 1 {
        let mine = &all[..columns * (10 + expert as usize)];
        let tokens: Vec<u64> = (0..mine.len() / columns).map(|token| token as u64).collect();
        collector.update_expert(expert as usize, mine, &tokens).unwrap();
    }
    let layer = unit.trim_start_matches("layer.");
    let name =
        |expert: u32, part: &str| format!("model.layers.{layer}.block_sparse_moe.experts.{expert}.{part}.weight");
    let sources =
        (0..EXPERTS).flat_map(|expert| parts.iter().map(move |part| Source::of_expert(name(expert, part), expert)));
    collector.finish(sources.collect())
}

/// What a calibration would have gathered, by unit.
fn gathered(mixture: bool, gram: bool) -> BTreeMap<String, Vec<Entry>> {
    let mut units = BTreeMap::new();
    for layer in 0..2 {
        let unit = format!("layer.{layer}");
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("model.layers.{layer}.{name}.weight")).collect()
        };
        let qkv = names(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
        let mut entries = vec![
            dense(&unit, "attn_q", 8, &qkv, gram),
            dense(&unit, "attn_output", 8, &names(&["self_attn.o_proj"]), gram),
        ];
        entries.extend(match mixture {
            false => vec![
                dense(&unit, "ffn_gate", 8, &names(&["mlp.gate_proj", "mlp.up_proj"]), gram),
                dense(&unit, "ffn_down", 6, &names(&["mlp.down_proj"]), gram),
            ],
            true => vec![
                dense(&unit, "router", 8, &names(&["block_sparse_moe.gate"]), gram),
                routed(&unit, "expert_gate", 8, &["w1", "w3"], gram),
                routed(&unit, "expert_down", 6, &["w2"], gram),
            ],
        });
        units.insert(unit, entries);
    }
    units.insert("head".to_owned(), vec![dense("head", "output_head", 8, &["lm_head.weight".to_owned()], gram)]);
    units
}

fn write(path: &Path, model: &str, units: &BTreeMap<String, Vec<Entry>>, gram: bool, width: GramWidth) {
    let options = Options { gram, samples: KEPT };
    let text = Text { name: "text.txt".into(), sha256: "t".into(), samples: 4, seqlen: 10, tokens: ROWS as u64 };
    let subject = Subject {
        model: model.to_owned(),
        tool: "test".into(),
        texts: vec![text],
        settings: Settings { dense: options, experts: options, gram_width: width },
    };
    let mut folder = Folder::create(path, subject).unwrap();
    units.iter().for_each(|(unit, entries)| folder.put(unit, entries).unwrap());
}

/// Tensor, expert, kind.
type Key = (String, Option<u32>, &'static str);
/// Shape, count, values.
type Value = (Vec<u64>, u64, Vec<f32>);

struct Prepared {
    place: Place,
    units: BTreeMap<String, Vec<Entry>>,
}

impl Prepared {
    fn new(mixture: bool, gram: bool, width: GramWidth) -> Prepared {
        let place = if mixture { Place::with(&mixtral()) } else { Place::new() };
        let units = gathered(mixture, gram);
        let model = Model::open(&place.model()).unwrap().fingerprint().unwrap().content;
        write(&place.root.path().join("statistics"), &model, &units, gram, width);
        Prepared { place, units }
    }

    fn folder(&self) -> PathBuf {
        self.place.root.path().join("statistics")
    }

    fn spec(&self, level: &str) -> JobSpec {
        let folder = GatheredFolder::open(&self.folder()).unwrap();
        JobSpec { level: level.into(), statistics: Some(Supply::Folder(Arc::new(folder))), ..self.place.spec() }
    }

    /// What a job hands in.
    fn handed(&self, level: &str) -> BTreeMap<Key, Value> {
        self.handed_to(Toy::default(), level)
    }

    fn handed_to(&self, toy: Toy, level: &str) -> BTreeMap<Key, Value> {
        let names: Vec<String> =
            Model::open(&self.place.model()).unwrap().description().tensors.iter().map(|t| t.name.clone()).collect();
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let all = Arc::clone(&seen);
        let look = move |unit: &Unit| {
            let mut places = BTreeMap::new();
            for s in &unit.statistics {
                let key = (names[s.tensor].clone(), s.expert, s.kind.word());
                places.insert(key.clone(), s.values.as_ptr() as usize);
                all.lock().unwrap().insert(key, (s.shape.to_vec(), s.count, s.values.to_vec()));
            }
            shared_once(&places);
        };
        run_with(&self.spec(level), Toy { look: Some(Arc::new(look)), ..toy }, &Disk, &Silent).unwrap();
        Arc::try_unwrap(seen).unwrap().into_inner().unwrap()
    }
}

/// q, k and v are handed the same numbers at the same place, and so are gate and up.
fn shared_once(places: &BTreeMap<Key, usize>) {
    for ((name, expert, kind), place) in places {
        for (one, other) in [("q_proj", "k_proj"), ("q_proj", "v_proj"), ("gate_proj", "up_proj"), ("w1", "w3")] {
            if name.contains(&format!(".{one}.")) {
                assert_eq!(places[&(name.replace(one, other), *expert, *kind)], *place, "{name} {kind}");
            }
        }
    }
}

#[test]
fn every_linear_gets_exactly_its_gram_matrix() {
    for mixture in [false, true] {
        for width in [GramWidth::F32, GramWidth::F64] {
            let prepared = Prepared::new(mixture, true, width);
            let handed = prepared.handed("GRAM");
            let mut expected = 0;
            for entry in prepared.units.values().flatten() {
                for source in &entry.sources {
                    let record = &entry.records[source.expert.unwrap_or(0) as usize];
                    let (shape, count, values) = &handed[&(source.tensor.clone(), None, "gram")];
                    let columns = entry.columns as u64;
                    assert_eq!((shape, *count), (&vec![columns, columns], record.tokens), "{}", source.tensor);
                    // Nothing went into the last expert; its values come, with a count of zero.
                    let nothing = vec![0.0; entry.columns * entry.columns];
                    assert!(*values == record.gram_dense().unwrap_or(nothing), "{} {width:?}", source.tensor);
                    expected += 1;
                }
            }
            assert_eq!(expected, if mixture { 2 * (5 + 3 * 3) + 1 } else { 15 });
            assert_eq!(handed.len(), expected, "the level asks for Gram matrices and gets nothing else");
        }
    }
}

#[test]
fn a_plan_that_asks_for_a_kind_gets_it_and_other_levels_get_nothing() {
    assert!(Prepared::new(false, true, GramWidth::F32).handed("INT8").is_empty());
    let prepared = Prepared::new(true, true, GramWidth::F32);
    let handed = prepared.handed("ALL");
    for entry in prepared.units.values().flatten() {
        for source in &entry.sources {
            let record = &entry.records[source.expert.unwrap_or(0) as usize];
            let of = |kind: StatisticKind| &handed[&(source.tensor.clone(), None, kind.word())];
            let sums = |sums: &[f64]| sums.iter().map(|sum| *sum as f32).collect::<Vec<f32>>();
            assert_eq!(of(StatisticKind::Sum).2, sums(&record.sum));
            assert_eq!(of(StatisticKind::SumAbs).2, sums(&record.sum_abs));
            assert_eq!(of(StatisticKind::SumSquares).2, sums(&record.sum_squares));
            assert_eq!((&of(StatisticKind::Min).2, &of(StatisticKind::Max).2), (&record.min, &record.max));
            if record.tokens == 0 {
                assert!(!handed.contains_key(&(source.tensor.clone(), None, "samples")));
                continue;
            }
            let (shape, count, values) = of(StatisticKind::Samples);
            assert_eq!((shape, *count), (&vec![KEPT as u64, entry.columns as u64], record.tokens));
            assert_eq!(values, &record.samples.values);
        }
    }
}

#[test]
fn offers_say_what_there_is_and_which_experts_saw_nothing() {
    let prepared = Prepared::new(true, true, GramWidth::F32);
    let (backend, cancel) = (Backend::in_process(Toy::default()).unwrap(), Default::default());
    let job = Job::open(&prepared.spec("GRAM"), &backend, &Silent, &cancel).unwrap();
    let offers = &job.request().statistics;
    assert_eq!(offers.len(), 29);
    let of = |name: &str| {
        let index = job.model().tensors.iter().position(|tensor| tensor.name.ends_with(name)).unwrap();
        offers.iter().find(|offer| offer.tensor == index as u32).unwrap()
    };
    assert_eq!(of("0.self_attn.q_proj.weight").kinds.len(), 7);
    assert!(!of("0.block_sparse_moe.experts.1.w2.weight").unseen);
    let unseen = of("0.block_sparse_moe.experts.2.w1.weight");
    assert!(unseen.unseen && unseen.expert.is_none() && !unseen.kinds.contains(&"samples".to_owned()), "{unseen:?}");
    let origin = job.request().statistics_origin.clone().unwrap();
    assert_eq!((origin.files, origin.datasets), (vec!["statistics".to_owned()], vec!["text.txt".to_owned()]));
    assert_eq!((origin.entries, origin.chunks), (29, 4));
}

fn refused(spec: &JobSpec) -> Failure {
    let heard = Heard::default();
    let failure = run_with(spec, Toy::default(), &Disk, &heard).unwrap_err();
    assert!(!heard.has("Quantizing"), "refused before any work: {failure}");
    failure
}

#[test]
fn what_does_not_belong_to_the_model_is_refused() {
    let prepared = Prepared::new(false, true, GramWidth::F32);
    let rewrite = |change: &dyn Fn(&mut serde_json::Value)| {
        let path = prepared.folder().join("statistics.json");
        let whole = std::fs::read(&path).unwrap();
        let mut manifest = serde_json::from_slice(&whole).unwrap();
        change(&mut manifest);
        std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
        let failure = refused(&prepared.spec("GRAM"));
        std::fs::write(&path, whole).unwrap();
        failure
    };
    let other = rewrite(&|manifest| manifest["model"] = "0123".into());
    assert_eq!(other.class, Class::InvalidArguments);
    assert!(other.message.contains("are of another model"), "{other}");
    let cut = rewrite(&|manifest| {
        manifest["units"].as_array_mut().unwrap().retain(|unit| unit["id"] == "layer.0");
    });
    assert_eq!(cut.class, Class::InvalidArguments);
    assert!(cut.message.contains("not complete: 2 of 3 units are missing (layer.1, head)"), "{cut}");
    assert!(prepared.place.names().is_empty(), "{:?}", prepared.place.names());

    let without = Prepared::new(false, false, GramWidth::F32);
    let failure = refused(&without.spec("GRAM"));
    assert!(failure.message.contains("needs statistics (gram)") && failure.suggestion.contains("--gram"), "{failure}");
    assert!(GatheredFolder::open(&prepared.place.model()).unwrap_err().message.contains("is no statistics folder"));
}

#[test]
fn a_file_that_was_changed_stops_the_job_which_goes_on_once_it_is_back() {
    let prepared = Prepared::new(false, true, GramWidth::F32);
    toy::run(&prepared.spec("GRAM")).unwrap();
    let expected = std::fs::read(prepared.place.file()).unwrap();
    std::fs::remove_file(prepared.place.file()).unwrap();
    // One bit of a kept row: a value like any other, so only the digest shows it.
    let path = prepared.folder().join("layer.1.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let mut spoiled = whole.clone();
    *spoiled.last_mut().unwrap() ^= 1;
    std::fs::write(&path, spoiled).unwrap();
    let failure = toy::run(&prepared.spec("GRAM")).unwrap_err();
    assert!(failure.message.contains("layer.1.safetensors` is not the file that was written"), "{failure}");
    assert!(prepared.place.checkpoint().exists(), "finished units are kept");
    std::fs::write(&path, whole).unwrap();
    let report = toy::run(&prepared.spec("GRAM")).unwrap();
    assert!(report.units.resumed > 0);
    assert!(std::fs::read(prepared.place.file()).unwrap() == expected);
}

#[test]
fn other_statistics_are_another_job() {
    let prepared = Prepared::new(false, true, GramWidth::F32);
    let path = prepared.folder().join("layer.1.safetensors");
    let mut spoiled = std::fs::read(&path).unwrap();
    *spoiled.last_mut().unwrap() ^= 1;
    std::fs::write(&path, spoiled).unwrap();
    toy::run(&prepared.spec("GRAM")).unwrap_err();
    assert!(prepared.place.checkpoint().exists());
    // The same values in the other width are other files.
    std::fs::remove_dir_all(prepared.folder()).unwrap();
    let model = Model::open(&prepared.place.model()).unwrap().fingerprint().unwrap().content;
    write(&prepared.folder(), &model, &prepared.units, true, GramWidth::F64);
    let heard = Heard::default();
    run_with(&prepared.spec("GRAM"), Toy::default(), &Disk, &heard).unwrap();
    assert!(heard.has("the statistics have other contents"), "{:?}", heard.events());
}

#[test]
fn statistics_count_towards_the_memory_limit() {
    let prepared = Prepared::new(false, true, GramWidth::F32);
    let (backend, cancel) = (Backend::in_process(Toy::default()).unwrap(), Default::default());
    let needed = |spec: &JobSpec| {
        let job = Job::open(spec, &backend, &Silent, &cancel).unwrap();
        job.statistics_bytes()
    };
    // A layer: three inputs of 8 channels and one of 6; the head: one of 8.
    let of_layer = 4 * (3 * 64 + 36);
    let gram = needed(&prepared.spec("GRAM"));
    assert_eq!(gram.values().copied().collect::<Vec<u64>>(), [0, of_layer, of_layer, 4 * 64]);
    assert!(needed(&prepared.spec("INT8")).values().all(|bytes| *bytes == 0));
}

#[test]
fn behind_scales_statistics_are_those_of_what_arrives_then() {
    // Powers of two: dividing is exact.
    let divisor = |channel: usize| [0.5f32, 2.0, 4.0][channel % 3];
    let scale: Scale = Arc::new(move |model: &ModelDescription, unit: &Unit| {
        let groups = (0..).zip(&model.smoothing).filter(|(_, group)| group.unit as usize == unit.index);
        let scales = |channels: u64| (0..channels as usize).map(divisor).collect();
        let folds = groups.map(|(group, of)| Fold { group, scales: scales(of.channels) }).collect();
        Folds { folds, ..Folds::default() }
    });
    for mixture in [false, true] {
        let prepared = Prepared::new(mixture, true, GramWidth::F32);
        let toy = Toy { scale: Some(Arc::clone(&scale)), ..Toy::default() };
        for level in ["GRAM", "ALL"] {
            let (before, after) = (prepared.handed(level), prepared.handed_to(toy.clone(), level));
            assert_eq!(before.len(), after.len());
            for ((name, expert, kind), (shape, count, values)) in &after {
                let (_, _, original) = &before[&(name.clone(), *expert, *kind)];
                let columns = shape[shape.len() - 1] as usize;
                // Two heads of queries, two wide, read each head of values; the head of the model reads no group.
                let of = |column: usize| match name {
                    _ if name.starts_with("lm_head") => 1.0,
                    _ if name.contains("o_proj") => divisor(column / 4 * 2 + column % 2),
                    _ => divisor(column),
                };
                for (at, (value, original)) in values.iter().zip(original).enumerate() {
                    let (row, column) = (at / columns, at % columns);
                    let by = match *kind {
                        "gram" => of(row) * of(column),
                        "sum_squares" => of(column) * of(column),
                        _ => of(column),
                    };
                    assert_eq!(*value, original / by, "{name} {kind} {row} {column}");
                }
                assert_eq!(*count, before[&(name.clone(), *expert, *kind)].1);
            }
        }
    }
}
