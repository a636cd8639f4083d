//! What is gathered by default, and how much text is read.

use llmq_calibration::{Options, Settings};

/// Tokens of a sample.
pub const SEQLEN: usize = 512;

/// Most samples.
pub const SAMPLES: usize = 256;

/// Real rows that are kept of every feed, and of every expert's.
const ROWS: (usize, usize) = (256, 32);

/// Sums and ranges, with Gram matrices and real rows if they are wanted.
pub fn settings(gram: bool, rows: bool) -> Settings {
    let kept = if rows { ROWS } else { (0, 0) };
    Settings {
        dense: Options { gram, samples: kept.0 },
        experts: Options { gram, samples: kept.1 },
        gram_width: Default::default(),
    }
}
