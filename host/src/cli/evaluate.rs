//! `evaluate`: a text through one model, or through a model and its original, and what came of it.

use super::args::evaluate::EvaluateArgs;
use super::report_file::ReportFile;
use super::signals::{Stopping, Watch};
use super::{Narrator, Screen};
use crate::cancel::Cancel;
use crate::evaluate::{EvaluationSpec, Outcome, evaluate, open_tokenizer, read};
use crate::failure::{Class, Failure};
use crate::identity::{model_identity, text_identity};
use crate::memory::Sampler;
use crate::pass::{Services, Subject};
use crate::plugins::{Search, discover};
use crate::stored;
use crate::threads::pool;
use llmq_measure::report::{Document, EvaluationReport};
use std::path::Path;
use std::sync::Arc;

/// Runs it.
pub fn run(args: EvaluateArgs, search: &Search, screen: &Arc<Screen>) -> Result<(), Failure> {
    let file = args.report.as_deref().map(ReportFile::at).transpose()?;
    let spec = meant(args);
    let sampler = Sampler::start();
    let cancel = Cancel::default();
    let _watch = Watch::start(&cancel, screen, Stopping::Lost)?;
    let narrator = Narrator::new(Arc::clone(screen));
    let catalogue = discover(search);
    let open = |path: &Path| {
        screen.step(&format!("Loading model: {}", path.display()));
        // For no format in particular: names and config.json as Hugging Face has them.
        Subject::new(stored::open(path, "", &catalogue)?)
    };
    let tokenizer = open_tokenizer(&spec)?;
    let subject = open(&spec.model)?;
    let original = spec.against.as_deref().map(open).transpose()?;
    let samples = &read(&spec, &tokenizer, subject.network.embedding.vocab)?;
    let mut warnings: Vec<String> = subject.weights().notes().to_vec();
    warnings.extend(samples.report.warnings.iter().cloned());
    warnings.iter().for_each(|warning| screen.warning(warning));

    let pool = pool(spec.threads)?;
    let services = Services { pool: &pool, cancel: &cancel, observer: &narrator };
    let outcome = evaluate(&subject, original.as_ref(), samples, &spec, services)?;

    let tool = format!("llm-quantize {}", env!("CARGO_PKG_VERSION"));
    let (model, read) = (model_identity(subject.weights())?, text_identity(&samples.report));
    let (counting, context, chunks) = (spec.counting, samples.seqlen, samples.report.samples);
    let report = match (&outcome, &original) {
        (Outcome::Compared(comparison), Some(original)) => {
            let base = model_identity(original.weights())?;
            EvaluationReport::against(&tool, model, base, read, counting, context, chunks, comparison)
        }
        (Outcome::Alone(score), _) => EvaluationReport::alone(&tool, model, read, counting, context, chunks, score),
        (Outcome::Compared(_), None) => None,
    };
    let mut report = report.ok_or_else(|| Failure::new(Class::InvalidArguments, "no token of the text was scored"))?;
    report.warnings = warnings;
    report.peak_memory_bytes = Some(sampler.peaks().anonymous);
    if let Some(file) = file {
        file.write(&report)?;
    }
    screen.result(&report, || report.to_markdown())
}

fn meant(args: EvaluateArgs) -> EvaluationSpec {
    EvaluationSpec {
        model: args.model,
        against: args.against,
        data: args.data,
        calibration_data: args.calibration_data,
        tokenizer: args.tokenizer,
        context: args.context as usize,
        chunks: args.chunks.map(|chunks| chunks as usize),
        counting: args.score,
        threads: args.threads.map(|threads| threads as usize),
        memory_limit: args.memory_limit,
    }
}
