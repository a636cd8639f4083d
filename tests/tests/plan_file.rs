//! Plan files through the real binary: written, edited, compared, run.

use llmq_tests::{Workdir, gguf_file::GgufFile, golden, repository};
use std::path::Path;

const OPTIONS: &[&str] = &["--tensor-type", "role:attn_v=Q8_0", "--override-kv", "general.name=str:A \"b\"", "--pure"];

fn save(work: &Workdir, model: &Path, file: &str, options: &[&str]) -> String {
    let call = work.program(["quantize", "-q", "Q4_K_M", "--overwrite", "--save-plan", file]);
    call.args([model.as_os_str(), "gguf".as_ref()]).args(options).succeed();
    std::fs::read_to_string(work.join(file)).unwrap()
}

fn run(work: &Workdir, model: &Path, file: &str, name: &str) -> llmq_tests::program::Outcome {
    work.program(["quantize", "--plan", file, "-n", name]).args([model.as_os_str(), "gguf".as_ref()]).run()
}

#[test]
fn a_plan_that_nobody_edited_gives_the_bytes_of_the_direct_run() {
    let work = Workdir::new();
    for (model, options) in [
        (repository::tiny_model(), &[][..]),
        (repository::tiny_model(), OPTIONS),
        (golden::model("mixtral"), &["--tensor-type", "ffn_down=Q5_0"]),
    ] {
        let text = save(&work, &model, "plan.toml", options);
        assert_eq!(save(&work, &model, "again.toml", options), text, "the same job gives the same plan");
        let planned = run(&work, &model, "plan.toml", "planned");
        assert_eq!(planned.code, 0, "{planned:?}");
        let direct = work.program(["quantize", "-q", "Q4_K_M", "-n", "direct"]);
        direct.args([model.as_os_str(), "gguf".as_ref()]).args(options).succeed();
        let read = |name: &str| std::fs::read(work.join(name)).unwrap();
        assert!(read("planned.gguf") == read("direct.gguf"), "{options:?}");
    }
    assert!(!work.join("tiny-model-Q4_K_M.gguf").exists(), "--save-plan quantizes nothing");
}

#[test]
fn an_edited_plan_is_run_and_its_difference_shown() {
    let work = Workdir::new();
    let model = repository::tiny_model();
    let text = save(&work, &model, "a.toml", &[]);
    let line = text.lines().find(|line| line.contains("blk.0.ffn_up")).unwrap();
    assert!(line.contains("type = \"Q4_K\", shape = [512, 256]"), "{line}");
    std::fs::write(work.join("b.toml"), text.replace(line, &line.replace("Q4_K", "q8_0"))).unwrap();
    let diff = work.program(["--format", "json", "plan", "diff", "a.toml", "b.toml"]).succeed().json();
    let change = serde_json::json!({
        "name": "blk.0.ffn_up.weight",
        "before": {"encoding": "Q4_K", "shape": [512, 256], "bytes": 73728},
        "after": {"encoding": "Q8_0", "shape": [512, 256], "bytes": 139_264},
    });
    assert_eq!(diff["tensors"], serde_json::json!([change]));
    let bytes = |key: &str| diff[key].as_u64().unwrap();
    assert_eq!(bytes("bytes_after") - bytes("bytes_before"), 139_264 - 73_728);
    let human = work.program(["plan", "diff", "a.toml", "b.toml"]).succeed().stdout;
    assert!(human.contains("Q4_K    Q8_0") && human.contains("+65,536"), "{human}");
    let same = work.program(["plan", "diff", "a.toml", "a.toml"]).succeed().stdout;
    assert_eq!(same, "The plans are equal\n");

    assert_eq!(run(&work, &model, "b.toml", "planned").code, 0);
    let rule = ["--tensor-type", r"blk\.0\.ffn_up=Q8_0"];
    let direct = work.program(["quantize", "-q", "Q4_K_M", "-n", "direct"]);
    direct.args([model.as_os_str(), "gguf".as_ref()]).args(rule).succeed();
    assert!(std::fs::read(work.join("planned.gguf")).unwrap() == std::fs::read(work.join("direct.gguf")).unwrap());

    assert_eq!(run(&work, &model, "a.toml", "before").code, 0);
    let hashes = |name: &str| GgufFile::read(&work.join(name)).hashes();
    let (before, after) = (hashes("before.gguf"), hashes("planned.gguf"));
    assert!(before.keys().eq(after.keys()));
    let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["blk.0.ffn_up.weight"], "exactly the edited tensor has other bytes");
}

#[test]
fn wrong_edits_are_refused_with_their_lines() {
    let work = Workdir::new();
    let model = repository::tiny_model();
    let text = save(&work, &model, "plan.toml", &[]);
    let at = |part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    let (up, norm) = (at("blk.0.ffn_up"), at("blk.0.ffn_norm"));
    let up_line = text.lines().nth(up - 1).unwrap();
    let norm_line = text.lines().nth(norm - 1).unwrap();
    for (from, to, words) in [
        (up_line, up_line.replace("Q4_K", "Q4_KK"), format!("line {up}: `blk.0.ffn_up.weight`: `Q4_KK` is not a type")),
        (up_line, up_line.replace("ffn_up", "ffn_upp"), format!("line {up}: the output has no tensor `blk.0.ffn_upp")),
        (
            up_line,
            String::new(),
            format!("line {}: the list of tensors has no line for `blk.0.ffn_up", at("[tensors]")),
        ),
        (up_line, up_line.replace("512", "513"), format!("line {up}: `blk.0.ffn_up.weight` has the shape [512, 256]")),
        (up_line, format!("{up_line}\n{up_line}"), format!("line {}: duplicate key", up + 1)),
        (norm_line, norm_line.replace("F32", "Q8_0"), format!("line {norm}: `blk.0.ffn_norm.weight` cannot be Q8_0")),
        ("format = \"gguf\"", "format = \"awq\"".to_owned(), "is a plan for format `awq`".to_owned()),
        ("level = \"Q4_K_M\"", "level = \"Q4_K_N\"".to_owned(), "`Q4_K_N` is not a quantization level".to_owned()),
        ("\"pure\" = false", "\"pur\" = false".to_owned(), "has no option --pur".to_owned()),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(work.join("edited.toml"), text.replace(from, &to)).unwrap();
        let outcome = run(&work, &model, "edited.toml", "m");
        assert_eq!(outcome.code, 2, "{to}: {outcome:?}");
        assert!(outcome.stderr.contains(&words), "{words}: {}", outcome.stderr);
    }
    assert!(!work.join("m.gguf").exists());
}

#[test]
fn another_model_is_refused_with_what_differs_unless_the_plan_is_for_any() {
    let work = Workdir::new();
    let model = repository::tiny_model();
    let text = save(&work, &model, "plan.toml", &[]);
    let qwen = run(&work, &golden::model("qwen2"), "plan.toml", "m");
    assert_eq!(qwen.code, 2, "{qwen:?}");
    assert!(qwen.stderr.contains("it is Qwen2ForCausalLM, not LlamaForCausalLM; it has"), "{}", qwen.stderr);
    // The same model with one side file changed.
    let other = work.join("other");
    std::fs::create_dir(&other).unwrap();
    for entry in std::fs::read_dir(&model).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, other.join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(other.join("generation_config.json"), "{}").unwrap();
    let refused = run(&work, &other, "plan.toml", "m");
    assert!(refused.stderr.contains("same shapes and other weights"), "{}", refused.stderr);
    assert!(refused.stderr.contains("remove its line `content"), "{}", refused.stderr);
    let any: String =
        text.lines().filter(|line| !line.starts_with("content")).map(|line| format!("{line}\n")).collect();
    std::fs::write(work.join("any.toml"), any).unwrap();
    assert_eq!(run(&work, &other, "any.toml", "m").code, 0);
}

#[test]
fn a_plan_names_its_importance_weights_and_misses_them() {
    let work = Workdir::new();
    let model = repository::tiny_model();
    let matrix = repository::root().join("tests/imatrix/tiny-model.gguf");
    let matrix = ["--imatrix", matrix.to_str().unwrap()];
    let call = |words: &[&str], name: &str| {
        let call = work.program(["quantize"]).args(words).args(["-n", name]);
        call.args([model.as_os_str(), "gguf".as_ref()])
    };
    call(&["-q", "IQ3_XXS", "--save-plan", "plan.toml"], "m").args(matrix).succeed();
    let again = call(&["-q", "IQ3_XXS", "--save-plan", "plan.toml"], "m").args(matrix).run();
    assert!(again.code == 2 && again.stderr.contains("exists already"), "{again:?}");
    let missed = call(&["--plan", "plan.toml"], "m").run();
    assert_eq!(missed.code, 2, "{missed:?}");
    call(&["--plan", "plan.toml"], "planned").args(matrix).succeed();
    call(&["-q", "IQ3_XXS"], "direct").args(matrix).succeed();
    let read = |name: &str| std::fs::read(work.join(name)).unwrap();
    assert!(read("planned.gguf") == read("direct.gguf"));

    // A type that needs weights, in a plan that has none.
    let text = save(&work, &model, "plain.toml", &[]);
    let line = text.lines().find(|line| line.contains("blk.0.ffn_up")).unwrap();
    std::fs::write(work.join("plain.toml"), text.replace(line, &line.replace("Q4_K", "IQ2_XS"))).unwrap();
    let refused = run(&work, &model, "plain.toml", "m");
    assert!(refused.stderr.contains("blk.0.ffn_up.weight (IQ2_XS): no importance data"), "{refused:?}");
    let told = call(&["--plan", "plain.toml"], "mixed").args(matrix).succeed();
    assert!(told.stderr.contains("made without importance weights"), "{}", told.stderr);
    assert!(!work.join("m.gguf").exists());
}

#[test]
fn what_a_plan_decides_is_not_also_given_on_the_command_line() {
    let work = Workdir::new();
    let model = repository::tiny_model();
    save(&work, &model, "plan.toml", &[]);
    for options in [&["-q", "Q4_0"][..], &["--pure"], &["--tensor-type", "attn_v=Q8_0"], &["--set", "pure=true"]] {
        let call = work.program(["quantize", "--plan", "plan.toml"]).args([model.as_os_str(), "gguf".as_ref()]);
        let outcome = call.args(options).run();
        assert_eq!(outcome.code, 2, "{options:?}: {outcome:?}");
    }
    let neither = work.program(["quantize"]).args([model.as_os_str(), "gguf".as_ref()]).run();
    assert!(neither.code == 2 && neither.stderr.contains("--quant-level"), "{neither:?}");
}
