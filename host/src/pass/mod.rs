//! Text through a model, layer by layer: one layer's weights are wanted at a time, hidden states of all samples are kept.
//!
//! Samples go through a layer in batches of whole samples, always the same ones, so that results depend neither on the
//! number of threads nor on whether hidden states lie in memory or in a file.

mod states;
mod until;

pub use states::{Room, States};

use crate::cancel::Cancel;
use crate::event::Observer as Listener;
use crate::failure::{Class, Failure};
use crate::job::{JobSource, Weights};
use crate::network::{SourceRows, network};
use llmq_forward::{Batch, Cpu, ForwardError, Network, Observer, Precision, Rows, embed, final_norm, run_layer};
use std::collections::BTreeMap;
use std::ops::Range;
use until::{Enough, Until};

/// Tokens of a batch, if samples are shorter. Half of what a layer's widest matrices hold at once is proportional to it:
/// 2048 tokens of a 7 G-weight model take 0.5 GB, and make products large enough to run at full speed.
const BATCH_TOKENS: usize = 2048;

/// The same for models whose layers are small: what one step of a layer writes is still in the second cache when the next
/// one reads it (a model 256 wide takes a tenth less time), and its weights need not be widened again.
const BATCH_TOKENS_OF_SMALL: usize = 512;

/// Weights up to which a layer is small.
const SMALL_LAYER: u64 = 4 << 20;

/// A model with what it computes.
pub struct Subject {
    /// Its numbers, as plugins see them.
    pub source: JobSource<'static>,
    /// What it computes.
    pub network: Network,
}

impl Subject {
    /// Works out what a model computes.
    pub fn new(weights: Box<dyn Weights>) -> Result<Subject, Failure> {
        let network = network(weights.description())?;
        Ok(Subject { source: JobSource::new(weights), network })
    }

    /// Its numbers.
    pub fn weights(&self) -> &dyn Weights {
        self.source.weights()
    }
}

/// What everything here works with.
#[derive(Clone, Copy)]
pub struct Services<'a> {
    /// Threads.
    pub pool: &'a rayon::ThreadPool,
    /// The wish to stop.
    pub cancel: &'a Cancel,
    /// Who is told.
    pub observer: &'a dyn Listener,
}

/// Samples of one length on their way through a model.
pub struct Pass<'a> {
    /// What is computed.
    pub network: &'a Network,
    /// Where the numbers come from.
    pub weights: &'a dyn Weights,
    /// Token ids, sample after sample.
    pub tokens: &'a [u32],
    /// Tokens of a sample.
    pub length: usize,
    /// Of products, where the processor has a choice.
    pub precision: Precision,
    /// Threads.
    pub pool: &'a rayon::ThreadPool,
    /// The wish to stop.
    pub cancel: &'a Cancel,
}

/// Who looks on, told where the pass is.
pub trait Watch: Observer {
    /// The rows that arrive from now on belong to these tokens, counted over all samples.
    fn batch(&mut self, tokens: Range<usize>);
}

impl Watch for llmq_forward::Nobody {
    fn batch(&mut self, _: Range<usize>) {}
}

impl<'a> Pass<'a> {
    /// Samples on their way through a model, at single precision.
    pub fn new(subject: &'a Subject, samples: &'a llmq_text::Samples, services: &Services<'a>) -> Pass<'a> {
        Pass {
            network: &subject.network,
            weights: subject.weights(),
            tokens: &samples.tokens,
            length: samples.seqlen,
            precision: Precision::Bits24,
            pool: services.pool,
            cancel: services.cancel,
        }
    }

    /// The same for a calibration, which looks at sums over many tokens: 16 bits are twice as many as the peers' models have.
    pub fn calibrating(subject: &'a Subject, samples: &'a llmq_text::Samples, services: &Services<'a>) -> Pass<'a> {
        Pass { precision: Precision::Bits16, ..Pass::new(subject, samples, services) }
    }

    /// Tokens of the batches, in order.
    pub fn batches(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let tokens = if self.small_layers() { BATCH_TOKENS_OF_SMALL } else { BATCH_TOKENS };
        let step = (tokens / self.length).max(1) * self.length;
        let end = self.tokens.len();
        (0..end).step_by(step).map(move |first| first..end.min(first + step))
    }

    /// Whether every layer has few weights.
    fn small_layers(&self) -> bool {
        let mut layers = BTreeMap::new();
        for tensor in &self.weights.description().tensors {
            if let Some(layer) = tensor.layer {
                let weights = layers.entry(layer).or_insert(0u64);
                *weights = weights.saturating_add(tensor.elements());
            }
        }
        layers.values().all(|weights| *weights <= SMALL_LAYER)
    }

    /// Rows of the first layer.
    pub fn embedded(&self, room: &Room) -> Result<States, Failure> {
        let mut states = States::new(self.tokens.len(), self.network.embedding.width, room)?;
        for batch in self.batches() {
            self.go_on()?;
            let tokens = &self.tokens[batch.clone()];
            let rows = embed(&self.network.embedding, tokens, self.length, &SourceRows(self.weights));
            states.write(batch.start, &rows.map_err(failure)?)?;
        }
        Ok(states)
    }

    /// Takes all samples through a layer.
    pub fn layer(&self, layer: usize, states: &mut States, watch: &mut (dyn Watch + Send)) -> Result<(), Failure> {
        let units = &self.weights.description().units;
        let unit = |layer: usize| units.iter().position(|unit| unit.layer == u32::try_from(layer).ok());
        unit(layer + 1).into_iter().for_each(|next| self.weights.will_need(next));
        let (device, rows) = (Cpu::new(self.precision), SourceRows(self.weights));
        for batch in self.batches() {
            let leaving = self.run(&device, layer, &rows, batch.clone(), states, watch)?.map_err(failure)?;
            states.write(batch.start, &leaving)?;
        }
        unit(layer).into_iter().for_each(|done| self.weights.done_with(done, false));
        Ok(())
    }

    /// What leaves a layer of the rows of one of the [`Self::batches`]; hidden states stay those in front of the layer.
    pub fn batch(
        &self,
        layer: usize,
        tokens: Range<usize>,
        states: &mut States,
        watch: &mut (dyn Watch + Send),
    ) -> Result<Rows, Failure> {
        let device = Cpu::new(self.precision);
        self.run(&device, layer, &SourceRows(self.weights), tokens, states, watch)?.map_err(failure)
    }

    /// Takes all samples through a layer for whoever watches, up to the linear layers of these tensors, whose weights are not
    /// asked for any more; hidden states stay those in front of the layer.
    pub fn look(
        &self,
        layer: usize,
        until: &[usize],
        states: &mut States,
        watch: &mut (dyn Watch + Send),
    ) -> Result<(), Failure> {
        let rows = Until { rows: SourceRows(self.weights), tensors: until };
        let device = Cpu::new(self.precision);
        for batch in self.batches() {
            match self.run(&device, layer, &rows, batch, states, watch)? {
                Ok(_) => {}
                Err(ForwardError::Weights(error)) if error.is::<Enough>() => {}
                Err(error) => return Err(failure(error)),
            }
        }
        Ok(())
    }

    /// One batch; the inner error is that of the forward pass.
    fn run(
        &self,
        device: &Cpu,
        layer: usize,
        weights: &dyn llmq_forward::Weights,
        tokens: Range<usize>,
        states: &mut States,
        watch: &mut (dyn Watch + Send),
    ) -> Result<Result<Rows, ForwardError>, Failure> {
        self.go_on()?;
        watch.batch(tokens.clone());
        let arriving = states.read(tokens.start, tokens.len())?;
        let batch = Batch { length: self.length, weights };
        Ok(self.pool.install(|| run_layer(device, &self.network.layers[layer], batch, arriving, watch)))
    }

    /// The norm behind the last layer.
    pub fn finished(&self, states: &mut States) -> Result<(), Failure> {
        let rows = SourceRows(self.weights);
        for batch in self.batches() {
            self.go_on()?;
            let arriving = states.read(batch.start, batch.len())?;
            let run = || final_norm(&Cpu::new(self.precision), self.network, arriving, &rows);
            states.write(batch.start, &self.pool.install(run).map_err(failure)?)?;
        }
        Ok(())
    }

    fn go_on(&self) -> Result<(), Failure> {
        match self.cancel.requested() {
            true => Err(Failure::new(Class::Interrupted, "Stopped")),
            false => Ok(()),
        }
    }
}

/// A stop of the forward pass in the host's words. What a tensor's reader said comes through as it was.
pub fn failure(error: ForwardError) -> Failure {
    match error {
        ForwardError::Weights(error) => match error.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(error) => Failure::new(Class::General, error.to_string()),
        },
        ForwardError::Token { .. } | ForwardError::Context { .. } => {
            Failure::new(Class::InvalidArguments, error.to_string())
                .suggest("Check that the tokenizer belongs to the model, and that samples fit into its context")
        }
        other => Failure::new(Class::General, other.to_string()),
    }
}
