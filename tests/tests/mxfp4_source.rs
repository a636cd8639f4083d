//! gpt-oss as it is published: experts in blocks of 4-bit floats, gate and up in alternating rows.

use llmq_tests::made_up::{self, Stored};
use llmq_tests::{Workdir, gguf_file::GgufFile, golden};
use serde_json::{Value, json};
use std::path::Path;

const EXPERTS: usize = 2;
const NUMBERS: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

/// Blocks and exponents of a stack: `rows` rows of `columns` weights in every expert.
struct Packed {
    rows: usize,
    columns: usize,
    blocks: Vec<u8>,
    scales: Vec<u8>,
}

impl Packed {
    /// Every block uses its range (a code for 4 or 6), and no zero has a sign: what encoders write.
    fn made_up(seed: u64, rows: usize, columns: usize) -> Packed {
        let hash = |i: usize| (((i as u64 + seed * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 40) as u8;
        let count = EXPERTS * rows * columns / 32;
        let nibble = |code: u8| if code & 15 == 8 { 0 } else { code & 15 };
        let byte = |i: usize| match i % 16 {
            5 => 0x70 | nibble(hash(i)),
            _ => nibble(hash(i)) | nibble(hash(i) >> 4) << 4,
        };
        let scales = (0..count).map(|i| 112 + hash(i * 3) % 8).collect();
        Packed { rows, columns, blocks: (0..count * 16).map(byte).collect(), scales }
    }

    fn code(&self, row: usize, column: usize) -> u8 {
        let byte = self.blocks[(row * self.columns + column) / 2];
        if column.is_multiple_of(2) { byte & 15 } else { byte >> 4 }
    }

    fn value(&self, row: usize, column: usize) -> f32 {
        let code = self.code(row, column);
        let scale = self.scales[(row * self.columns + column) / 32];
        let size = NUMBERS[usize::from(code & 7)] * 2f32.powi(i32::from(scale) - 127);
        if code & 8 != 0 { -size } else { size }
    }

    /// Rows of all experts, every `step`-th from `first` on.
    fn chosen(&self, first: usize, step: usize) -> impl Iterator<Item = usize> {
        (first..EXPERTS * self.rows).step_by(step)
    }

    fn f32(&self, first: usize, step: usize) -> Vec<u8> {
        let row = |row| (0..self.columns).flat_map(move |column| self.value(row, column).to_le_bytes());
        self.chosen(first, step).flat_map(row).collect()
    }

    /// GGUF's blocks: the exponent, then 16 bytes of one weight of the first and one of the second half.
    fn repacked(&self, first: usize, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in self.chosen(first, step) {
            for start in (0..self.columns).step_by(32) {
                bytes.push(self.scales[(row * self.columns + start) / 32]);
                bytes.extend((start..start + 16).map(|at| self.code(row, at) | self.code(row, at + 16) << 4));
            }
        }
        bytes
    }
}

fn write_model(folder: &Path, gate_up: &Packed, down: &Packed) {
    let mut case = golden::json("made-up/gpt-oss.json");
    case["config"]["quantization_config"] =
        json!({"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]});
    made_up::write_model(folder, &case);
    let plain = made_up::read_safetensors(&folder.join("model.safetensors"));
    let mut tensors: Vec<Stored> = plain.into_iter().filter(|(name, ..)| !name.ends_with("_proj")).collect();
    for (name, packed) in [("gate_up_proj", gate_up), ("down_proj", down)] {
        let name = format!("model.layers.0.mlp.experts.{name}");
        let shape = json!([EXPERTS, packed.rows, packed.columns / 32, 16]);
        tensors.push((format!("{name}_blocks"), "U8", shape, packed.blocks.clone()));
        let shape = json!([EXPERTS, packed.rows, packed.columns / 32]);
        tensors.push((format!("{name}_scales"), "U8", shape, packed.scales.clone()));
    }
    made_up::write_safetensors(&folder.join("model.safetensors"), tensors.into_iter());
}

#[test]
fn blocks_keep_their_values_and_their_bytes() {
    let work = Workdir::new();
    let (gate_up, down) = (Packed::made_up(1, 512, 256), Packed::made_up(2, 256, 256));
    let model = work.join("model");
    write_model(&model, &gate_up, &down);
    let quantize = |level: &str| {
        let call = work.program(["quantize", "-q", level, "-n", level]);
        call.args([model.as_os_str(), "gguf".as_ref()]).succeed();
        GgufFile::read(&work.join(&format!("{level}.gguf")))
    };
    let expected: [(&str, &Packed, usize, usize); 3] =
        [("gate", &gate_up, 0, 2), ("up", &gate_up, 1, 2), ("down", &down, 0, 1)];
    let (plain, packed) = (quantize("F32"), quantize("MXFP4_MOE"));
    for (name, source, first, step) in expected {
        let name = format!("blk.0.ffn_{name}_exps.weight");
        let find = |file: &'_ GgufFile| {
            let tensor = file.tensors.iter().find(|tensor| tensor.name == name).expect("there");
            (tensor.dims.clone(), tensor.data.clone())
        };
        let (dims, data) = find(&plain);
        assert_eq!(dims, [256, 256, EXPERTS as u64], "{name}");
        assert!(data == source.f32(first, step), "{name}: values");
        let (dims, data) = find(&packed);
        assert_eq!(dims, [256, 256, EXPERTS as u64], "{name}");
        assert!(data == source.repacked(first, step), "{name}: bytes");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let work = Workdir::new();
    let (gate_up, down) = (Packed::made_up(1, 512, 256), Packed::made_up(2, 256, 256));
    let model = work.join("model");
    let refused = |change: &dyn Fn(&mut Vec<Stored>), words: &str| {
        write_model(&model, &gate_up, &down);
        let path = model.join("model.safetensors");
        let mut tensors = made_up::read_safetensors(&path);
        change(&mut tensors);
        made_up::write_safetensors(&path, tensors.into_iter());
        let outcome = work.program(["info"]).args([&model]).run();
        assert_ne!(outcome.code, 0, "{words}");
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    };
    let scales = "model.layers.0.mlp.experts.down_proj_scales";
    refused(&|tensors| tensors.retain(|(name, ..)| name != scales), &format!("`{scales}` is not there"));
    let reshape = |tensors: &mut Vec<Stored>| {
        tensors.iter_mut().filter(|(name, ..)| name == scales).for_each(|t| t.2 = json!([EXPERTS, 128, 16]));
    };
    refused(&reshape, "do not fit its own shape");
    let mut config: Value = serde_json::from_slice(&std::fs::read(model.join("config.json")).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("quantization_config");
    std::fs::write(model.join("config.json"), config.to_string()).unwrap();
    let outcome = work.program(["info"]).args([&model]).run();
    assert_ne!(outcome.code, 0, "blocks without their declaration: {}", outcome.stdout);
}
