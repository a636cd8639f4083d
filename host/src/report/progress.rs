//! How far a job is: figures only, no clock and no terminal, so that every line it writes can be tested.

use super::number;
use std::time::Duration;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Units on disk, resumed ones included.
    pub units: usize,
    /// All units.
    pub units_total: usize,
    /// Weights quantized since work began.
    pub weights: u64,
    /// Weights there were to quantize when work began.
    pub weights_total: u64,
}

impl Progress {
    /// Whole percent; 100 only when every unit is on disk.
    pub fn percent(&self) -> u64 {
        match self.finished() {
            true => 100,
            // All weights can be computed while the last unit is still on its way to the disk.
            false => number::percent(self.weights, self.weights_total).min(99),
        }
    }

    /// Whether every unit is on disk.
    pub fn finished(&self) -> bool {
        self.units >= self.units_total
    }

    /// Time left at the pace so far.
    pub fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        number::time_left(elapsed, self.weights, self.weights_total)
    }

    /// One line for a log: `Quantizing  37%  12/34 units  [0:45 elapsed, 1:12 left]`.
    pub fn line(&self, elapsed: Duration) -> String {
        format!("Quantizing {:>3}% {}", self.percent(), self.tail(elapsed))
    }

    /// What stands behind the percentage, in a log and behind the bar.
    pub fn tail(&self, elapsed: Duration) -> String {
        let elapsed_text = number::clock(elapsed);
        let times = match self.time_left(elapsed) {
            Some(left) if !self.finished() => format!("{elapsed_text} elapsed, {} left", number::clock(left)),
            _ => format!("{elapsed_text} elapsed"),
        };
        format!("{}/{} units [{times}]", self.units, self.units_total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_carry_percent_units_and_times() {
        let mut progress = Progress { units: 12, units_total: 34, weights: 0, weights_total: 1000 };
        let seconds = Duration::from_secs;
        assert_eq!(progress.line(seconds(0)), "Quantizing   0% 12/34 units [0:00 elapsed]");
        progress.weights = 250;
        assert_eq!(progress.line(seconds(30)), "Quantizing  25% 12/34 units [0:30 elapsed, 1:30 left]");
        progress.weights = 1000;
        assert_eq!(progress.line(seconds(120)), "Quantizing  99% 12/34 units [2:00 elapsed]");
        progress.units = 34;
        assert_eq!(progress.line(seconds(923)), "Quantizing 100% 34/34 units [15:23 elapsed]");
    }
}
