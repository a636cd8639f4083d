//! Made-up reports of the size of a real model, with hostile names where names come from elsewhere.

use llmq_measure::findings::*;
use llmq_measure::report::*;
use llmq_measure::{Comparison, Counting, Score};

pub const HOSTILE: &str = "</title><script>alert(1)</script>|`\"'&\u{202e}";

/// Numbers that look irregular and are the same everywhere.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Even in 0..1.
    pub fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }

    /// About normal.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.even()).sum::<f64>() - 6.0
    }
}

pub fn text(name: &str, digest: &str) -> TextIdentity {
    TextIdentity { name: name.to_owned(), digest: digest.to_owned(), tokens: 262_144, dropped: 311 }
}

pub fn model(name: &str) -> ModelIdentity {
    ModelIdentity {
        name: name.to_owned(),
        format: Some("gguf".to_owned()),
        level: Some("Q4_K_M".to_owned()),
        fingerprint: Some("xxh3:0123456789abcdef".to_owned()),
        parameters: Some(8_030_261_248),
        bytes: Some(4_920_739_232),
        bits_per_weight: Some(4.902),
    }
}

/// Rows of logits of an original and a model near it.
pub fn rows(positions: usize, vocabulary: usize) -> (Vec<f32>, Vec<f32>, Vec<u32>) {
    let mut noise = Noise::new(7);
    let (mut base, mut other, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..positions {
        let sharpness = 1.0 + 5.0 * noise.even();
        let distance = 0.05 * (1.5 * noise.normal()).exp();
        for _ in 0..vocabulary {
            let logit = noise.normal() * sharpness;
            base.push(logit as f32);
            other.push((logit + noise.normal() * distance) as f32);
        }
        let row = &base[base.len() - vocabulary..];
        let top = (0..vocabulary).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        targets.push(if noise.even() < 0.6 { top as u32 } else { (noise.even() * vocabulary as f64) as u32 });
    }
    (base, other, targets)
}

pub fn compared() -> EvaluationReport {
    let (base, other, targets) = rows(2000, 96);
    let mut comparison = Comparison::new();
    comparison.add_rows(&base, &other, 96, &targets, 0, 0).unwrap();
    let text = text("wiki.test.raw", "sha256:aa");
    let (model, original) = (model("Llama-3.1-8B-Instruct-Q4_K_M.gguf"), model("meta-llama/Llama-3.1-8B-Instruct"));
    let mut report = EvaluationReport::against(
        "llm-quantize 0.1.0",
        model,
        original,
        text.clone(),
        Counting::All,
        512,
        4,
        &comparison,
    )
    .unwrap();
    report.calibrated_on(text);
    let mut noise = Noise::new(11);
    for layer in 0..32 {
        for kind in ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"] {
            report.tensors.push(TensorQuality {
                name: format!("blk.{layer}.{kind}.weight"),
                encoding: if kind == "ffn_down" { "Q6_K" } else { "Q4_K" }.to_owned(),
                bits_per_weight: if kind == "ffn_down" { 6.5625 } else { 4.5 },
                relative_error: Some(0.002 + 0.001 * noise.even()),
                damage_share: Some((0.02 * noise.even()).powi(2) * 10.0),
            });
        }
    }
    report.layers = (0..32).map(|layer| LayerQuality { layer, relative_error: 0.004 + 0.002 * noise.even() }).collect();
    report.timings = vec![
        Timing { step: "original".to_owned(), seconds: 312.4 },
        Timing { step: "model".to_owned(), seconds: 298.1 },
    ];
    report.peak_memory_bytes = Some(3_221_225_472);
    report
}

pub fn alone() -> EvaluationReport {
    let (_, other, targets) = rows(50, 32);
    let mut score = Score::new();
    score.add_rows(&other, 32, &targets, 0, 0).unwrap();
    let mut model = model(HOSTILE);
    model.level = Some(HOSTILE.to_owned());
    let text = text(HOSTILE, HOSTILE);
    let mut report = EvaluationReport::alone(HOSTILE, model, text, Counting::SecondHalf, 104, 1, &score).unwrap();
    report.warnings = vec![HOSTILE.to_owned()];
    report.timings = vec![Timing { step: HOSTILE.to_owned(), seconds: f64::INFINITY }];
    report.layers = vec![LayerQuality { layer: usize::MAX, relative_error: f64::NAN }];
    report.tensors = vec![TensorQuality {
        name: HOSTILE.to_owned(),
        encoding: HOSTILE.to_owned(),
        bits_per_weight: f64::NAN,
        relative_error: None,
        damage_share: Some(0.5),
    }];
    report
}

const KINDS: [&str; 7] = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
];

pub fn analysis(layers: u32, experts: usize) -> AnalysisReport {
    let mut noise = Noise::new(5);
    let mut tensors = Vec::new();
    for layer in 0..layers {
        for (index, kind) in KINDS.iter().enumerate() {
            let depth = f64::from(layer) / f64::from(layers);
            let mean = (0.02 + 0.4 * depth) * (1.0 + index as f64 * 0.2) * (0.3 * noise.normal()).exp();
            let max = mean * 50.0;
            tensors.push(TensorFigures {
                name: format!("model.layers.{layer}.{kind}.weight"),
                layer: Some(layer),
                tensor: (*kind).to_owned(),
                count: 262_144,
                vectors: 1,
                elements: 4096,
                sum: mean * 4096.0,
                max: if index == 6 && layer == 1 { max * 900.0 } else { max },
                min: mean * 0.01,
                mean,
                stddev: mean * 1.3,
                active: 1.0,
                entropy: 10.8,
                entropy_share: 0.9 - 0.05 * index as f64 + 0.01 * noise.normal(),
                z_density: 0.06,
                cosine: (layer > 0).then(|| 0.95 - 0.02 * noise.even() - 0.05 * index as f64),
                ..TensorFigures::default()
            });
        }
    }
    let mut model = model("meta-llama/Llama-3.1-8B-Instruct");
    (model.format, model.level) = (Some("safetensors".to_owned()), Some("bf16".to_owned()));
    let text = text("wikitext-2 train", "sha256:bb");
    let mut report = AnalysisReport::new("llm-quantize 0.1.0", model, text, 512, 512, tensors);
    for layer in 0..layers {
        let peak = |channel, value, typical| Peak { channel, value, typical: Some(typical) };
        let (input, output) = match layer {
            1 => (812.0, -640.5),
            _ => (2.0 + 6.0 * noise.even(), 1.0 + 8.0 * noise.even() * f64::from(layer) / 8.0),
        };
        report.down_projections.push(DownProjection {
            tensor: format!("model.layers.{layer}.mlp.down_proj.weight"),
            layer,
            expert: None,
            input: peak(2427, input, 0.8),
            output: peak(788, output, 0.3),
        });
        for kind in KINDS {
            let rms: Vec<f64> = (0..256).map(|_| 0.4 + 0.6 * noise.even()).collect();
            let mut largest: Vec<f32> = rms.iter().map(|rms| (rms * 5.0) as f32).collect();
            if kind != "self_attn.o_proj" && layer > 2 {
                largest[17] = (30.0 + 300.0 * noise.even()) as f32;
            }
            let tensor = format!("model.layers.{layer}.{kind}.weight");
            report.outliers.push(outlier_channels(&tensor, Some(layer), &largest, &rms, OUTLIER_RATIO).unwrap());
        }
        if experts > 0 {
            let counts: Vec<u64> = (0..experts)
                .map(
                    |expert| {
                        if expert == 13 && layer == 4 { 0 } else { (2000.0 * (0.8 * noise.normal()).exp()) as u64 }
                    },
                )
                .collect();
            report.experts.push(expert_coverage(layer, 131_072, &counts));
        }
    }
    report.super_weights = super_weights(&report.down_projections, &SuperWeightRule::default());
    for found in &mut report.super_weights {
        (found.weight, found.share) = (Some(-0.789), Some(0.9993));
    }
    report.timings = vec![Timing { step: "forward".to_owned(), seconds: 1412.0 }];
    report.peak_memory_bytes = Some(9_663_676_416);
    report
}

/// Every name is hostile, every number is none.
pub fn spoilt() -> AnalysisReport {
    let mut report = analysis(3, 4);
    report.model.name = HOSTILE.to_owned();
    report.text.name = HOSTILE.to_owned();
    report.warnings = vec![HOSTILE.to_owned()];
    for figure in &mut report.tensors {
        (figure.name, figure.tensor) = (HOSTILE.to_owned(), HOSTILE.to_owned());
        (figure.sum, figure.mean, figure.cosine) = (f64::NAN, f64::INFINITY, Some(f64::NEG_INFINITY));
    }
    for linear in &mut report.outliers {
        linear.tensor = HOSTILE.to_owned();
        linear.threshold = f64::NAN;
    }
    for found in &mut report.super_weights {
        found.tensor = HOSTILE.to_owned();
    }
    for layer in &mut report.layers {
        (layer.sum, layer.share) = (f64::INFINITY, f64::NAN);
    }
    report.tool = HOSTILE.to_owned();
    report
}
