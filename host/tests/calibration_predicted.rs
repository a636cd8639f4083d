//! What a calibration will gather is known before it runs: for every family of the committed models, exactly.

mod model_folder;

use llm_quantize::calibrate::{CalibrationSpec, Importance, calibrate, settings};
use llm_quantize::cancel::Cancel;
use llm_quantize::event::Silent;
use llm_quantize::model::Model;
use llm_quantize::network::{feeds, head_feed};
use llm_quantize::pass::{Services, Subject};
use llm_quantize::threads::pool;
use llmq_text::{Report, Samples};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A few tokens, fewer than there are experts to go round.
fn samples(vocab: usize) -> Samples {
    let tokens: Vec<u32> = (0..8).map(|token| (token * 7 + 3) % vocab as u32).collect();
    Samples { tokens, seqlen: 4, replaced: Vec::new(), report: Report { samples: 2, seqlen: 4, ..Report::default() } }
}

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/models");
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    if let Some(shared) = model_folder::shared_models("calibration_predicted") {
        all.extend(std::fs::read_dir(shared.join("arch")).unwrap().map(|entry| entry.unwrap().path()));
    }
    all.push(model_folder::tiny_model());
    all.sort();
    all
}

#[test]
fn what_will_be_gathered_is_what_is_gathered() {
    let (pool, cancel, mut seen) = (pool(Some(2)).unwrap(), Cancel::default(), 0);
    for path in models() {
        // Encoders have no forward pass.
        let Ok(subject) = Model::open(&path).map_err(|_| ()).and_then(|m| Subject::new(Box::new(m)).map_err(|_| ()))
        else {
            continue;
        };
        let samples = samples(subject.network.embedding.vocab);
        let spec = CalibrationSpec { settings: settings(false, false), folder: None, memory_limit: None, peaks: false };
        let services = Services { pool: &pool, cancel: &cancel, observer: &Silent };
        let calibrated = calibrate(&subject, &samples, &spec, &services).unwrap();
        let tensors = &subject.weights().description().tensors;
        let mut gathered = BTreeSet::new();
        for entry in calibrated.entries.iter().map(|(_, entry)| entry) {
            gathered.extend(entry.sources.iter().map(|source| (source.tensor.as_str(), entry.columns)));
        }
        let network = &subject.network;
        let all = network.layers.iter().flat_map(feeds).chain([head_feed(network)]);
        let named = |feed: llm_quantize::network::Feed| {
            feed.linears
                .into_iter()
                .map(move |linear| (tensors[linear].name.as_str(), feed.columns))
                .collect::<Vec<_>>()
        };
        let expected: BTreeSet<(&str, usize)> = all.flat_map(named).collect();
        assert_eq!(gathered, expected, "{}", path.display());
        let predicted = Importance::predicted(tensors, network);
        for tensor in 0..tensors.len() as u32 {
            assert_eq!(predicted.parts(tensor), calibrated.importance.parts(tensor), "{}", path.display());
            assert_eq!(predicted.columns(tensor), calibrated.importance.columns(tensor), "{}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 8, "{seen} models were tried");
}
