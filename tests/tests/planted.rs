//! Super weights and outlier channels planted into the example model: `analyze` finds them at their coordinates, and finds
//! none in controls.

use llmq_tests::made_up::{Stored, read_safetensors, write_safetensors};
use llmq_tests::{Workdir, golden};
use serde_json::Value;

const DOWN: &str = "model.layers.1.mlp.down_proj.weight";

/// The example model, to be changed weight by weight.
struct Garden {
    work: Workdir,
    tensors: Vec<Stored>,
}

impl Garden {
    fn new() -> Garden {
        Garden::of("tiny-model")
    }

    /// A committed model, in BF16.
    fn of(model: &str) -> Garden {
        let work = Workdir::new();
        let (from, folder) = (golden::model(model), work.join("model"));
        std::fs::create_dir(&folder).expect("fresh");
        for entry in std::fs::read_dir(&from).expect("a committed model") {
            let entry = entry.expect("readable");
            std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("copied");
        }
        let mut tensors = read_safetensors(&folder.join("model.safetensors"));
        for (_, dtype, _, bytes) in tensors.iter_mut().filter(|(_, dtype, ..)| *dtype == "F16") {
            *dtype = "BF16";
            bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|weight| *weight = bf16(half(*weight)));
        }
        Garden { work, tensors }
    }

    /// Changes the weights of a tensor: `change` gets row, column and value.
    fn change(&mut self, name: &str, change: impl Fn(usize, usize, f32) -> f32) {
        let (.., shape, bytes) = self.tensors.iter_mut().find(|(found, ..)| found == name).expect("the tensor");
        let columns =
            shape.as_array().and_then(|shape| shape.last()).and_then(Value::as_u64).expect("columns") as usize;
        for (at, weight) in bytes.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let old = f32::from_bits(u32::from(u16::from_le_bytes(*weight)) << 16);
            let new = change(at / columns, at % columns, old);
            *weight = bf16(new);
        }
    }

    fn scale_row(&mut self, name: &str, row: usize, factor: f32) {
        self.change(name, |at, _, weight| if at == row { weight * factor } else { weight });
    }

    /// Makes channel `column` of a layer's hidden rows 32 x 32 times as large.
    fn spike(&mut self, layer: usize, column: usize) {
        for matrix in ["gate_proj", "up_proj"] {
            self.scale_row(&format!("model.layers.{layer}.mlp.{matrix}.weight"), column, 32.0);
        }
    }

    fn set(&mut self, name: &str, row: usize, column: usize, value: f32) {
        self.change(name, |r, c, weight| if (r, c) == (row, column) { value } else { weight });
    }

    fn analyze(&self, more: &[&str]) -> Value {
        write_safetensors(&self.work.join("model/model.safetensors"), self.tensors.iter().cloned());
        let text = golden::path("tiny-model.text.txt");
        let line =
            ["--format", "json", "analyze", "model", "--calibration-seqlen", "128", "--calibration-samples", "16"];
        let call = self.work.program(line).args(["--calibration-data".as_ref(), text.as_os_str()]);
        call.args(more).succeed().json()
    }

    /// Tensor, row, column and round of every super weight.
    fn super_weights(&self, more: &[&str]) -> Vec<(String, u64, u64, u64)> {
        let report = self.analyze(more);
        let number = |found: &Value, key: &str| found[key].as_u64().expect("a number");
        let found = report["super_weights"].as_array().expect("a list").iter();
        let found = found.map(|one| {
            println!("{one}");
            let name = one["tensor"].as_str().expect("a name").to_owned();
            (name, number(one, "row"), number(one, "column"), number(one, "round"))
        });
        found.collect()
    }
}

/// Cut off, so that all but what BF16 holds exactly comes nearer to zero; that is all that is planted.
fn bf16(value: f32) -> [u8; 2] {
    ((value.to_bits() >> 16) as u16).to_le_bytes()
}

fn half(bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes);
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
    let size = if exponent == 0 { fraction * 2f32.powi(-14) } else { (1.0 + fraction) * 2f32.powi(exponent - 15) };
    if bits >> 15 == 1 { -size } else { size }
}

fn down(layer: usize, row: u64, column: u64, round: u64) -> (String, u64, u64, u64) {
    (format!("model.layers.{layer}.mlp.down_proj.weight"), row, column, round)
}

#[test]
fn a_planted_super_weight_is_found_at_its_place() {
    for (layer, row, column) in [(0, 201, 137), (1, 17, 400)] {
        let mut garden = Garden::new();
        garden.spike(layer, column);
        garden.set(&down(layer, 0, 0, 0).0, row, column, 4.0);
        assert_eq!(garden.super_weights(&[]), [down(layer, row as u64, column as u64, 1)]);
        let report = garden.analyze(&[]);
        let found = &report["super_weights"][0];
        assert_eq!((found["weight"].as_f64(), found["layer"].as_u64()), (Some(4.0), Some(layer as u64)));
        assert!(found["share"].as_f64().expect("a share") > 0.9, "one term makes the output: {found}");
        assert_eq!(report["super_weight_rounds"], 1);
    }
}

#[test]
fn controls_have_none() {
    assert_eq!(Garden::new().super_weights(&["--super-weights", "3"]), [], "the model as it was trained");
    let mut quiet = Garden::new();
    quiet.set(DOWN, 17, 400, 4.0);
    assert_eq!(quiet.super_weights(&[]), [], "a large weight whose channel is quiet");
    let mut elsewhere = Garden::new();
    elsewhere.set("model.layers.1.self_attn.q_proj.weight", 17, 200, 4.0);
    assert_eq!(elsewhere.super_weights(&[]), [], "a large weight in a query projection");
    let mut channel = Garden::new();
    channel.spike(1, 400);
    assert_eq!(channel.super_weights(&[]), [], "a large channel that no weight picks out");
}

#[test]
fn those_behind_the_first_are_found_when_it_is_zeroed() {
    let mut garden = Garden::new();
    garden.spike(1, 400);
    garden.set(DOWN, 17, 400, 8.0);
    garden.set(DOWN, 99, 400, -4.0);
    assert_eq!(garden.super_weights(&[]), [down(1, 17, 400, 1)], "one look sees the larger one");
    let both = [down(1, 17, 400, 1), down(1, 99, 400, 2)];
    assert_eq!(garden.super_weights(&["--super-weights", "1"]), both);
    let report = garden.analyze(&["--super-weights", "5"]);
    assert_eq!(garden.super_weights(&["--super-weights", "5"]), both, "the third round ends it");
    assert_eq!(report["super_weight_rounds"], 3);
    assert_eq!(report["super_weights"][1]["weight"].as_f64(), Some(-4.0));
}

#[test]
fn super_weights_of_an_expert_are_its_own() {
    let mut garden = Garden::of("mixtral");
    let expert = |matrix: &str| format!("model.layers.0.block_sparse_moe.experts.2.{matrix}.weight");
    assert_eq!(garden.super_weights(&["--super-weights", "2"]), []);
    for matrix in ["w1", "w3"] {
        garden.scale_row(&expert(matrix), 140, 32.0);
    }
    garden.set(&expert("w2"), 30, 140, 8.0);
    garden.set(&expert("w2"), 200, 140, 4.0);
    let report = garden.analyze(&["--super-weights", "4"]);
    let found = report["super_weights"].as_array().expect("a list");
    let places: Vec<_> = found.iter().map(|one| (&one["expert"], &one["row"], &one["column"], &one["round"])).collect();
    let number = Value::from;
    let expected = [(number(2), number(30), number(140), number(1)), (number(2), number(200), number(140), number(2))];
    assert!(places.iter().copied().eq(expected.iter().map(|(a, b, c, d)| (a, b, c, d))), "{places:?}");
}

/// GPT-2 stores its matrices with a row per input.
#[test]
fn super_weights_of_matrices_that_lie_the_other_way() {
    let mut garden = Garden::of("gpt2");
    let (up, down) = ("transformer.h.0.mlp.c_fc.weight", "transformer.h.0.mlp.c_proj.weight");
    garden.change(up, |_, column, weight| if column == 700 { weight * 1024.0 } else { weight });
    garden.set(down, 700, 31, 8.0);
    garden.set(down, 700, 90, -4.0);
    let found = garden.super_weights(&["--super-weights", "4"]);
    assert_eq!(found, [(down.to_owned(), 31, 700, 1), (down.to_owned(), 90, 700, 2)]);
    let report = garden.analyze(&[]);
    assert_eq!(report["super_weights"][0]["weight"].as_f64(), Some(8.0));
    assert!(report["super_weights"][0]["share"].as_f64().expect("a share") > 0.9, "{report}");
}

/// Channels of one linear's input that stand out, with their kinds.
fn outliers(report: &Value, tensor: &str) -> Vec<(u64, String)> {
    let all = report["outliers"].as_array().expect("a list");
    let of = all.iter().find(|one| one["tensor"] == tensor).expect("the tensor");
    let found = of["outliers"].as_array().expect("a list").iter();
    found
        .map(|one| (one["channel"].as_u64().expect("a number"), one["kind"].as_str().expect("a kind").to_owned()))
        .collect()
}

#[test]
fn a_planted_outlier_channel_is_found_at_its_place() {
    const CHANNEL: usize = 77;
    let control = Garden::new().analyze(&[]);
    let mut garden = Garden::new();
    // Powers of two: the model computes what it did, to the bit.
    garden.change(
        "model.layers.1.input_layernorm.weight",
        |_, column, weight| {
            if column == CHANNEL { weight * 64.0 } else { weight }
        },
    );
    for matrix in ["q_proj", "k_proj", "v_proj"] {
        let name = format!("model.layers.1.self_attn.{matrix}.weight");
        garden.change(&name, |_, column, weight| if column == CHANNEL { weight / 64.0 } else { weight });
    }
    let report = garden.analyze(&[]);
    let linears = control["outliers"].as_array().expect("a list");
    assert!(linears.len() >= 8, "{linears:?}");
    for linear in linears {
        let tensor = linear["tensor"].as_str().expect("a name");
        let (before, now) = (outliers(&control, tensor), outliers(&report, tensor));
        if tensor.starts_with("model.layers.1.self_attn.") && !tensor.contains("o_proj") {
            assert_eq!(before, [], "{tensor}");
            assert_eq!(now, [(CHANNEL as u64, "persistent".to_owned())], "{tensor}");
        } else {
            assert_eq!(now, before, "{tensor}");
        }
    }
    assert_eq!(report["super_weights"], Value::Array(Vec::new()));
}
