//! Sessions beyond the bytes of good models: threads, options, refusals.

mod rig;

use llmq_plugin_api::sdk::Kind;
use rig::models::{self, Shape, UNEVEN};
use rig::{Folder, Host, Job};

const SMALL: Shape = Shape { hidden: 256, intermediate: 256, heads: 8, kv_heads: 8, layers: 1 };

/// Puts `value` at element `at` of an F32 tensor.
fn poison(folder: &mut Folder, name: &str, at: usize, value: f32) {
    let tensor = folder.tensors.iter_mut().find(|tensor| tensor.name == name).unwrap();
    tensor.bytes[at * 4..at * 4 + 4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn bytes_do_not_depend_on_threads_or_on_who_decodes_the_source() {
    let mut folder = models::tiny();
    let run = |folder: &Folder, threads| {
        let mut job = Job::new(folder, "Q4_K_M");
        job.host = Host::new(threads);
        job.run().unwrap().bytes
    };
    let once = run(&folder, 1);
    assert_eq!(run(&folder, 7), once);
    folder.opaque = true;
    assert_eq!(run(&folder, 2), once);
}

#[test]
fn a_cancelled_job_stops_with_the_word_for_it() {
    let folder = models::tiny();
    let mut job = Job::new(&folder, "Q2_K");
    job.host.cancel_after = Some(1);
    assert_eq!(job.run().err().unwrap().kind, Kind::Cancelled);
}

#[test]
fn units_report_their_progress_in_weights() {
    let folder = models::tiny();
    let job = Job::new(&folder, "Q8_0");
    job.run().unwrap();
    let largest = 2048 * 256;
    assert!(job.host.progress.load(std::sync::atomic::Ordering::Relaxed) >= largest);
}

#[test]
fn substitutes_are_named_in_the_plan() {
    let folder = models::llama(&UNEVEN, "BF16", |_| {});
    let plan = Job::new(&folder, "Q4_K_M").run().unwrap().plan;
    let note = |name: &str| plan.slots.iter().find(|slot| slot.name == name).unwrap().note.clone();
    assert_eq!(note("blk.0.attn_q.weight"), "Q5_0 instead of Q4_K: rows of 288 are not whole blocks of 256");
    assert_eq!(note("blk.2.ffn_down.weight"), "F16 instead of Q6_K: rows of 100 are not whole blocks of 256");
    assert_eq!(note("blk.0.attn_norm.weight"), "");
    assert!(plan.warnings.iter().any(|warning| warning.contains("of 30 tensors have rows")), "{:?}", plan.warnings);
}

#[test]
fn scratch_memory_is_bounded_and_announced() {
    let plan = Job::new(&models::tiny(), "Q4_K_M").run().unwrap().plan;
    assert_eq!(plan.units.len(), 4);
    assert!(plan.units.iter().all(|need| need.scratch_bytes_per_thread < 1 << 20), "{:?}", plan.units);
    assert!(plan.units.iter().all(|need| need.statistics.is_empty()));
}

#[test]
fn only_offered_statistics_are_asked_for() {
    let folder = models::tiny();
    let (index, _) = folder.description.tensor("model.layers.1.mlp.down_proj.weight").unwrap();
    let mut job = Job::new(&folder, "Q4_K_M");
    job.statistics.insert(index as u32, (vec![3.0; 512], 7));
    let output = job.run().unwrap();
    let asked: Vec<u32> = output.plan.units.iter().flat_map(|unit| &unit.statistics).map(|need| need.tensor).collect();
    assert_eq!(asked, [index as u32]);
    let plain = Job::new(&folder, "Q4_K_M").run().unwrap();
    assert_ne!(output.tensor("blk.1.ffn_down.weight"), plain.tensor("blk.1.ffn_down.weight"));
    assert_eq!(output.tensor("blk.1.ffn_up.weight"), plain.tensor("blk.1.ffn_up.weight"));
}

#[test]
fn statistics_of_another_model_are_refused() {
    let folder = models::tiny();
    let (index, _) = folder.description.tensor("model.layers.1.mlp.down_proj.weight").unwrap();
    let refused = |values: Vec<f32>| {
        let mut job = Job::new(&folder, "Q4_K_M");
        job.statistics.insert(index as u32, (values, 7));
        job.run().err().unwrap()
    };
    let short = refused(vec![3.0; 256]);
    assert_eq!(short.kind, Kind::MissingStatistics);
    assert!(short.message.contains("256 channels, its rows have 512"), "{}", short.message);
    assert_eq!(refused(vec![f32::NAN; 512]).kind, Kind::CorruptInput);
    assert_eq!(refused(vec![-1.0; 512]).kind, Kind::CorruptInput);
}

#[test]
fn levels_that_need_importance_are_refused_before_any_work() {
    let folder = models::tiny();
    let refused = |job: &Job| job.run().err().unwrap();
    let mut job = Job::new(&folder, "Q2_K_S");
    let error = refused(&job);
    assert_eq!(error.kind, Kind::MissingStatistics);
    assert!(error.message.contains("blk.0.attn_k.weight (Q2_K): no importance data"), "{}", error.message);
    // One measured tensor is not enough, all but the embeddings and the output are.
    for (index, tensor) in folder.description.tensors.iter().enumerate().filter(|(_, t)| t.name.contains("_proj")) {
        job.statistics.insert(index as u32, (vec![3.0; tensor.columns() as usize], 7));
    }
    let (down, _) = folder.description.tensor("model.layers.1.mlp.down_proj.weight").unwrap();
    let kept = job.statistics.remove(&(down as u32)).unwrap();
    assert!(refused(&job).message.contains("blk.1.ffn_down.weight (Q2_K): no importance data"));
    job.statistics.insert(down as u32, kept);
    assert_eq!(job.run().unwrap().tensor("blk.1.ffn_up.weight").unwrap().0, "Q2_K");
}

#[test]
fn encodings_can_be_fixed_by_either_name() {
    let folder = models::tiny();
    let mut job = Job::new(&folder, "Q4_K_M");
    job.encodings.insert("model.layers.0.mlp.up_proj.weight".into(), "Q8_0".into());
    job.encodings.insert("blk.1.attn_q.weight".into(), "f16".into());
    let output = job.run().unwrap();
    assert_eq!(output.tensor("blk.0.ffn_up.weight").unwrap().0, "Q8_0");
    assert_eq!(output.tensor("blk.1.attn_q.weight").unwrap().0, "F16");
    let notes: Vec<&str> = output.plan.slots.iter().filter(|s| !s.note.is_empty()).map(|s| s.name.as_str()).collect();
    assert_eq!(notes, ["blk.0.ffn_up.weight", "blk.1.attn_q.weight"]);
    for (name, encoding, words) in [
        ("blk.9.attn_q.weight", "Q8_0", "which the output does not have"),
        ("blk.1.attn_q.weight", "Q9_X", "cannot be encoded as"),
        ("blk.1.attn_q.weight", "I64", "cannot be encoded as"),
        ("blk.1.attn_norm.weight", "Q8_0", "is never quantized"),
    ] {
        let mut job = Job::new(&folder, "Q4_K_M");
        job.encodings.insert(name.into(), encoding.into());
        let error = job.run().err().unwrap();
        assert!(error.message.contains(words), "{}", error.message);
    }
}

#[test]
fn an_intermediate_format_rounds_first() {
    let folder = models::llama(&SMALL, "F32", |_| {});
    let run = |intermediate: &str| Job::new(&folder, "Q8_0").option("intermediate", intermediate).run().unwrap();
    let (none, f16, bf16) = (run("none"), run("f16"), run("bf16"));
    let tensor = "blk.0.ffn_up.weight";
    assert_ne!(none.tensor(tensor), f16.tensor(tensor));
    assert_ne!(f16.tensor(tensor), bf16.tensor(tensor));
    // What two steps give: the values rounded, then quantized.
    let rounded = models::llama(&SMALL, "BF16", |_| {});
    let two_steps = Job::new(&rounded, "Q8_0").run().unwrap();
    assert_eq!(bf16.tensor(tensor), two_steps.tensor(tensor));
    // Vectors stay as they are in a conversion.
    assert_eq!(none.tensor("output_norm.weight"), bf16.tensor("output_norm.weight"));
}

#[test]
fn weights_that_are_no_numbers_are_refused_with_their_place() {
    let mut folder = models::llama(&SMALL, "F32", |_| {});
    poison(&mut folder, "model.layers.0.mlp.up_proj.weight", 256 * 3 + 5, f32::NAN);
    for level in ["Q4_K_M", "Q8_0", "F32", "BF16"] {
        let error = Job::new(&folder, level).run().err().unwrap();
        assert_eq!(error.kind, Kind::CorruptInput);
        assert!(
            error.message.contains("row 3, column 5 of `model.layers.0.mlp.up_proj.weight` is NaN"),
            "{}",
            error.message
        );
    }
}

#[test]
fn the_place_is_that_in_the_source_even_where_rows_move() {
    let mut folder = models::llama(&SMALL, "F32", |_| {});
    poison(&mut folder, "model.layers.0.self_attn.q_proj.weight", 256 * 49 + 1, f32::INFINITY);
    let error = Job::new(&folder, "Q4_K_M").run().err().unwrap();
    assert!(error.message.contains("row 49, column 1"), "{}", error.message);
}

#[test]
fn weights_beyond_half_precision_are_refused_where_half_precision_is_asked_for() {
    let mut folder = models::llama(&SMALL, "F32", |_| {});
    poison(&mut folder, "model.layers.0.mlp.up_proj.weight", 7, 70_000.0);
    let error = Job::new(&folder, "F16").run().err().unwrap();
    assert_eq!(error.kind, Kind::InvalidRequest);
    assert!(error.message.contains("65504") && error.hint.contains("BF16"), "{}", error.message);
    let error = Job::new(&folder, "Q8_0").option("intermediate", "f16").run().err().unwrap();
    assert_eq!(error.kind, Kind::InvalidRequest);
    Job::new(&folder, "BF16").run().unwrap();
    Job::new(&folder, "Q8_0").run().unwrap();
}

#[test]
fn what_cannot_be_written_is_refused_before_any_work() {
    let folder = models::tiny();
    assert_eq!(Job::new(&folder, "Q9_X").run().err().unwrap().kind, Kind::InvalidRequest);
    assert_eq!(
        Job::new(&folder, "Q4_K_M").option("intermediate", "f8").run().err().unwrap().kind,
        Kind::InvalidRequest
    );
    let error = Job::new(&folder, "Q4_K_M").option("pre", "no-such-name").run().err().unwrap();
    assert_eq!(error.kind, Kind::InvalidRequest);
    assert!(error.hint.contains("llama-bpe"), "{}", error.hint);

    let mut other = models::tiny();
    other.description.family = "rwkv".into();
    let error = Job::new(&other, "Q4_K_M").run().err().unwrap();
    assert_eq!(error.kind, Kind::UnsupportedModel);
    assert!(
        error.message.contains("llama, mistral, mixtral") && error.message.contains("qwen3_moe"),
        "{}",
        error.message
    );

    let mut odd = models::tiny();
    odd.description.tensors[3].role = llmq_plugin_api::wire::Role::RouterBias;
    let error = Job::new(&odd, "Q4_K_M").run().err().unwrap();
    assert!(error.message.contains("router_bias"), "{}", error.message);

    let mut heads = models::tiny();
    heads.description.hyperparameters.attention.heads = 7;
    let error = Job::new(&heads, "Q4_K_M").run().err().unwrap();
    assert!(error.message.contains("7 heads"), "{}", error.message);
}

#[test]
fn what_llama_cpp_will_do_differently_is_said() {
    let mut folder = models::tiny();
    folder.description.hyperparameters.attention.sliding_window = Some(64);
    let plan = Job::new(&folder, "Q8_0").option("intermediate", "f16").run().unwrap().plan;
    assert!(plan.warnings.iter().any(|w| w.contains("last 64 tokens")), "{:?}", plan.warnings);
    assert!(plan.warnings.iter().any(|w| w.contains("no effect")), "{:?}", plan.warnings);
    assert!(plan.notes.iter().any(|n| n.contains("llama-bpe")), "{:?}", plan.notes);
}

#[test]
fn a_name_that_llama_cpp_refuses_is_warned_of() {
    let folder = models::tiny();
    let warned =
        |job: Job| job.run().unwrap().plan.warnings.iter().any(|w| w.contains("choose another name with --name"));
    assert!(!warned(Job::new(&folder, "Q8_0")));
    assert!(warned(Job::new(&folder, "Q8_0").option("name", "Phi-3 of my own")));
}
