//! Importance matrices end to end: read, checked, merged, converted, used; with the reference's bytes.

use llmq_tests::{Workdir, gguf_file::GgufFile, golden, repository};
use std::path::PathBuf;

fn matrix(name: &str) -> PathBuf {
    repository::root().join("tests/imatrix").join(name)
}

/// A `.dat` file of these entries.
fn dat(entries: &[(&str, &[f32])]) -> Vec<u8> {
    let number = |n: usize| (n as i32).to_le_bytes();
    let mut out = number(entries.len()).to_vec();
    for (name, values) in entries {
        out.extend(number(name.len()));
        out.extend(name.as_bytes());
        out.extend(number(1));
        out.extend(number(values.len()));
        values.iter().for_each(|value| out.extend(value.to_le_bytes()));
    }
    out.extend(number(1));
    out.extend(number(0));
    out
}

/// One level of the example model, with the reference's bytes.
fn level_has_the_reference_s_bytes(level: &str, form: &str) {
    let work = Workdir::new();
    work.program(["quantize", "-q", level, "-n", "m", "--imatrix"])
        .args([matrix(form).as_os_str(), repository::tiny_model().as_os_str(), "gguf".as_ref()])
        .succeed();
    let file = GgufFile::read(&work.join("m.gguf"));
    golden::assert_tensors("tiny-model.imatrix", level, &file);
    assert_eq!(file.string("quantize.imatrix.file").as_deref(), Some(form), "without its folder");
    assert_eq!(file.string("quantize.imatrix.dataset").as_deref(), Some("calib.txt"));
}

#[test]
fn every_level_with_importance_has_the_reference_s_bytes() {
    let golden = golden::json("tiny-model.imatrix.json");
    let levels = golden["levels"].as_object().expect("levels");
    assert_eq!(levels.len(), 27);
    for (number, level) in levels.keys().enumerate() {
        level_has_the_reference_s_bytes(level, ["tiny-model.gguf", "tiny-model.dat"][number % 2]);
    }
}

#[test]
fn an_expert_without_tokens_is_refused_or_counts_evenly_as_in_the_reference() {
    let work = Workdir::new();
    let call = |level: &str| {
        let call = work.program(["quantize", "-q", level, "-n", level, "--imatrix"]);
        call.args([matrix("mixtral.gguf").as_os_str(), golden::model("mixtral").as_os_str(), "gguf".as_ref()])
    };
    let refused = call("IQ2_XXS").run();
    assert_eq!(refused.code, 2, "{refused:?}");
    for name in ["ffn_down_exps", "ffn_gate_exps", "ffn_up_exps"] {
        let words = format!("blk.0.{name}.weight (IQ2_XXS): expert 2 saw no tokens");
        assert!(refused.stderr.contains(&words), "{words}: {}", refused.stderr);
    }
    assert!(!work.join("IQ2_XXS.gguf").exists() && !work.join(".checkpoint").exists());
    for level in golden::json("mixtral.imatrix.json")["levels"].as_object().expect("levels").keys() {
        call(level).args(["--missing-importance", "even"]).succeed();
        golden::assert_tensors("mixtral.imatrix", level, &GgufFile::read(&work.join(&format!("{level}.gguf"))));
    }
}

#[test]
fn both_forms_are_written_as_llama_imatrix_writes_them() {
    let work = Workdir::new();
    let same = |name: &str, reference: &str| {
        assert!(std::fs::read(work.join(name)).unwrap() == std::fs::read(matrix(reference)).unwrap(), "{name}");
    };
    let convert = |from: PathBuf, to: &str| work.program(["imatrix", "convert", "-o", to]).args([from]).succeed();
    convert(matrix("tiny-model.gguf"), "a.dat");
    same("a.dat", "tiny-model.dat");
    convert(matrix("tiny-model.gguf"), "b.gguf");
    same("b.gguf", "tiny-model.gguf");
    // The older form has no token counts: with the chunk size that was used, the rest comes back.
    work.program(["imatrix", "convert", "-o", "c.gguf", "--chunk-size", "256", "a.dat"]).succeed();
    work.program(["imatrix", "convert", "-o", "c.dat", "c.gguf"]).succeed();
    same("c.dat", "tiny-model.dat");
    convert(matrix("mixtral.gguf"), "d.gguf");
    same("d.gguf", "mixtral.gguf");
}

#[test]
fn merging_adds_up_and_shows_it() {
    let work = Workdir::new();
    work.program(["imatrix", "merge", "-o", "sum.gguf"])
        .args([matrix("tiny-model.gguf"), matrix("tiny-model.gguf")])
        .succeed();
    let show = |file: PathBuf| work.program(["--format", "json", "imatrix", "show"]).args([file]).succeed().json();
    let (one, sum) = (show(matrix("tiny-model.gguf")), show(work.join("sum.gguf")));
    assert_eq!(
        (one["entries"].as_u64(), one["chunks"].as_u64(), one["chunk_size"].as_u64()),
        (Some(14), Some(100), Some(256))
    );
    assert_eq!(sum["chunks"], 200);
    assert_eq!(sum["datasets"], serde_json::json!(["calib.txt", "calib.txt"]));
    for (one, sum) in one["tensors"].as_array().unwrap().iter().zip(sum["tensors"].as_array().unwrap()) {
        // Twice the sum over twice the tokens.
        assert_eq!((&one["name"], &one["sum"], &one["entropy"]), (&sum["name"], &sum["sum"], &sum["entropy"]));
        assert_eq!(one["count"].as_u64().unwrap() * 2, sum["count"].as_u64().unwrap());
    }
    // By hand, from numpy in double precision.
    let down = one["tensors"].as_array().unwrap().iter().find(|t| t["name"] == "blk.1.ffn_down.weight").unwrap();
    let near =
        |key: &str, value: f64| assert!((down[key].as_f64().unwrap() - value).abs() < 1e-4 * value, "{key}: {down}");
    near("sum", 4812.2613);
    near("stddev", 10.2129);
    near("cosine", 0.50072);
    let human = work.program(["imatrix", "show"]).args([matrix("mixtral.gguf")]).succeed().stdout;
    assert!(human.contains("1 of 4 experts saw no tokens: 2") && human.contains("ffn_up_exps"), "{human}");
}

#[test]
fn every_problem_is_told_before_any_work() {
    let work = Workdir::new();
    let short = [1.0f32; 100];
    let mut spoiled = [1.0f32; 256];
    (spoiled[3], spoiled[4], spoiled[5]) = (f32::NAN, f32::INFINITY, -1.0);
    let entries: [(&str, &[f32]); 4] = [
        ("blk.0.attn_q.weight", &short),
        ("blk.0.attn_k.weight", &spoiled),
        ("blk.7.attn_k.weight", &[1.0; 256]),
        ("blk.0.attn_v.weight", &[0.0; 256]),
    ];
    std::fs::write(work.join("bad.dat"), dat(&entries)).unwrap();
    let quantized = work
        .program(["quantize", "-q", "Q4_K_M", "--imatrix", "bad.dat"])
        .args([repository::tiny_model().as_os_str(), "gguf".as_ref()])
        .run();
    assert_eq!(quantized.code, 2, "{quantized:?}");
    assert!(work.listing(".").iter().all(|name| !name.contains("tiny-model")), "{:?}", work.listing("."));
    let shown = work.program(["imatrix", "show", "bad.dat", "--model"]).args([repository::tiny_model()]).run();
    assert_eq!(shown.code, 6, "{shown:?}");
    for (said, words) in [
        (&quantized.stderr, "blk.0.attn_q.weight: 100 values with 1 counts, the model has 1 x 256"),
        (&quantized.stderr, "blk.0.attn_k.weight: value 3 is NaN, and 3 of 256"),
        (&shown.stdout, "blk.0.attn_q.weight: 100 values with 1 counts, the model has 1 x 256"),
        (&shown.stdout, "blk.0.attn_v.weight: all values are zero"),
        (&shown.stdout, "1 entries name tensors that the model does not have: blk.7.attn_k.weight"),
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    std::fs::write(work.join("other.dat"), dat(&[("other.weight", &[1.0; 256])])).unwrap();
    let other = work
        .program(["quantize", "-q", "Q4_K_M", "--imatrix", "other.dat"])
        .args([repository::tiny_model().as_os_str(), "gguf".as_ref()])
        .run();
    assert!(other.code == 2 && other.stderr.contains("no entry has the name"), "{other:?}");
    std::fs::write(work.join("cut.dat"), &dat(&entries)[..600]).unwrap();
    let cut = work.program(["imatrix", "show", "cut.dat"]).run();
    assert!(cut.code == 1 && cut.stderr.contains("cut off"), "{cut:?}");
}

#[test]
fn missing_tensors_are_all_named_and_patterns_must_match() {
    let work = Workdir::new();
    let call = |level: &str, rest: &[&str]| {
        let call = work.program(["--format", "json", "quantize", "--dry-run", "-q", level]);
        call.args([repository::tiny_model().as_os_str(), "gguf".as_ref()]).args(rest)
    };
    let file = matrix("tiny-model.gguf").display().to_string();
    let without = call("IQ2_XS", &[]).run();
    assert!(without.code == 2 && without.stderr.contains("--imatrix FILE"), "{without:?}");
    let excluded = ["--imatrix", &file, "--exclude-weights", "ffn_down"];
    let refused = call("IQ2_XS", &excluded).run();
    for layer in 0..2 {
        let words = format!("blk.{layer}.ffn_down.weight (IQ2_XS): no importance data");
        assert!(refused.stderr.contains(&words), "{words}: {}", refused.stderr);
    }
    assert!(!refused.stderr.contains("ffn_up") && !refused.stderr.contains("token_embd"), "{}", refused.stderr);
    // Where nothing requires importance, the plan says who has it.
    let plan = call("Q4_K_M", &excluded).succeed().json();
    let tensor = |name: &str| plan["tensors"].as_array().unwrap().iter().find(|t| t["name"] == name).unwrap().clone();
    assert_eq!(tensor("blk.0.ffn_up.weight")["importance"], true);
    assert_eq!(tensor("blk.0.ffn_down.weight")["importance"], false);
    assert_eq!(tensor("blk.0.ffn_down.weight")["note"], "no importance data");
    assert_eq!(tensor("blk.0.attn_norm.weight")["importance"], false);
    assert_eq!(plan["statistics"]["entries"], 12);
    let included = call("Q4_K_M", &["--imatrix", &file, "--include-weights", "blk.1.ffn_down"]).succeed().json();
    assert_eq!(included["statistics"]["entries"], 1);
    let slip = call("Q4_K_M", &["--imatrix", &file, "--exclude-weights", "ffn_dwon"]).run();
    assert!(slip.code == 2 && slip.stderr.contains("`ffn_dwon` matches no entry"), "{slip:?}");
}
