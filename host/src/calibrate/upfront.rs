//! A calibration of a job's own: what is known before it runs, the run, and what came of it as the job wants it.

use super::{
    Calibrated, CalibrationSpec, Importance, Predicted, TextSpec, calibrate, matrix, origin, read_text, settings,
};
use crate::cancel::Cancel;
use crate::event::Observer;
use crate::failure::{Class, Failure};
use crate::job::{JobSource, Weights};
use crate::pass::{Services, Subject};
use crate::statistics::{GatheredFolder, Measured, Named};
use llmq_calibration::{Folder, FolderError, Settings};
use llmq_plugin_api::client::Loaded;
use llmq_plugin_api::sdk::StatisticKind;
use llmq_plugin_api::wire::SeenByLaterLayers;
use llmq_text::Samples;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// What formats record as the name of the file that the statistics are from: there is none.
pub const LABEL: &str = "calibrated by llm-quantize";

/// Opens a model under Hugging Face's names.
pub type Opener = Arc<dyn Fn(&Path) -> Result<Box<dyn Weights>, Failure> + Send + Sync>;

/// A calibration as it is meant.
#[derive(Clone)]
pub struct Upfront {
    /// Which text.
    pub text: TextSpec,
    /// What the level looks at; nothing else is gathered, but for what costs nothing.
    pub kinds: Vec<StatisticKind>,
    /// Opens the model once more, where the job has it in its own format's words.
    pub open: Opener,
    /// The plugin of the job.
    pub plugin: Arc<Loaded>,
    /// What the layers before are while a layer is calibrated. Only behind original ones the job begins with it; behind
    /// quantized ones it goes on in turn with quantizing.
    pub later_layers_see: SeenByLaterLayers,
}

impl fmt::Debug for Upfront {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upfront({:?}, {:?}, {:?})", self.text, self.kinds, self.later_layers_see)
    }
}

impl Upfront {
    /// Opens model and text. Everything that can be refused without running the model is refused here.
    ///
    /// # Errors
    /// Models without a described forward pass or a tokenizer, texts that are not usable.
    pub fn prepare(&self, model: &Path, observer: &dyn Observer, cancel: &Cancel) -> Result<Prepared, Failure> {
        let subject = (self.open)(model).and_then(Subject::new).map_err(|failure| Failure {
            message: format!("the model cannot be calibrated here: {}", failure.message),
            ..failure
        })?;
        let samples =
            read_text(&self.text, model, subject.weights(), subject.network.embedding.vocab, observer, cancel)?;
        Ok(Prepared { upfront: self.clone(), subject, samples })
    }

    /// What is gathered.
    fn settings(&self) -> Settings {
        settings(self.kinds.contains(&StatisticKind::Gram), self.kinds.contains(&StatisticKind::Samples))
    }

    /// Whether an importance matrix is all that the level looks at, in the words of a plugin that writes such files. The
    /// job then has exactly what it would have of the file, so the outcome is the same. No file is of quantized layers.
    pub fn is_matrix(&self) -> bool {
        self.later_layers_see.is_original()
            && self.kinds.iter().all(|kind| *kind == StatisticKind::SumSquares)
            && self.plugin.backend.statistics_forms().is_ok_and(|forms| !forms.is_empty())
    }
}

/// A calibration of a model that is open.
pub struct Prepared {
    upfront: Upfront,
    subject: Subject,
    samples: Samples,
}

impl Prepared {
    /// The model and what it computes.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The text as tokens.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// What is gathered.
    pub fn settings(&self) -> Settings {
        self.upfront.settings()
    }

    /// What the layers before are while a layer is calibrated.
    pub fn later_layers_see(&self) -> SeenByLaterLayers {
        self.upfront.later_layers_see
    }

    /// Checksum of everything that decides statistics behind quantized layers, but for the model and what quantizes it.
    pub fn checksum(&self) -> String {
        let samples = &self.samples;
        let cut = (samples.seqlen, samples.tokens.len());
        let words =
            format!("{} {cut:?} {:?} {}", samples.report.digest, self.settings(), self.later_layers_see().word());
        format!("{:032x}", xxh3_128(words.as_bytes()))
    }

    /// What the user should know of the text.
    pub fn warnings(&self) -> &[String] {
        &self.samples.report.warnings
    }

    /// Whether all that is gathered can stay in memory.
    pub fn is_small(&self) -> bool {
        self.upfront.is_matrix()
    }

    /// The statistics as far as they are known before: every linear layer that the pass goes through, all of them seen.
    pub fn predicted(&self, source: &JobSource<'_>) -> Result<Box<dyn Measured>, Failure> {
        if self.upfront.is_matrix() {
            let tensors = &self.subject.weights().description().tensors;
            return self.bound(&Importance::predicted(tensors, &self.subject.network), source);
        }
        if source.model().stored_as.is_some() {
            return Err(crate::statistics::read_as_stored("the statistics", source.model()));
        }
        let seen = self.later_layers_see();
        Ok(Box::new(Predicted::new(&self.subject, &self.samples, self.settings(), seen)))
    }

    /// Whether a folder that exists is one that this calibration can go on with; the sentence says why not.
    pub fn continues(&self, folder: &Path) -> Result<Option<String>, Failure> {
        let subject = super::layers::subject(&self.subject, &self.samples, self.upfront.settings())?;
        match Folder::resume(folder, subject) {
            Ok(_) => Ok(None),
            Err(error @ (FolderError::Differs { .. } | FolderError::Manifest { .. })) => Ok(Some(error.to_string())),
            Err(error) => Err(Failure::new(Class::Checkpoint, error.to_string())),
        }
    }

    /// Takes the text through the model. Goes on with what is in the folder, if there is one.
    pub fn gather(
        &self,
        folder: Option<&Path>,
        memory_limit: Option<u64>,
        services: &Services<'_>,
    ) -> Result<Calibrated, Failure> {
        let folder = folder.map(Path::to_owned);
        let spec = CalibrationSpec { settings: self.upfront.settings(), folder, memory_limit, peaks: false };
        calibrate(&self.subject, &self.samples, &spec, services)
    }

    /// What was gathered, by the tensors of a job's source.
    pub fn measured(
        &self,
        calibrated: &Calibrated,
        folder: Option<&Path>,
        source: &JobSource<'_>,
    ) -> Result<Box<dyn Measured>, Failure> {
        match folder.filter(|_| !self.upfront.is_matrix()) {
            Some(folder) => Ok(Box::new(GatheredFolder::open(folder)?.called(LABEL).bind(source.weights())?)),
            None => self.bound(&calibrated.importance, source),
        }
    }

    fn bound(&self, importance: &Importance, source: &JobSource<'_>) -> Result<Box<dyn Measured>, Failure> {
        let origin = origin(&self.samples);
        let mut table = matrix(importance.clone(), &self.subject.source, origin, &self.upfront.plugin, false)?;
        table.origin.files = vec![LABEL.to_owned()];
        let named = Named { table: Arc::new(table), reader: Arc::clone(&self.upfront.plugin) };
        Ok(Box::new(named.bind(source)?))
    }
}
