//! Files of log-probabilities (`llama-perplexity --kl-divergence-base`): written, read back, held against what stock
//! llama.cpp computes, and refused where they do not fit.

use llmq_tests::{Outcome, Workdir, golden, judge};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;

const VOCABULARY: usize = 2048;

fn run(work: &Workdir, model: &Path, more: &[&OsStr]) -> Outcome {
    work.program(["--format", "json", "evaluate"]).args([model.as_os_str()]).args(more).run()
}

fn report(work: &Workdir, model: &Path, more: &[&OsStr]) -> Value {
    let outcome = run(work, model, more);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.json()
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("{key} in {report}"))
}

fn words<'a>(line: &'a str, text: &'a Path) -> Vec<&'a OsStr> {
    line.split(' ').map(|word| if word == "TEXT" { text.as_os_str() } else { word.as_ref() }).collect()
}

/// Writes `own.kld` of the tiny model.
fn save(work: &Workdir) -> Value {
    let line = "--data TEXT --context 128 --chunks 8 --save-base-logits own.kld";
    report(work, &golden::model("tiny-model"), &words(line, &golden::path("tiny-model.text.txt")))
}

#[test]
fn a_model_hardly_diverges_from_its_own_file() {
    let work = Workdir::new();
    let (model, text) = (golden::model("tiny-model"), golden::path("tiny-model.text.txt"));
    let saved = save(&work);
    let bytes = std::fs::metadata(work.join("own.kld")).expect("the file").len();
    let rows = 8 * 63;
    assert_eq!(bytes as usize, 20 + 4 * 8 * 128 + rows * (8 + 2 * VOCABULARY));
    assert_eq!(
        (saved["log_probabilities"]["bytes"].as_u64(), saved["score"].as_str()),
        (Some(bytes), Some("second-half"))
    );
    assert_eq!(number(&saved, "positions") as usize, rows);
    assert_eq!(work.listing(".").iter().filter(|name| name.contains("own.kld")).count(), 1, "no other file is left");

    let own = report(&work, &model, &words("--base-logits own.kld", &text));
    assert_eq!((&own["perplexity"], &own["positions"]), (&saved["perplexity"], &saved["positions"]));
    assert_eq!((own["context"].as_u64(), own["chunks"].as_u64()), (Some(128), Some(8)));
    // What 16 bits cost; a level is up to 16 / 65535 nats wide.
    let kld = number(&own, "mean_kld");
    println!("a model from its own file: mean KLD {kld:.2e}, same top token {}", own["top1_agreement"]);
    assert!(kld.abs() < 2e-6, "{kld:e}");
    assert!(number(&own, "top1_agreement") > 0.99);
    assert!((number(&own, "perplexity_original") / number(&saved, "perplexity") - 1.0).abs() < 1e-4);
    assert!(own["warnings"].to_string().contains("16 bits"), "{}", own["warnings"]);
    let typed = report(&work, &model, &words("--base-logits own.kld --data TEXT", &text));
    assert_eq!((&typed["mean_kld"], &typed["text"]["digest"]), (&own["mean_kld"], &own["text"]["digest"]));
    let one = report(&work, &model, &words("--base-logits own.kld --threads 1", &text));
    assert_eq!(one["mean_kld"], own["mean_kld"], "the number of threads changes nothing");
    let some = report(&work, &model, &words("--base-logits own.kld --chunks 3", &text));
    assert_eq!(number(&some, "positions") as usize, 3 * 63);
}

#[test]
fn a_file_stands_for_the_original() {
    let work = Workdir::new();
    let (original, text) = (golden::model("tiny-model"), golden::path("tiny-model.text.txt"));
    let quantize = work.program(["quantize", "-q", "Q4_0", "-n", "small"]);
    quantize.args([original.as_os_str(), "gguf".as_ref()]).succeed();
    save(&work);
    let small = work.join("small.gguf");
    let tokenizer: [&OsStr; 2] = ["--tokenizer".as_ref(), original.as_os_str()];
    let stored = report(&work, &small, &[&words("--base-logits own.kld", &text)[..], &tokenizer].concat());
    let line = words("--data TEXT --context 128 --chunks 8 --score second-half --against", &text);
    let live = report(&work, &small, &[&line[..], &[original.as_os_str()]].concat());
    assert_eq!(stored["perplexity"], live["perplexity"]);
    for (key, most) in [("mean_kld", 1e-5), ("top1_agreement", 5e-3)] {
        let (stored, live) = (number(&stored, key), number(&live, key));
        println!("{key}: {stored} from the file, {live} from the original");
        assert!((stored - live).abs() < most, "{key}: {stored} from the file, {live} from the original");
    }
    let ratio = number(&stored, "perplexity_original") / number(&live, "perplexity_original");
    assert!((ratio - 1.0).abs() < 1e-4, "{ratio}");
}

#[test]
fn what_does_not_fit_is_refused_before_the_work() {
    let work = Workdir::new();
    let (model, text) = (golden::model("tiny-model"), golden::path("tiny-model.text.txt"));
    save(&work);
    let refused = |model: &Path, line: &str, sentence: &str| {
        let outcome = run(&work, model, &words(line, &text));
        assert!(outcome.code == 2 && outcome.stderr.contains(sentence), "{line}: {outcome:?}");
        assert!(!outcome.stderr.contains("through"), "{line}: before the layers run: {}", outcome.stderr);
    };
    let bytes = std::fs::read(work.join("own.kld")).expect("the file");
    std::fs::write(work.join("cut.kld"), &bytes[..bytes.len() - 100]).expect("written");
    refused(&model, "--base-logits cut.kld", "copied in part");
    std::fs::write(work.join("head.kld"), &bytes[..40]).expect("written");
    refused(&model, "--base-logits head.kld", "ends within the text's tokens");
    refused(&model, "--base-logits TEXT", "begins with");
    refused(&model, "--base-logits none.kld", "none.kld");
    refused(&model, "--base-logits own.kld --context 64", "chunks of 128 tokens, not 64");
    refused(&model, "--base-logits own.kld --score all", "second half");
    refused(&model, "--base-logits own.kld --calibration-data TEXT", "--data");
    std::fs::write(work.join("other.txt"), "Quite another text. ".repeat(400)).expect("written");
    refused(&model, "--base-logits own.kld --data other.txt", "another text");
    let all = std::fs::read_to_string(&text).expect("text");
    std::fs::write(work.join("short.txt"), &all[..all.len() / 40]).expect("written");
    refused(&model, "--base-logits own.kld --data short.txt", "the text gives");
    refused(&golden::model("qwen2"), "--base-logits own.kld", "cannot be compared");
    refused(&model, "--data TEXT --save-base-logits new.kld --against own", "cannot be used with");
    refused(&model, "--data TEXT --save-base-logits none/new.kld", "none/new.kld");
    refused(&model, "--data TEXT --save-base-logits new.kld --context 2", "no position");
    refused(&model, "--context 64", "--data");
    assert!(!work.join("new.kld").exists());
}

/// A row as `log_softmax` of llama.cpp's perplexity tool writes it, re-told: in single precision.
fn reference_row(logits: &[f32]) -> (f32, f32, Vec<u16>) {
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let low = logits.iter().copied().fold(f32::MAX, f32::min).max(top - 16.0);
    let sum: f64 = logits.iter().map(|logit| f64::from((logit - top).exp())).sum();
    let scale = (top - low) / 65535.0;
    let level = |logit: &f32| if *logit > low { ((logit - low) / scale).round() as u16 } else { 0 };
    (scale, low - top - sum.ln() as f32, logits.iter().map(level).collect())
}

#[test]
fn the_file_is_stock_llama_cpp_s() {
    let Some(place) = judge::folder("the_file_is_stock_llama_cpp_s") else { return };
    // Without and with a beginning-of-text token in place of each chunk's first.
    judged(&place, "tiny-model", 2048, false);
    judged(&place, "mistral", 512, true);
}

fn judged(place: &Path, model: &str, vocabulary: usize, with_bos: bool) {
    const CONTEXT: usize = 64;
    const CHUNKS: usize = 3;
    let work = Workdir::new();
    let (original, text) = (golden::model(model), golden::path("tiny-model.text.txt"));
    let quantize = work.program(["quantize", "-q", "F32", "-n", "whole"]);
    quantize.args([original.as_os_str(), "gguf".as_ref()]).succeed();
    let whole = work.join("whole.gguf");
    let tokenizer: [&OsStr; 2] = ["--tokenizer".as_ref(), original.as_os_str()];
    let line = words("--data TEXT --context 64 --chunks 3 --save-base-logits ours.kld", &text);
    report(&work, &whole, &[&line[..], &tokenizer].concat());
    let ours = std::fs::read(work.join("ours.kld")).expect("the file");

    // The text's tokens in stock llama.cpp, with the beginning of the text where its tokenizer puts one.
    let answer = judge::ask(place, ["tokenize".as_ref(), whole.as_os_str(), text.as_os_str()]);
    let theirs: Vec<u32> = serde_json::from_value(answer).expect("token ids");
    let own: Vec<u32> =
        ours[20..20 + 4 * CONTEXT * CHUNKS].as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
    let bos = (own[0] != theirs[0]).then_some(own[0]);
    assert_eq!(bos.is_some(), with_bos);
    let tokens: Vec<u32> = bos.into_iter().chain(theirs).take(CONTEXT * CHUNKS).collect();
    let mut expected = b"_logits_".to_vec();
    [CONTEXT, vocabulary, CHUNKS].iter().for_each(|number| expected.extend((*number as i32).to_le_bytes()));
    tokens.iter().for_each(|token| expected.extend((*token as i32).to_le_bytes()));
    assert!(ours[..expected.len()] == expected, "sizes and tokens, byte for byte");

    let mut most = 0.0f64;
    for chunk in 0..CHUNKS {
        let mut ids = tokens[chunk * CONTEXT..][..CONTEXT].to_vec();
        ids[0] = bos.unwrap_or(ids[0]);
        let (ids_file, out) = (work.join("ids.json"), work.join("logprobs.f32"));
        std::fs::write(&ids_file, serde_json::to_vec(&ids).expect("JSON")).expect("written");
        judge::ask(place, ["logprobs".as_ref(), whole.as_os_str(), ids_file.as_os_str(), out.as_os_str()]);
        let bytes = std::fs::read(&out).expect("an answer");
        let rows: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        for row in CONTEXT / 2..CONTEXT - 1 {
            let (scale, least, levels) = reference_row(&rows[row * vocabulary..][..vocabulary]);
            let stored = &ours[expected.len()..][..8 + 2 * vocabulary];
            let float = |at: usize| f32::from_le_bytes(*stored[at..].first_chunk().expect("four bytes"));
            let value = |scale: f32, least: f32, level: u16| f64::from(scale) * f64::from(level) + f64::from(least);
            for (own, theirs) in stored[8..].as_chunks().0.iter().zip(&levels) {
                let own = value(float(0), float(4), u16::from_le_bytes(*own));
                most = most.max((own - value(scale, least, *theirs)).abs());
            }
            expected.extend(scale.to_le_bytes().into_iter().chain(least.to_le_bytes()));
            levels.iter().for_each(|level| expected.extend(level.to_le_bytes()));
        }
        assert_eq!(ours.len() - expected.len(), (CHUNKS - 1 - chunk) * (CONTEXT / 2 - 1) * (8 + 2 * vocabulary));
    }
    println!("{model}: largest difference of a stored log-probability: {most:.2e}");
    // llama.cpp's attention works partly in half precision.
    assert!(most < 1e-2, "{most:e}");

    // The file made of stock llama.cpp's logits is read, and the same model hardly diverges from it.
    std::fs::write(work.join("theirs.kld"), &expected).expect("written");
    let found =
        report(&work, &whole, &[&words("--base-logits theirs.kld --data TEXT", &text)[..], &tokenizer].concat());
    let kld = number(&found, "mean_kld");
    println!("{model}: from stock llama.cpp's: mean KLD {kld:.2e}, same top token {}", found["top1_agreement"]);
    assert!(kld.abs() < 1e-5 && number(&found, "top1_agreement") > 0.97, "{found}");
}
