//! Speed of a forward pass over a small model, whose weights are bf16 noise: 6 layers 256 wide, feed-forward 768.
//!
//! `cargo bench -p llmq-forward --bench pass -- [SAMPLES LENGTH THREADS]` (64 256 1): CPU time of the process, the median of five
//! passes in batches of 2048 tokens, and how fast the linear layers would be if there were nothing beside them.
#![allow(clippy::print_stdout, reason = "the figures are the result")]

use llmq_forward::*;

const ROUNDS: usize = 5;
const WIDTH: usize = 256;
const KV_WIDTH: usize = 128;
const FEED_FORWARD: usize = 768;
const LAYERS: usize = 6;

/// Every row of every tensor comes out of one run of noise.
struct Noise(Vec<u16>);

impl Weights for Noise {
    fn rows(&self, tensor: usize, first_row: u64, out: &mut [f32]) -> Result<(), WeightsError> {
        let from = (tensor * 7919 + first_row as usize * 31) % (self.0.len() - out.len());
        let numbers = &self.0[from..from + out.len()];
        out.iter_mut().zip(numbers).for_each(|(to, bits)| *to = f32::from_bits(u32::from(*bits) << 16));
        Ok(())
    }
}

fn linear(weight: usize, inputs: usize, outputs: usize) -> Linear {
    Linear { weight, first_row: 0, storage: Storage::OutputRows, inputs, outputs, bias: None }
}

fn norm() -> Option<Norm> {
    Some(Norm { kind: NormKind::Rms, epsilon: 1e-5, weight: Vec::new(), offset: 0.0, bias: None })
}

fn layer(number: usize, rope: &Rope) -> Layer {
    let tensor = |of: usize| number * 7 + of;
    Layer {
        arrangement: Arrangement::Sequential,
        residual_scale: 1.0,
        attn_norm: norm(),
        attention: Attention {
            heads: 8,
            kv_heads: 4,
            head_dim: 32,
            value_dim: 32,
            projections: Projections::Separate {
                q: linear(tensor(0), WIDTH, WIDTH),
                k: linear(tensor(1), WIDTH, KV_WIDTH),
                v: linear(tensor(2), WIDTH, KV_WIDTH),
            },
            q_norm: None,
            k_norm: None,
            rope: Some(rope.clone()),
            scale: 32f32.sqrt().recip(),
            cap: None,
            window: None,
            sinks: None,
            clamp: None,
            sub_norm: None,
            output: linear(tensor(3), WIDTH, WIDTH),
        },
        attn_post_norm: None,
        ffn_norm: norm(),
        ffn: FeedForward::Dense(Box::new(Block {
            up: UpGate::Both {
                gate: linear(tensor(4), WIDTH, FEED_FORWARD),
                up: linear(tensor(5), WIDTH, FEED_FORWARD),
            },
            activation: Activation::Silu,
            sub_norm: None,
            down: linear(tensor(6), FEED_FORWARD, WIDTH),
        })),
        ffn_post_norm: None,
    }
}

/// CPU seconds of all threads; Linux only, as the system call would need `unsafe`.
fn process_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let nanoseconds = tasks.map(|task| {
        let text = std::fs::read_to_string(task.expect("a thread").path().join("schedstat")).expect("statistics");
        text.split(' ').next().and_then(|number| number.parse::<f64>().ok()).expect("a number")
    });
    nanoseconds.sum::<f64>() * 1e-9
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (samples, length, threads) = if let [s, l, t] = numbers[..] { (s, l, t) } else { (64, 256, 1) };
    let mut state = 1u64;
    let mut noise = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * 0.1
    };
    let weights = Noise((0..1 << 20).map(|i| (noise(i).to_bits() >> 16) as u16).collect());
    let states = Rows { values: (0..samples * length * WIDTH).map(&mut noise).collect(), columns: WIDTH };
    let rope = Rope { theta: 10_000.0, dimensions: 32, interleaved: false, extension: Extension::None };
    let layers: Vec<Layer> = (0..LAYERS).map(|number| layer(number, &rope)).collect();
    let batch = Batch { length, weights: &weights };
    let tokens = (2048 / length).max(1) * length;
    let pass = || {
        for layer in &layers {
            for values in states.values.chunks(tokens * WIDTH) {
                let rows = Rows { values: values.to_vec(), columns: WIDTH };
                run_layer(&Cpu::default(), layer, batch, rows, &mut Nobody).expect("a pass");
            }
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = process_seconds();
            pool.install(pass);
            process_seconds() - start
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let products = WIDTH * (2 * WIDTH + 2 * KV_WIDTH + 3 * FEED_FORWARD);
    let work = 2.0 * (LAYERS * samples * length * products) as f64;
    let seconds = times[ROUNDS / 2];
    println!(
        "{samples} samples of {length} tokens, {threads} threads: {seconds:.3} s, {:.0} GF/s",
        work / seconds * 1e-9
    );
}
