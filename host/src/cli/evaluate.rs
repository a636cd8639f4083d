//! `evaluate`: a text through one model, or through a model and its original, and what came of it.

use super::args::evaluate::EvaluateArgs;
use super::report_file::ReportFile;
use super::signals::{Stopping, Watch};
use super::{Narrator, Screen};
use crate::cancel::Cancel;
use crate::evaluate::{Against, EvaluationSpec, Outcome, Saving, StoredOriginal, evaluate, open_tokenizer, read};
use crate::failure::{Class, Failure};
use crate::identity::{model_identity, text_identity};
use crate::memory::Sampler;
use crate::pass::{Services, Subject};
use crate::plugins::{Search, discover};
use crate::stored;
use crate::threads::pool;
use llmq_measure::Counting;
use llmq_measure::report::{Document, EvaluationReport, SavedFile};
use std::path::Path;
use std::sync::Arc;

/// Runs it.
pub fn run(args: EvaluateArgs, search: &Search, screen: &Arc<Screen>) -> Result<(), Failure> {
    let file = args.report.as_deref().map(ReportFile::at).transpose()?;
    let spec = meant(args)?;
    let sampler = Sampler::start();
    let cancel = Cancel::default();
    let _watch = Watch::start(&cancel, screen, Stopping::Whole)?;
    let narrator = Narrator::new(Arc::clone(screen));
    let catalogue = discover(search);
    let open = |path: &Path| {
        screen.step(&format!("Loading model: {}", path.display()));
        // For no format in particular: names and config.json as Hugging Face has them.
        Subject::new(stored::open(path, "", &catalogue)?)
    };
    let mut stored = spec.base_logits.as_deref().map(StoredOriginal::open).transpose()?;
    let tokenizer = open_tokenizer(&spec)?;
    let subject = open(&spec.model)?;
    let original = spec.against.as_deref().map(open).transpose()?;
    let vocabulary = subject.network.embedding.vocab;
    let samples = &read(&spec, &tokenizer, vocabulary, stored.as_ref())?;
    let mut saving =
        spec.save_base_logits.as_deref().map(|path| Saving::begin(path, samples, vocabulary)).transpose()?;
    let mut warnings: Vec<String> = subject.weights().notes().to_vec();
    warnings.extend(samples.report.warnings.iter().cloned());
    warnings.extend(stored.as_ref().map(|stored| in_16_bits(&stored.name())));
    warnings.iter().for_each(|warning| screen.warning(warning));

    let pool = pool(spec.threads)?;
    let services = Services { pool: &pool, cancel: &cancel, observer: &narrator };
    let against = match (&original, &mut stored) {
        (Some(original), _) => Against::Model(original),
        (None, Some(stored)) => Against::Stored(stored),
        (None, None) => Against::Nothing(saving.as_mut()),
    };
    let outcome = evaluate(&subject, against, samples, &spec, services)?;

    let tool = format!("llm-quantize {}", env!("CARGO_PKG_VERSION"));
    let (model, mut read) = (model_identity(subject.weights())?, text_identity(&samples.report));
    if let (None, Some(stored)) = (&spec.data, &stored) {
        read.name = stored.name();
    }
    let (counting, context, chunks) = (spec.counting, samples.seqlen, samples.report.samples);
    let report = match &outcome {
        Outcome::Compared(comparison, _) => {
            let base = match (&original, &stored) {
                (Some(original), _) => model_identity(original.weights())?,
                (None, stored) => stored.as_ref().map(StoredOriginal::identity).unwrap_or_default(),
            };
            EvaluationReport::against(&tool, model, base, read, counting, context, chunks, comparison)
        }
        Outcome::Alone(score) => EvaluationReport::alone(&tool, model, read, counting, context, chunks, score),
    };
    let mut report = report.ok_or_else(|| Failure::new(Class::InvalidArguments, "no token of the text was scored"))?;
    if let Outcome::Compared(_, layers) = outcome {
        report.layers = layers;
    }
    report.warnings = warnings;
    report.peak_memory_bytes = Some(sampler.peaks().anonymous);
    if let (Some(saving), Some(path)) = (saving, &spec.save_base_logits) {
        let bytes = saving.finish()?;
        screen.step(&format!("Log-probabilities written: {} ({bytes} bytes)", path.display()));
        report.log_probabilities = Some(SavedFile { path: path.display().to_string(), bytes });
    }
    if let Some(file) = file {
        file.write(&report)?;
    }
    screen.result(&report, || report.to_markdown())
}

/// What a reader of figures from such a file must know. A level is at most 16 / 65535 nats wide, and half of one is the
/// most by which a mean of them can be wrong.
fn in_16_bits(name: &str) -> String {
    format!(
        "The original is known from {name} alone, in 16 bits: the divergence of a position is wrong by up to 0.00012 nats, \
         the mean of many by far less. What is less likely than e^-16 counts for nothing, and the original's perplexity is a \
         lower bound."
    )
}

fn meant(args: EvaluateArgs) -> Result<EvaluationSpec, Failure> {
    let file = [("--base-logits", &args.base_logits), ("--save-base-logits", &args.save_base_logits)];
    let file = file.into_iter().find(|(_, path)| path.is_some()).map(|(option, _)| option);
    let counting = match (args.score, file) {
        (Some(Counting::All), Some(option)) => {
            let message =
                format!("--score all cannot be used with {option}, whose file holds the second half of chunks");
            return Err(Failure::new(Class::InvalidArguments, message).suggest("Leave --score out"));
        }
        (Some(counting), _) => counting,
        (None, Some(_)) => Counting::SecondHalf,
        (None, None) => Counting::All,
    };
    Ok(EvaluationSpec {
        model: args.model,
        against: args.against,
        base_logits: args.base_logits,
        save_base_logits: args.save_base_logits,
        data: args.data,
        calibration_data: args.calibration_data,
        tokenizer: args.tokenizer,
        context: args.context.map(|context| context as usize),
        chunks: args.chunks.map(|chunks| chunks as usize),
        counting,
        by_layer: args.by_layer,
        threads: args.threads.map(|threads| threads as usize),
        memory_limit: args.memory_limit,
    })
}
