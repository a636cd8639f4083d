//! Folding in a job: a backend's scales for a unit, checked, folded, compared, and kept for whoever looks at the unit again.

use super::services::{JobServices, UnitServices};
use super::source::JobSource;
use super::stop::{self, Stop};
use crate::disk;
use crate::event::Event;
use crate::failure::{Class, Failure};
use crate::fold::{self, ALLOWED, Changes, Folded, Outcome, fault};
use crate::network::network;
use llmq_forward::Network;
use llmq_plugin_api::client::{Session, UnitInput};
use llmq_plugin_api::wire::{Fold, ModelDescription, UnitReport};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Longest text of one scale in a file of scales.
const SCALE_TEXT: u64 = 32;

/// Everything that the folding of a job needs.
pub struct Folding<'a> {
    session: &'a Session,
    source: &'a JobSource<'a>,
    services: &'a JobServices<'a>,
    plugin: &'a str,
    network: Network,
    /// Folder of the scales of finished units, where there are checkpoints.
    folder: Option<PathBuf>,
    /// What was folded so far: the output is compared with it in the end.
    done: Mutex<Changes>,
}

impl<'a> Folding<'a> {
    /// Of a plan that folds a model which has channels that may be scaled; `None` for all others.
    pub fn of(
        session: &'a Session,
        source: &'a JobSource<'a>,
        services: &'a JobServices<'a>,
        plugin: &'a str,
        folder: Option<PathBuf>,
    ) -> Result<Option<Folding<'a>>, Failure> {
        if !session.plan().folds || source.model().smoothing.is_empty() {
            return Ok(None);
        }
        let network = network(source.model())?;
        Ok(Some(Folding { session, source, services, plugin, network, folder, done: Mutex::default() }))
    }

    /// Asks the backend about a unit, folds what it says, and makes sure that the unit still computes the same. What the
    /// backend found is the second part.
    pub fn unit(&self, services: &UnitServices<'_>, input: &UnitInput<'_>) -> Result<(Changes, UnitReport), Stop> {
        let model = self.source.model();
        if model.smoothing.iter().all(|group| group.unit != input.index) {
            return Ok(Default::default());
        }
        let asked = self.session.fold(services, self.source, input);
        let folds = asked.map_err(|error| stop::backend(self.plugin, input.id, error))?;
        if let Some(fault) = fault(model, input.index, &folds.folds) {
            let message =
                format!("plugin `{}` gave scales for unit `{}` that cannot be folded: {fault}", self.plugin, input.id);
            let hint = "This is a defect of the plugin; please report it to its author.";
            return Err(Failure::new(Class::General, message).suggest(hint).into());
        }
        let changes = Changes::new(model, &folds.folds);
        if !changes.is_empty() {
            self.compare(input, &folds.folds, &changes)?;
        }
        self.keep(input.index, &folds.folds)?;
        Ok((changes, folds.report))
    }

    /// One batch through the layer as it was and as it is.
    fn compare(&self, input: &UnitInput<'_>, folds: &[Fold], changes: &Changes) -> Result<(), Stop> {
        let model = self.source.model();
        let number = model.units[input.index as usize].layer;
        // Groups lie in layers of the network: that is where they come from.
        let Some(layer) = number.and_then(|number| self.network.layers.get(number as usize)) else { return Ok(()) };
        let held = self.services.hold(fold::comparison_bytes(layer));
        let _held = held.map_err(|error| Stop::resumable(error.into()))?;
        let weights = self.source.weights();
        let width = self.network.embedding.width;
        let run = |changes: &Changes| -> Result<Outcome, Failure> {
            self.services.check_cancelled()?;
            self.services.pool().install(|| Outcome::of(layer, width, &Folded::new(weights, changes)))
        };
        let original = run(&Changes::default())?;
        let difference = original.difference(&run(changes)?);
        if difference <= ALLOWED {
            let words = format!("{}: with scales folded in, {difference:.1e} from what it computed before", input.id);
            self.services.tell(Event::Detail(words));
            return Ok(());
        }
        let mut guilty = None;
        for fold in folds {
            let alone = original.difference(&run(&Changes::new(model, std::slice::from_ref(fold)))?);
            if alone > ALLOWED {
                guilty = Some((fold.group, alone));
                break;
            }
        }
        let (what, difference) = match guilty {
            Some((group, alone)) => (format!("group `{}`", model.smoothing[group as usize].name), alone),
            None => ("its groups together".to_owned(), difference),
        };
        let message = format!(
            "folding the scales of {what} changes what unit `{}` computes: by {difference:.1e} of its size, {ALLOWED:.0e} \
             is allowed",
            input.id
        );
        let hint = "The host's list of channels that may be scaled is wrong for this model, or the scales are too extreme \
                    for single precision: leave this group out with the plugin's options, or use a level that scales \
                    nothing, and please report this with the model's name.";
        Err(Failure::new(Class::General, message).suggest(hint).into())
    }

    /// Bytes that the changes of a unit take.
    pub fn bytes_of(&self, unit: u32) -> u64 {
        let model = self.source.model();
        let groups = model.smoothing.iter().filter(|group| group.unit == unit);
        groups.map(|group| Changes::bytes(model, group)).fold(0, u64::saturating_add)
    }

    /// Everything that was folded; nothing is kept.
    pub fn take(&self) -> Changes {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The scales of a unit are durable before its journal line is.
    fn keep(&self, unit: u32, folds: &[Fold]) -> Result<(), Stop> {
        self.absorb(folds);
        let Some(folder) = &self.folder else { return Ok(()) };
        let write = || -> io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let (draft, path) = (folder.join(format!("{unit}.new")), folder.join(format!("{unit}.json")));
            let mut file = File::create(&draft)?;
            file.write_all(&serde_json::to_vec(folds)?)?;
            file.sync_all()?;
            std::fs::rename(draft, path)?;
            disk::sync_directory(folder)
        };
        write().map_err(|error| {
            let message = format!("cannot write the checkpoint folder `{}`: {error}", folder.display());
            let hint = "Choose another --checkpoint-dir, or go without with --no-checkpoints.";
            Stop::resumable(Failure::new(Class::Checkpoint, message).suggest(hint))
        })
    }

    /// Takes up the scales of a unit that an earlier run finished. Without them the unit is done again.
    pub fn take_up(&self, unit: u32) -> bool {
        let model = self.source.model();
        if model.smoothing.iter().all(|group| group.unit != unit) {
            return true;
        }
        let Some(folds) = self.read(model, unit) else { return false };
        let sound = fault(model, unit, &folds).is_none();
        if sound {
            self.absorb(&folds);
        }
        sound
    }

    fn read(&self, model: &ModelDescription, unit: u32) -> Option<Vec<Fold>> {
        let channels = model.smoothing.iter().filter(|group| group.unit == unit).map(|group| group.channels + 8);
        let most = channels.fold(0, u64::saturating_add).saturating_mul(SCALE_TEXT);
        let file = File::open(self.folder.as_ref()?.join(format!("{unit}.json"))).ok()?;
        let mut text = Vec::new();
        file.take(most + 1).read_to_end(&mut text).ok()?;
        (text.len() as u64 <= most).then(|| serde_json::from_slice(&text).ok()).flatten()
    }

    fn absorb(&self, folds: &[Fold]) {
        let changes = Changes::new(self.source.model(), folds);
        self.done.lock().unwrap_or_else(PoisonError::into_inner).absorb(changes);
    }
}

/// Bytes that changes of all groups take, by unit.
pub fn bytes(model: &ModelDescription) -> std::collections::BTreeMap<u32, u64> {
    let mut bytes = std::collections::BTreeMap::new();
    for group in &model.smoothing {
        let sum: &mut u64 = bytes.entry(group.unit).or_default();
        *sum = sum.saturating_add(Changes::bytes(model, group));
    }
    bytes
}

/// What is odd about folding this model, told before anything is computed.
pub fn warning(model: &ModelDescription) -> Option<String> {
    let reason = match network(model) {
        _ if !model.smoothing.is_empty() => return None,
        Ok(_) => "none of its channels may be".to_owned(),
        Err(failure) => failure.message,
    };
    Some(format!("no channels are scaled before quantization: {reason}"))
}
