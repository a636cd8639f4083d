//! Reports: the JSON that programs read, Markdown, and pages that hostile names and numbers cannot break.
//!
//! `LLMQ_REPORTS=DIR` writes the made-up reports there, for eyes.

mod sample;

use llmq_measure::report::{AnalysisReport, Document, EvaluationReport};
use sample::HOSTILE;
use serde_json::Value;

fn keys(json: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(json).unwrap();
    value.as_object().unwrap().keys().cloned().collect()
}

/// Equal but for the last bit of numbers, which serde_json reads quickly rather than exactly.
fn alike(a: &Value, b: &Value) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()));
            a.values().zip(b.values()).for_each(|(a, b)| alike(a, b));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| alike(a, b));
        }
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            assert!((x - y).abs() <= 1e-15 * x.abs(), "{x} {y}");
        }
        _ => assert_eq!(a, b),
    }
}

#[test]
fn the_json_of_an_evaluation_has_the_promised_names() {
    let report = sample::compared();
    let json = report.to_json().unwrap();
    let expected = "version tool model original text calibration_text score context chunks positions perplexity \
                    perplexity_error perplexity_original mean_kld top1_agreement comparison layers tensors \
                    timings peak_memory_bytes warnings";
    assert_eq!(keys(&json).join(" "), expected);
    let value: Value = serde_json::from_str(&json).unwrap();
    let found = report.comparison.as_ref().unwrap();
    assert_eq!(value["perplexity"].as_f64(), Some(found.perplexity.value));
    assert_eq!(value["perplexity_original"].as_f64(), Some(found.perplexity_base.value));
    assert_eq!(value["mean_kld"].as_f64(), Some(found.mean_kld.value));
    assert_eq!(value["top1_agreement"].as_f64(), Some(found.top1_agreement.value));
    assert_eq!((value["positions"].as_u64(), value["score"].as_str()), (Some(2000), Some("all")));
    let again: EvaluationReport = serde_json::from_str(&json).unwrap();
    alike(&value, &serde_json::to_value(&again).unwrap());
    assert!(json == sample::compared().to_json().unwrap(), "nothing changes from run to run");
}

#[test]
fn a_model_alone_has_nothing_to_compare() {
    let report = sample::alone();
    let json = report.to_json().unwrap();
    let absent = ["original", "perplexity_original", "mean_kld", "top1_agreement", "comparison"];
    assert!(keys(&json).iter().all(|key| !absent.contains(&key.as_str())));
    assert!(!report.to_markdown().contains("KL divergence") && !report.to_html().contains("KL divergence"));
}

#[test]
fn the_json_of_an_analysis_comes_back() {
    let report = sample::analysis(8, 16);
    let json = report.to_json().unwrap();
    let expected = "version tool model text samples sample_tokens layers super_weights super_weight_rounds \
                    down_projections outliers experts tensors timings peak_memory_bytes warnings";
    assert_eq!(keys(&json).join(" "), expected);
    let again: AnalysisReport = serde_json::from_str(&json).unwrap();
    alike(&serde_json::from_str(&json).unwrap(), &serde_json::to_value(&again).unwrap());
    let dense = keys(&sample::analysis(2, 0).to_json().unwrap());
    assert!(!dense.contains(&"experts".to_owned()) && dense.contains(&"warnings".to_owned()));
}

#[test]
fn calibrating_on_the_evaluated_text_is_told() {
    let report = sample::compared();
    assert!(report.warnings[0].contains("calibrated on the text of this evaluation"));
    assert!(report.to_markdown().contains("> **Warning:** The model was calibrated on the text"));
    assert!(report.to_html().contains("The model was calibrated on the text of this evaluation"));
    let mut other = sample::alone();
    other.warnings.clear();
    other.calibrated_on(sample::text("c4", "sha256:cc"));
    assert!(other.warnings.is_empty() && other.calibration_text.is_some());
}

#[test]
fn markdown_shows_the_figures() {
    let report = sample::compared();
    let found = report.comparison.as_ref().unwrap();
    let markdown = report.to_markdown();
    assert!(markdown.starts_with("# Evaluation of Llama-3.1-8B-Instruct-Q4_K_M.gguf\n"));
    assert!(markdown.contains(&format!("| Same top token | {:.2} ±", found.top1_agreement.value * 100.0)));
    assert!(markdown.contains("| blk.0.attn_q.weight | Q4_K | 4.500 | 0.00"));
    let analysis = sample::analysis(6, 0).to_markdown();
    assert!(analysis.contains("| model.layers.1.mlp.down_proj.weight |  | 788 | 2427 | -0.7890 | 812.0 | -640.5 |"));
    assert!(!analysis.contains("## Experts"));
    let hostile = sample::alone().to_markdown() + &sample::spoilt().to_markdown();
    assert!(!hostile.contains("<script") || hostile.contains("\\<script\\>"));
    assert!(!hostile.replace("\\<", "").contains('<') && !hostile.contains('\u{202e}'));
}

/// Every tag that is opened is closed in order, attributes are quoted, and nothing is loaded or run.
fn check_page(html: &str) {
    const VOID: [&str; 1] = ["meta"];
    let (_, body) = html.split_once("<!doctype html>\n").expect("a document type");
    let (before, rest) = body.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    let mut open: Vec<&str> = Vec::new();
    for piece in [before, after] {
        for part in piece.split('<').skip(1) {
            let (tag, text) = part.split_once('>').expect("every tag ends");
            assert!(!text.contains('>'), "a stray > in {text:?}");
            let name = tag.split([' ', '/']).find(|word| !word.is_empty()).unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "closed in order");
            } else if !tag.ends_with('/') && !VOID.contains(&name) {
                open.push(name);
            }
            assert!(tag.matches('"').count() % 2 == 0, "{tag}");
            for risky in ["href", "src=", "onload", "onerror", "javascript:"] {
                assert!(!tag.contains(risky), "{tag}");
            }
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
    for never in ["<script", "<link", "<img", "<iframe", "http://", "https://", "NaN\"", "@import", "url("] {
        assert!(!html.contains(never), "{never} in the page");
    }
}

#[test]
fn pages_stand_alone_whatever_they_show() {
    let pages = [
        ("evaluation", sample::compared().to_html(), sample::compared().to_markdown()),
        ("hostile-evaluation", sample::alone().to_html(), sample::alone().to_markdown()),
        ("analysis", sample::analysis(32, 0).to_html(), sample::analysis(32, 0).to_markdown()),
        ("experts", sample::analysis(24, 64).to_html(), sample::analysis(24, 64).to_markdown()),
        ("one-layer", sample::analysis(1, 2).to_html(), sample::analysis(1, 2).to_markdown()),
        ("no-layer", sample::analysis(0, 0).to_html(), sample::analysis(0, 0).to_markdown()),
        ("hostile-analysis", sample::spoilt().to_html(), sample::spoilt().to_markdown()),
    ];
    let wanted = std::env::var_os("LLMQ_REPORTS").map(std::path::PathBuf::from);
    for (name, html, markdown) in pages {
        check_page(&html);
        if name.starts_with("hostile") {
            assert!(html.contains("&lt;script&gt;") && !html.contains(HOSTILE));
        }
        if let Some(folder) = &wanted {
            std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
            std::fs::write(folder.join(format!("{name}.md")), markdown).unwrap();
        }
    }
}
