//! From norms and linear layers to groups in the interface's words, where those can say them.

use super::SmoothingKind;
use llmq_forward::{Linear, Norm, Storage, Vector};
use llmq_plugin_api::wire::{Consumer, Producer, SmoothingGroup, TensorDescription};

/// The groups so far.
pub(super) struct Drafts<'a> {
    pub tensors: &'a [TensorDescription],
    pub groups: Vec<SmoothingGroup>,
}

/// Which outputs of a matrix are the channels.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub first: usize,
    pub run: usize,
    pub stride: usize,
}

impl Rows {
    /// `count` rows behind each other.
    pub fn from(first: usize, count: usize) -> Rows {
        Rows { first, run: count, stride: count }
    }

    /// The row of the last channel.
    fn last(self, channels: usize) -> Option<usize> {
        let last = channels.checked_sub(1).filter(|_| self.run > 0)?;
        Some(self.first + last / self.run * self.stride + last % self.run)
    }

    fn producer(self, tensor: usize, expert: Option<u32>, offset: f64) -> Producer {
        let (first_row, run, stride) = (self.first as u64, self.run as u64, self.stride as u64);
        Producer { tensor: tensor as u32, expert, first_row, run, stride, offset }
    }
}

impl Drafts<'_> {
    /// A norm and everything that reads it.
    pub fn norm(&mut self, norm: &Norm, readers: &[&Linear], caution: &str) {
        // Without factors there is nothing to divide.
        let [weight] = norm.weight[..] else { return };
        let channels = weight.length;
        if norm.bias.is_some_and(|bias| bias.length != channels) {
            return;
        }
        let all = Rows::from(0, channels);
        let mut producers = vec![all.producer(weight.tensor, None, f64::from(norm.offset))];
        producers.extend(norm.bias.map(|bias| all.producer(bias.tensor, None, 0.0)));
        let consumers = readers.iter().map(|linear| self.consumer(linear, channels, (channels, 1)));
        let Some(consumers) = consumers.collect() else { return };
        self.add(SmoothingKind::Norm, channels, producers, consumers, caution);
    }

    /// Outputs of a matrix and the one matrix that reads them, `repeats` times each `run`.
    pub fn rows(
        &mut self,
        kind: SmoothingKind,
        (linear, rows, channels): (&Linear, Rows, usize),
        (reader, run, repeats): (&Linear, usize, usize),
    ) {
        let Some(consumer) = self.consumer(reader, channels, (run, repeats)) else { return };
        if linear.storage != Storage::OutputRows || rows.last(channels).is_none_or(|last| last >= linear.outputs) {
            return;
        }
        let mut producers = vec![rows.producer(linear.weight, self.expert(linear), 0.0)];
        producers.extend(linear.bias.map(|bias| rows.producer(bias.tensor, self.expert_of_bias(bias), 0.0)));
        self.add(kind, channels, producers, vec![consumer], "");
    }

    fn consumer(&self, linear: &Linear, channels: usize, (run, repeats): (usize, usize)) -> Option<Consumer> {
        let fits = linear.storage == Storage::OutputRows && linear.inputs == channels * repeats;
        let (run, repeats) = (run as u64, repeats as u64);
        fits.then(|| Consumer { tensor: linear.weight as u32, expert: self.expert(linear), run, repeats })
    }

    /// The expert whose matrix it is, in a tensor that holds several.
    fn expert(&self, linear: &Linear) -> Option<u32> {
        let several = self.tensors[linear.weight].shape.len() > 2;
        several.then(|| (linear.first_row / linear.outputs.max(1) as u64) as u32)
    }

    fn expert_of_bias(&self, bias: Vector) -> Option<u32> {
        (self.tensors[bias.tensor].shape.len() > 1).then_some(bias.row as u32)
    }

    fn add(
        &mut self,
        kind: SmoothingKind,
        channels: usize,
        producers: Vec<Producer>,
        consumers: Vec<Consumer>,
        caution: &str,
    ) {
        let tensors = || producers.iter().map(|p| p.tensor).chain(consumers.iter().map(|c| c.tensor));
        let Some(unit) = tensors().next().map(|first| self.tensors[first as usize].unit) else { return };
        if channels == 0 || tensors().any(|tensor| self.tensors[tensor as usize].unit != unit) {
            return;
        }
        let (name, channels, caution) = (self.name(&producers, &consumers), channels as u64, caution.to_owned());
        self.groups.push(SmoothingGroup { name, unit, channels, kind, producers, consumers, caution });
    }

    /// The layer's name, what lies in front, and what is behind, each name once: all experts say the same.
    fn name(&self, producers: &[Producer], consumers: &[Consumer]) -> String {
        let (layer, front) = self.split(producers[0].tensor);
        let mut behind: Vec<&str> = Vec::new();
        for consumer in consumers {
            let name = self.split(consumer.tensor).1.rsplit('.').next().unwrap_or_default();
            if !behind.contains(&name) {
                behind.push(name);
            }
        }
        let expert = producers[0].expert.map_or_else(String::new, |expert| format!(" of expert {expert}"));
        format!("{layer}: {front}{expert} -> {}", behind.join(", "))
    }

    /// A tensor's name up to the number of its layer, and behind it without its part.
    fn split(&self, tensor: u32) -> (&str, &str) {
        let tensor = &self.tensors[tensor as usize];
        let name = tensor.name.as_str();
        let bare = name.strip_suffix(&format!(".{}", tensor.part)).unwrap_or(name);
        let Some(layer) = tensor.layer else { return ("", bare) };
        let number = format!(".{layer}.");
        bare.find(&number).map_or(("", bare), |at| (&bare[..at + number.len() - 1], &bare[at + number.len()..]))
    }
}
