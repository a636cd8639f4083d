//! How far a job is: figures only, no clock and no terminal, so that every line it writes can be tested.

use super::number;
use std::time::Duration;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// What is done.
    pub verb: &'static str,
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

    /// Time left at the pace so far; unknown in the first second, when the pace is anything.
    pub fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        match elapsed < Duration::from_secs(1) || self.finished() {
            true => None,
            false => number::time_left(elapsed, self.weights, self.weights_total),
        }
    }

    /// One line for a log: `Quantizing  37% 12/34 units [0:45 elapsed, 1:12 left, 9.4 MB memory]`.
    pub fn line(&self, elapsed: Duration, memory: u64) -> String {
        format!("{} {:>3}% {}", self.verb, self.percent(), self.tail(elapsed, memory))
    }

    /// What stands behind the percentage, in a log and behind the bar. `memory` is the process's own, in bytes; 0 if
    /// the system does not tell.
    pub fn tail(&self, elapsed: Duration, memory: u64) -> String {
        let left = self.time_left(elapsed).map(|left| format!(", {} left", number::clock(left)));
        let memory = (memory > 0).then(|| format!(", {} memory", number::bytes(memory)));
        let (left, memory) = (left.unwrap_or_default(), memory.unwrap_or_default());
        format!("{}/{} units [{} elapsed{left}{memory}]", self.units, self.units_total, number::clock(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_carry_percent_units_times_and_memory() {
        let mut progress = Progress { verb: "Quantizing", units: 12, units_total: 34, weights: 0, weights_total: 1000 };
        let seconds = Duration::from_secs;
        assert_eq!(progress.line(seconds(0), 0), "Quantizing   0% 12/34 units [0:00 elapsed]");
        progress.weights = 250;
        assert_eq!(progress.line(Duration::from_millis(900), 0), "Quantizing  25% 12/34 units [0:00 elapsed]");
        let line = progress.line(seconds(30), 9_400_000);
        assert_eq!(line, "Quantizing  25% 12/34 units [0:30 elapsed, 1:30 left, 9.4 MB memory]");
        progress.weights = 1000;
        assert_eq!(progress.line(seconds(120), 0), "Quantizing  99% 12/34 units [2:00 elapsed]");
        progress.units = 34;
        assert_eq!(progress.line(seconds(923), 0), "Quantizing 100% 34/34 units [15:23 elapsed]");
    }
}
