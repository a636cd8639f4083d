//! Tells how far a download is: a bar on a terminal, plain lines elsewhere.

use super::Screen;
use super::args::Verbosity;
use crate::report::number;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Without a terminal, a line comes at most this often (and always at the end).
const PLAIN_INTERVAL: Duration = Duration::from_secs(3);
/// On a terminal, the bar moves at most this often.
const BAR_INTERVAL: Duration = Duration::from_millis(100);

/// A download on the screen.
pub struct Transfer {
    started: Instant,
    /// Bytes that were there at the start: the pace is counted without them.
    before: u64,
    told: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Transfer {
    /// A download that begins with `bytes` already there.
    pub fn start(screen: &Screen, bytes: u64) -> Transfer {
        let bar = (screen.animated && screen.verbosity > Verbosity::Quiet).then(|| bar(screen.colour));
        screen.show(bar.clone());
        Transfer { started: Instant::now(), before: bytes, told: None, bar }
    }

    /// Tells where it is, unless it was told a moment ago.
    pub fn tell(&mut self, screen: &Screen, bytes: u64, total: u64) {
        let interval = if self.bar.is_some() { BAR_INTERVAL } else { PLAIN_INTERVAL };
        if bytes < total && self.told.is_some_and(|told| told.elapsed() < interval) {
            return;
        }
        self.told = Some(Instant::now());
        let (percent, tail) = (number::percent(bytes, total), self.tail(bytes, total));
        match &self.bar {
            Some(bar) => {
                bar.set_message(tail);
                bar.set_position(percent);
            }
            None => screen.step(&format!("Downloading {percent:>3}% {tail}")),
        }
    }

    /// Leaves the bar as it stands.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.abandon();
        }
    }

    fn tail(&self, bytes: u64, total: u64) -> String {
        let elapsed = self.started.elapsed();
        let new = bytes.saturating_sub(self.before);
        let left = match elapsed < Duration::from_secs(1) || bytes >= total {
            true => None,
            false => number::time_left(elapsed, new, total.saturating_sub(self.before)),
        };
        let left = left.map(|left| format!(", {} left", number::clock(left))).unwrap_or_default();
        let pace = (elapsed >= Duration::from_secs(1)).then(|| (new as f64 / elapsed.as_secs_f64()) as u64);
        let pace = pace.map(|pace| format!(", {}/s", number::bytes(pace))).unwrap_or_default();
        let (bytes, total) = (number::bytes(bytes), number::bytes(total));
        format!("{bytes} of {total} [{} elapsed{left}{pace}]", number::clock(elapsed))
    }
}

fn bar(colour: bool) -> ProgressBar {
    let template = match colour {
        true => "Downloading {bar:20.cyan/dim} {percent:>3}% {msg}",
        false => "Downloading {bar:20} {percent:>3}% {msg}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
    bar.set_style(style.progress_chars("━━ "));
    bar
}
