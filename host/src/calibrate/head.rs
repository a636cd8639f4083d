//! What arrives at the output head: hidden states behind the last norm.

use crate::failure::{Class, Failure};
use crate::pass::{Pass, States};
use llmq_calibration::{CollectError, Collector, Entry, Settings, Source};

/// Gathers the statistics of the output head from hidden states behind the last norm.
pub fn gather_head(pass: &Pass<'_>, states: &mut States, text: &str, settings: Settings) -> Result<Entry, Failure> {
    let head = &pass.weights.description().tensors[pass.network.head.linear.weight];
    let refused = |e: CollectError| Failure::new(Class::General, e.to_string());
    let columns = pass.network.embedding.width;
    let mut collector = Collector::new(text, "output_head", columns, None, settings.dense).map_err(refused)?;
    for batch in pass.batches() {
        let rows = states.read(batch.start, batch.len())?;
        let first = batch.start as u64;
        pass.pool.install(|| collector.update(&rows.values, first)).map_err(refused)?;
    }
    Ok(collector.finish(vec![Source::dense(head.name.clone())]))
}
