//! Channels that may be scaled, on every family there are small models of: which there are, and that scaling all of them at
//! once by random factors changes no logit. Committed models and made-up ones always, others (`models/arch`) in a folder
//! named by `LLMQ_SHARED`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // figures of a test run

mod model_folder;

use llm_quantize::fold::{ALLOWED, Changes, Folded, Outcome};
use llm_quantize::job::Weights;
use llm_quantize::model::Model;
use llm_quantize::network::{SourceRows, groups, network};
use llmq_forward::{
    Activation, Batch, Block, Cpu, FeedForward, Layer, Network, Nobody, Projections, Rows, Storage, embed, final_norm,
    logits, run_layer,
};
use llmq_plugin_api::wire::{Fold, ModelDescription, SmoothingGroup, SmoothingKind};
use model_folder::{Tensor, safetensors_bytes, shared_models};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Largest difference of logits, as a share of the largest logit.
const LARGEST: f32 = 1e-4;
const COMMITTED: [&str; 8] = ["gemma2", "gpt2", "llama-rope-llama3", "mistral", "mixtral", "phi2", "qwen2", "qwen3"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Numbers between 0 and 1, always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}

/// A folder for the configuration and shapes of a family that no weights are committed of.
fn made_up(case: &Path, folder: &Path) {
    let case: Value = serde_json::from_slice(&std::fs::read(case).unwrap()).unwrap();
    let mut numbers = Numbers(1);
    let tensors: BTreeMap<String, Tensor> = case["tensors"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, shape)| {
            let shape: Vec<u64> = shape.as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).collect();
            let middle = if shape.len() == 1 && !name.ends_with("bias") { 1.0 } else { 0.0 };
            let width = if middle == 0.0 { 0.4 } else { 1.0 };
            let elements: u64 = shape.iter().product();
            let values = (0..elements).flat_map(|_| (middle + width * (numbers.next() - 0.5)).to_le_bytes());
            (name.clone(), Tensor { dtype: "F32", bytes: values.collect(), shape })
        })
        .collect();
    let all: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    std::fs::write(folder.join("config.json"), case["config"].to_string()).unwrap();
    std::fs::write(folder.join("model.safetensors"), safetensors_bytes(&all)).unwrap();
}

/// Every model there is: committed, made up, shared.
fn each_model(mut look: impl FnMut(&str, &Model, &Network)) {
    let seen = Cell::new(0);
    let mut one = |name: &str, folder: &Path| {
        let model = Model::open(folder).unwrap_or_else(|e| panic!("{name}: {e}"));
        let network = network(model.description()).unwrap_or_else(|e| panic!("{name}: {}", e.message));
        look(name, &model, &network);
        seen.set(seen.get() + 1);
    };
    for name in COMMITTED {
        one(name, &repository().join("tests/models").join(name));
    }
    let cases = std::fs::read_dir(repository().join("tests/golden/families")).unwrap();
    let mut cases: Vec<PathBuf> = cases.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        made_up(&case, folder.path());
        one(&format!("made-up/{}", case.file_stem().unwrap().display()), folder.path());
    }
    assert!(seen.get() >= 19, "the committed models were found");
    let Some(shared) = shared_models("smoothing of shared models") else { return };
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(shared.join("arch")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        one(&format!("arch/{}", folder.file_name().unwrap().display()), &folder);
    }
    assert!(seen.get() > 50, "the shared models were found");
}

fn random_folds(description: &ModelDescription) -> Vec<Fold> {
    let mut numbers = Numbers(7);
    let mut scales = |channels| (0..channels).map(|_| 4f32.powf(2.0 * numbers.next() - 1.0)).collect();
    (0..).zip(&description.smoothing).map(|(group, of)| Fold { group, scales: scales(of.channels) }).collect()
}

fn all_logits(network: &Network, weights: &dyn Weights) -> Rows {
    let tokens: Vec<u32> = (0..40).map(|i| i * 7 % network.embedding.vocab as u32).collect();
    let rows = SourceRows(weights);
    let batch = Batch { length: tokens.len(), weights: &rows };
    let mut states = embed(&network.embedding, &tokens, tokens.len(), &rows).unwrap();
    for layer in &network.layers {
        states = run_layer(&Cpu::default(), layer, batch, states, &mut Nobody).unwrap();
    }
    let normed = final_norm(&Cpu::default(), network, states, &rows).unwrap();
    logits(&Cpu::default(), &network.head, normed, &rows, &mut Nobody).unwrap()
}

fn difference(a: &Rows, b: &Rows) -> f32 {
    let largest = |values: &mut dyn Iterator<Item = f32>| {
        values.fold(0f32, |largest, x| if x.is_nan() { f32::INFINITY } else { largest.max(x.abs()) })
    };
    largest(&mut a.values.iter().zip(&b.values).map(|(a, b)| a - b)) / largest(&mut a.values.iter().copied())
}

/// The worst of what the check of a job sees in the layers.
fn of_layers(network: &Network, original: &dyn Weights, folded: &dyn Weights) -> f64 {
    let width = network.embedding.width;
    let one = |layer| {
        let [original, folded] = [original, folded].map(|weights| Outcome::of(layer, width, weights).unwrap());
        original.difference(&folded)
    };
    network.layers.iter().map(one).fold(0.0, f64::max)
}

#[test]
fn random_scales_in_all_groups_at_once_change_no_logit() {
    let mut wrong = Vec::new();
    each_model(|name, model, network| {
        let changes = Changes::new(model.description(), &random_folds(model.description()));
        let folded = Folded::new(model, &changes);
        let logits = difference(&all_logits(network, model), &all_logits(network, &folded));
        let layers = of_layers(network, model, &folded);
        println!("{name}: {} groups, logits {logits:.1e}, layers {layers:.1e}", model.description().smoothing.len());
        if logits >= LARGEST || layers >= ALLOWED / 10.0 {
            wrong.push(format!("{name}: logits {logits:.1e}, layers {layers:.1e}"));
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every kind of group of a model once, numbers of layers and experts as `#`, with how many there are of it.
fn table(groups: &[SmoothingGroup]) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for group in groups {
        let numberless = |text: &str| {
            text.split('.').map(|w| w.split(' ').map(hash).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(".")
        };
        let line = format!(
            "{:?} {} [{} channels, {} + {} tensors{}{}{}]",
            group.kind,
            numberless(&group.name),
            group.channels,
            group.producers.len(),
            group.consumers.len(),
            if group.consumers[0].repeats > 1 {
                format!(", {} times", group.consumers[0].repeats)
            } else {
                String::new()
            },
            if group.producers[0].offset == 0.0 {
                String::new()
            } else {
                format!(", {} + w", group.producers[0].offset)
            },
            if group.caution.is_empty() { "" } else { ", caution" },
        );
        match kinds.iter_mut().find(|(known, _)| *known == line) {
            Some((_, count)) => *count += 1,
            None => kinds.push((line, 1)),
        }
    }
    kinds.into_iter().map(|(line, count)| format!("{count} x {line}\n")).collect()
}

fn hash(word: &str) -> &str {
    let digits = word.trim_end_matches(':');
    match (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()), word.ends_with(':')) {
        (true, true) => "#:",
        (true, false) => "#",
        _ => word,
    }
}

#[test]
fn every_family_has_the_groups_that_its_network_allows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/smoothing.txt");
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let sections: BTreeMap<&str, &str> =
        golden.split("== ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let mut wrong = Vec::new();
    each_model(|name, model, network| {
        assert_eq!(groups(network, &model.description().tensors), model.description().smoothing);
        let found = table(&model.description().smoothing);
        if sections.get(name).map(|text| text.trim_end()) != Some(found.trim_end()) {
            wrong.push(format!("== {name}\n{found}"));
        }
    });
    assert!(wrong.is_empty(), "not as in {}:\n{}", path.display(), wrong.join("\n"));
}

/// The logits and the layers of a committed model after its groups were made wrong.
fn planted(model: &str, spoil: impl Fn(&mut SmoothingGroup)) -> (f32, f64) {
    let model = Model::open(&repository().join("tests/models").join(model)).unwrap();
    let network = network(model.description()).unwrap();
    let mut description = model.description().clone();
    description.smoothing.iter_mut().for_each(spoil);
    assert_ne!(description.smoothing, model.description().smoothing);
    let changes = Changes::new(&description, &random_folds(&description));
    let folded = Folded::new(&model, &changes);
    (difference(&all_logits(&network, &model), &all_logits(&network, &folded)), of_layers(&network, &model, &folded))
}

#[test]
fn planted_faults_are_seen_in_logits_and_in_layers() {
    let caught = |what: &str, (logits, layers): (f32, f64)| {
        println!("{what}: logits {logits:.1e}, layers {layers:.1e}");
        assert!(logits > 10.0 * LARGEST && layers > 10.0 * ALLOWED, "{what}: logits {logits:.1e}, layers {layers:.1e}");
    };
    caught(
        "a router left out",
        planted("mixtral", |group| {
            let (experts, router) = (group.consumers.len() > 3, group.consumers[0].tensor);
            group.consumers.retain(|consumer| !experts || consumer.tensor != router);
        }),
    );
    caught("an offset ignored", planted("gemma2", |group| group.producers.iter_mut().for_each(|p| p.offset = 0.0)));
    caught(
        "a bias left out",
        planted("qwen2", |group| {
            if group.kind == SmoothingKind::Values {
                group.producers.truncate(1);
            }
        }),
    );
    caught(
        "heads of values taken in turns",
        planted("mistral", |group| {
            if group.kind == SmoothingKind::Values {
                let consumer = &mut group.consumers[0];
                consumer.run = group.channels;
            }
        }),
    );
    caught(
        "the rows of another projection",
        planted("qwen3", |group| {
            if group.kind == SmoothingKind::Up {
                group.producers[0].tensor -= 1;
            }
        }),
    );
}

#[test]
fn what_is_not_linear_or_not_stored_by_rows_has_no_group() {
    let model = Model::open(&repository().join("tests/models/llama-rope-llama3")).unwrap();
    let (network, tensors) = (network(model.description()).unwrap(), &model.description().tensors);
    let left = |change: &dyn Fn(&mut Layer)| -> Vec<SmoothingKind> {
        let mut changed = network.clone();
        changed.layers.iter_mut().for_each(change);
        groups(&changed, tensors).iter().map(|group| group.kind).collect()
    };
    use SmoothingKind::{Norm, Up, Values};
    assert_eq!(left(&|_| {}), [Norm, Values, Norm, Up]);
    // Values that are clamped, or whose averages are normalised.
    assert_eq!(left(&|layer| layer.attention.clamp = Some(8.0)), [Norm, Norm, Up]);
    assert_eq!(left(&|layer| layer.attention.sub_norm = layer.attn_norm.clone()), [Norm, Norm, Up]);
    // Products that are normalised, or clamped and shifted.
    let block = |layer: &mut Layer, change: &dyn Fn(&mut Block)| match &mut layer.ffn {
        FeedForward::Dense(block) => change(block),
        FeedForward::Mixture(_) => unreachable!("a dense model"),
    };
    let norm = network.layers[0].ffn_norm.clone();
    assert_eq!(left(&|layer| block(layer, &|block| block.sub_norm = norm.clone())), [Norm, Values, Norm]);
    let clamped = Activation::ClampedSwish { alpha: 1.7, limit: 7.0 };
    assert_eq!(left(&|layer| block(layer, &|block| block.activation = clamped)), [Norm, Values, Norm]);
    // One reader with inputs as rows takes the whole norm away.
    let turned = |layer: &mut Layer| match &mut layer.attention.projections {
        Projections::Separate { k, .. } => k.storage = Storage::InputRows,
        _ => unreachable!("a model with three projections"),
    };
    assert_eq!(left(&turned), [Values, Norm, Up]);
    // The feed-forward block reads the residual stream itself.
    assert_eq!(left(&|layer| layer.ffn_norm = None), [Norm, Values, Up]);
}
