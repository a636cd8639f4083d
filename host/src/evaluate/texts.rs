//! The text of an evaluation: read, tokenized, cut, and told apart from what the model was calibrated on.

use super::{EvaluationSpec, StoredOriginal};
use crate::failure::{Class, Failure};
use llmq_measure::Counting;
use llmq_text::{Form, Heads, Packing, Samples, TextError, TextFile, TextOptions, Tokenizer};
use std::path::Path;

/// Opens the tokenizer of an evaluation: the one named, else the original's, else the model's.
pub fn open_tokenizer(spec: &EvaluationSpec) -> Result<Tokenizer, Failure> {
    let candidates = [spec.tokenizer.as_ref(), spec.against.as_ref(), Some(&spec.model)];
    let has_one = |path: &Path| path.is_dir() && path.join("tokenizer.json").is_file();
    let Some(folder) = candidates.into_iter().flatten().find(|path| has_one(path)) else {
        let message = "no tokenizer.json was found beside the model or the original";
        let hint = "Name a folder that has one with --tokenizer DIR, for example the model's Hugging Face folder";
        return Err(Failure::new(Class::InvalidArguments, message).suggest(hint));
    };
    Tokenizer::from_folder(folder).map_err(refused)
}

/// Reads and cuts the text: the typed one, or the one that `stored` brings along; both must be the same. `rows` is the
/// number of tokens that the model knows.
pub fn read(
    spec: &EvaluationSpec,
    tokenizer: &Tokenizer,
    rows: usize,
    stored: Option<&StoredOriginal>,
) -> Result<Samples, Failure> {
    let refuse = |message: String, hint: &str| Failure::new(Class::InvalidArguments, message).suggest(hint);
    if let Some(stored) = stored {
        stored.same_vocabulary(rows)?;
        let own = stored.header().context as usize;
        if let Some(typed) = spec.context.filter(|typed| *typed != own) {
            let message = format!("`{}` was made with chunks of {own} tokens, not {typed}", stored.name());
            return Err(refuse(message, "Leave --context out"));
        }
    }
    let context = stored.map(|stored| stored.header().context as usize).or(spec.context);
    let context = context.unwrap_or(EvaluationSpec::CONTEXT);
    let (data, stored) = match (&spec.data, stored) {
        (Some(data), stored) => (data, stored),
        (None, Some(stored)) if spec.calibration_data.is_empty() => return Ok(stored.samples(spec, tokenizer)),
        (None, Some(_)) => {
            let message = "a file of log-probabilities holds tokens, not the text that --calibration-data asks about";
            return Err(refuse(message.to_owned(), "Name the text with --data"));
        }
        (None, None) => return Err(refuse("no text to evaluate on was named".to_owned(), "Name one with --data FILE")),
    };
    let heads = match spec.counting {
        Counting::All => Heads::Stream,
        Counting::SecondHalf => Heads::LlamaCpp,
    };
    let most = stored.map(|stored| stored.header().chunks as usize);
    let chunks = [spec.chunks, most].into_iter().flatten().min();
    let packing = Packing { samples: chunks, heads, rows: u32::try_from(rows).ok(), ..Packing::new(context) };
    let file = TextFile::open(data, &TextOptions::default()).map_err(refused)?;
    let samples = llmq_text::samples(&[file], tokenizer, &packing).map_err(refused)?;
    if let Some(stored) = stored {
        stored.same_text(&samples)?;
        if Some(samples.report.samples) < chunks {
            let (found, own) = (samples.report.samples, stored.header().chunks);
            let message = format!("the text gives {found} chunks, `{}` has {own}: it is another text", stored.name());
            return Err(refuse(message, "Leave --data out: the file holds the text's tokens itself"));
        }
    }
    for path in &spec.calibration_data {
        // Whatever is in it: only its bytes are compared.
        let options = TextOptions { form: Some(Form::Plain), ..TextOptions::default() };
        let (_, digest) = TextFile::open(path, &options).and_then(|file| file.fingerprint()).map_err(refused)?;
        if let Some(same) = samples.report.files.iter().find(|file| file.sha256 == digest) {
            let message = format!(
                "`{}` holds the same text as `{}`: a model is not judged by the text that it was calibrated on",
                same.name,
                path.display()
            );
            return Err(Failure::new(Class::InvalidArguments, message).suggest("Evaluate on another text"));
        }
    }
    Ok(samples)
}

/// What is wrong with a text, in the host's words.
pub fn refused(error: TextError) -> Failure {
    let advice = error.advice();
    Failure::new(Class::InvalidArguments, error.to_string()).suggest(advice)
}
