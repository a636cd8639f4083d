//! `analyze`: a text through a model; statistics, an importance matrix and a report come out.

use super::args::analyze::AnalyzeArgs;
use super::report_file::ReportFile;
use super::signals::{Stopping, Watch};
use super::{Narrator, Screen, imatrix};
use crate::calibrate::{self, Calibrated, CalibrationSpec, calibrate, matrix, origin, read_text, settings};
use crate::cancel::Cancel;
use crate::failure::{Class, Failure};
use crate::identity::{model_identity, text_identity};
use crate::memory::Sampler;
use crate::pass::{Services, Subject};
use crate::plugins::{Catalogue, Search, discover};
use crate::statistics::{Readers, write};
use crate::stored;
use crate::threads::pool;
use llmq_measure::report::{AnalysisReport, Document};
use llmq_plugin_api::client::Loaded;
use llmq_text::Samples;
use std::path::Path;
use std::sync::Arc;

/// Runs it.
pub fn run(args: AnalyzeArgs, search: &Search, screen: &Arc<Screen>) -> Result<(), Failure> {
    let page = args.report.as_deref().map(ReportFile::at).transpose()?;
    let catalogue = discover(search);
    let target =
        args.imatrix.as_deref().map(|path| target(&catalogue, path, args.imatrix_form.as_deref())).transpose()?;
    let sampler = Sampler::start();
    let cancel = Cancel::default();
    let resumable = if args.statistics.is_some() { Stopping::Gathering } else { Stopping::Whole };
    let _watch = Watch::start(&cancel, screen, resumable)?;
    let narrator = Narrator::new(Arc::clone(screen));

    screen.step(&format!("Loading model: {}", args.model.display()));
    let subject = Subject::new(stored::open(&args.model, "", &catalogue)?)?;
    let vocabulary = subject.network.embedding.vocab;
    let samples = read_text(&args.text.text(), &args.model, subject.weights(), vocabulary, &narrator, &cancel)?;
    let mut warnings: Vec<String> = subject.weights().notes().to_vec();
    warnings.extend(samples.report.warnings.iter().cloned());
    warnings.iter().for_each(|warning| screen.warning(warning));

    let spec = CalibrationSpec {
        settings: settings(args.gram, true),
        folder: args.statistics.clone(),
        memory_limit: args.memory_limit,
        peaks: true,
    };
    let pool = pool(args.threads.map(|threads| threads as usize))?;
    let services = Services { pool: &pool, cancel: &cancel, observer: &narrator };
    let calibrated = calibrate(&subject, &samples, &spec, &services)?;

    if let (Some((loaded, form)), Some(path)) = (&target, &args.imatrix) {
        let table =
            matrix(calibrated.importance.clone(), &subject.source, origin(&samples), loaded, args.process_output)?;
        table.warnings.iter().for_each(|warning| screen.warning(warning));
        let bytes = write(&table, &loaded.backend, form, path)?;
        screen.step(&format!(
            "Importance matrix written: {} ({} entries, {bytes} bytes)",
            path.display(),
            table.entries.len()
        ));
    }
    let found = calibrate::find_super_weights(&subject, &calibrated.peaks, &samples, args.super_weights, &services)?;
    let mut report = report(&subject, &calibrated, &samples, warnings, sampler.peaks().anonymous)?;
    (report.super_weights, report.super_weight_rounds) = (found.weights, found.rounds);
    report.down_projections = found.projections;
    if let Some(page) = page {
        page.write(&report)?;
    }
    screen.result(&report, || report.to_markdown())
}

/// The plugin that writes an importance matrix, and the form.
pub(super) fn target(
    catalogue: &Catalogue,
    path: &Path,
    typed: Option<&str>,
) -> Result<(Arc<Loaded>, String), Failure> {
    let mut readers = Readers::new(catalogue, None);
    let writes = |loaded: &&Arc<Loaded>| loaded.backend.statistics_forms().is_ok_and(|forms| !forms.is_empty());
    let Some(loaded) = readers.all().iter().find(writes).cloned() else {
        let message = "no installed plugin writes importance matrices";
        return Err(Failure::new(Class::InvalidArguments, message).suggest("Install the gguf plugin"));
    };
    let form = imatrix::form(&loaded, typed, path)?;
    Ok((loaded, form))
}

fn report(
    subject: &Subject,
    calibrated: &Calibrated,
    samples: &Samples,
    warnings: Vec<String>,
    peak: u64,
) -> Result<AnalysisReport, Failure> {
    let tool = format!("llm-quantize {}", env!("CARGO_PKG_VERSION"));
    let (model, text) = (model_identity(subject.weights())?, text_identity(&samples.report));
    let figures = calibrate::tensor_figures(&subject.weights().description().tensors, calibrated);
    let mut report = AnalysisReport::new(&tool, model, text, samples.report.samples, samples.seqlen, figures);
    report.outliers = calibrate::outliers(calibrated)?;
    report.experts = calibrate::experts(calibrated, samples.tokens.len() as u64);
    report.peak_memory_bytes = Some(peak);
    report.warnings = warnings;
    Ok(report)
}
