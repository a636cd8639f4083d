//! The mixture rules against the types that the reference chose for twelve public models at every level, and six small
//! ones of architectures with rules of their own.

use llmq_ggml_blocks::BlockType;
use llmq_gguf::mixture::{Candidate, Choices, ModelShape, Recipe, assign};
use std::collections::BTreeMap;
use std::path::Path;

const MODELS: &[(&str, &str)] = &[
    ("deepseek-v3.1", include_str!("golden/mixture/deepseek-v3.1.txt")),
    ("gemma-3-4b-it", include_str!("golden/mixture/gemma-3-4b-it.txt")),
    ("glm-4.6v", include_str!("golden/mixture/glm-4.6v.txt")),
    ("gpt-oss-120b", include_str!("golden/mixture/gpt-oss-120b.txt")),
    ("meta-llama-3.1-70b-instruct", include_str!("golden/mixture/meta-llama-3.1-70b-instruct.txt")),
    ("nvidia-nemotron-3-nano-30b-a3b", include_str!("golden/mixture/nvidia-nemotron-3-nano-30b-a3b.txt")),
    ("qwen3-0.6b", include_str!("golden/mixture/qwen3-0.6b.txt")),
    ("qwen3-14b", include_str!("golden/mixture/qwen3-14b.txt")),
    ("qwen3-coder-next", include_str!("golden/mixture/qwen3-coder-next.txt")),
    ("qwen3.5-397b-a17b", include_str!("golden/mixture/qwen3.5-397b-a17b.txt")),
    ("qwen3.6-27b", include_str!("golden/mixture/qwen3.6-27b.txt")),
    ("step-3.5-flash", include_str!("golden/mixture/step-3.5-flash.txt")),
    ("small mixtral, 8 experts", include_str!("golden/mixture/small-mixtral-8.txt")),
    ("small falcon", include_str!("golden/mixture/small-falcon.txt")),
    ("small deepseek-v2", include_str!("golden/mixture/small-deepseek-v2.txt")),
    ("small qwen2-moe", include_str!("golden/mixture/small-qwen2-moe.txt")),
    ("small gpt2", include_str!("golden/mixture/small-gpt2.txt")),
    ("small phi2", include_str!("golden/mixture/small-phi2.txt")),
];

struct Golden {
    shape: ModelShape,
    /// Name to row length, sorted as the output file is.
    tensors: BTreeMap<(i64, String), u64>,
    choices: Choices,
    /// Types that the user fixed, by name.
    fixed: BTreeMap<String, BlockType>,
    levels: Vec<(String, BlockType, BTreeMap<String, BlockType>)>,
}

/// `blk.{0-2,5}.x` to `blk.0.x`, `blk.1.x`, `blk.2.x`, `blk.5.x`.
fn expand(names: &str) -> Vec<String> {
    let Some((head, rest)) = names.split_once('{') else { return vec![names.to_owned()] };
    let (ranges, tail) = rest.split_once('}').unwrap();
    let layers = ranges.split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<u32>().unwrap()..=last.parse::<u32>().unwrap()
    });
    layers.map(|layer| format!("{head}{layer}{tail}")).collect()
}

fn block(name: &str) -> i64 {
    name.strip_prefix("blk.").map_or(-1, |rest| rest.split('.').next().unwrap().parse().unwrap())
}

fn parse(text: &str) -> Golden {
    let mut lines = text.lines();
    let head: BTreeMap<&str, &str> = lines.next().unwrap().split(' ').filter_map(|word| word.split_once('=')).collect();
    let number = |key: &str| head[key].parse::<u32>().unwrap();
    let shape = ModelShape {
        arch: head["arch"].to_owned(),
        layers: number("layers"),
        heads: number("heads"),
        kv_heads: number("kv_heads"),
        experts: number("experts"),
        has_importance: head.contains_key("importance"),
    };
    let named = |key: &str| head.get(key).map(|word| BlockType::from_name(word).unwrap());
    let choices = Choices {
        pure: head.contains_key("pure"),
        leave_output: head.contains_key("leave_output"),
        output: named("output"),
        embedding: named("embedding"),
    };
    let mut golden = Golden { shape, tensors: BTreeMap::new(), choices, fixed: BTreeMap::new(), levels: Vec::new() };
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["tensor", columns, names] => {
                let columns = columns.parse().unwrap();
                golden.tensors.extend(expand(names).into_iter().map(|name| ((block(&name), name), columns)));
            }
            ["fixed", encoding, names] => {
                let encoding = BlockType::from_name(encoding).unwrap();
                golden.fixed.extend(expand(names).into_iter().map(|name| (name, encoding)));
            }
            ["level", name, base] => {
                golden.levels.push((name.to_owned(), BlockType::from_name(base).unwrap(), BTreeMap::new()));
            }
            [encoding, names] => {
                let encoding = BlockType::from_name(encoding).unwrap();
                let level = &mut golden.levels.last_mut().unwrap().2;
                level.extend(expand(names).into_iter().map(|name| (name, encoding)));
            }
            _ => panic!("a line of {} words: {line}", words.len()),
        }
    }
    golden
}

/// Compares every level; returns how many types were compared.
fn compare(model: &str, golden: &Golden, wrong: &mut Vec<String>) -> usize {
    let experts = u64::from(golden.shape.experts);
    let candidate = |((_, name), columns): (&(i64, String), &u64)| Candidate {
        name: name.clone(),
        // One matrix per expert, or (MLA's key up projection) per head.
        ne: if name.contains("_exps.") || name.contains("attn_k_b.") {
            vec![*columns, 256, experts]
        } else {
            vec![*columns, 256]
        },
        unquantized: BlockType::BF16,
        fixed: golden.fixed.get(name).copied(),
    };
    let candidates: Vec<Candidate> = golden.tensors.iter().map(candidate).collect();
    for (level, rest, expected) in &golden.levels {
        let Some(recipe) = Recipe::from_name(level) else { panic!("{model}: the level {level} is unknown") };
        let assigned = assign(recipe, golden.choices, &golden.shape, &candidates).unwrap();
        for (candidate, assignment) in candidates.iter().zip(&assigned) {
            // A tensor that is left alone has the source's type, whatever that was for the reference.
            let left = golden.choices.leave_output && candidate.name == "output.weight";
            let want = if left { &BlockType::BF16 } else { expected.get(&candidate.name).unwrap_or(rest) };
            if assignment.encoding != *want {
                let found = assignment.encoding.name();
                wrong.push(format!("{model} {level} {}: {found}, not {}", candidate.name, want.name()));
            }
        }
    }
    candidates.len() * golden.levels.len()
}

fn report(wrong: &[String], compared: usize) {
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn every_tensor_of_eighteen_models_gets_the_reference_s_type_at_every_level() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for (model, text) in MODELS {
        let golden = parse(text);
        for (level, base, _) in &golden.levels {
            assert_eq!(Recipe::from_name(level).map(Recipe::base), Some(*base), "{level}");
        }
        compared += compare(model, &golden, &mut wrong);
    }
    report(&wrong, compared);
    assert!(compared > 150_000, "only {compared} types were compared");
}

#[test]
fn importance_and_the_user_s_choices_lead_to_the_reference_s_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mixture/choices");
    let (mut compared, mut levels, mut wrong) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let golden = parse(&std::fs::read_to_string(&path).unwrap());
        levels += golden.levels.len();
        compared += compare(&path.file_stem().unwrap().to_string_lossy(), &golden, &mut wrong);
    }
    wrong.sort();
    report(&wrong, compared);
    assert!((levels, compared) >= (1300, 150_000), "only {levels} levels and {compared} types were compared");
}
