//! Tells a job's events on stderr: a bar on a terminal, plain lines elsewhere, nothing when quiet.

use super::Screen;
use super::args::Verbosity;
use super::transfer::Transfer;
use crate::event::{Event, Observer};
use crate::memory;
use crate::report::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Without a terminal, a progress line comes at most this often (and always for the last unit).
const PLAIN_INTERVAL: Duration = Duration::from_secs(3);

/// On a terminal, the bar moves at most this often.
const BAR_INTERVAL: Duration = Duration::from_millis(100);

/// An observer with a screen.
pub struct Narrator {
    screen: Arc<Screen>,
    work: Mutex<Option<Work>>,
    transfer: Mutex<Option<Transfer>>,
}

/// Work on units, from [`Event::Started`] to [`Event::Finished`].
struct Work {
    progress: Progress,
    started: Instant,
    told: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Narrator {
    /// A narrator for a screen.
    pub fn new(screen: Arc<Screen>) -> Narrator {
        Narrator { screen, work: Mutex::new(None), transfer: Mutex::new(None) }
    }

    fn start(&self, progress: Progress) {
        let bar = (self.screen.animated && self.screen.verbosity > Verbosity::Quiet)
            .then(|| bar(self.screen.colour, progress.verb));
        self.screen.show(bar.clone());
        let mut work = Work { progress, started: Instant::now(), told: None, bar };
        self.tell(&mut work, true);
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    }

    fn turn(&self, verb: &'static str) {
        self.change(|progress| progress.verb = verb, |_| false);
        if let Some(bar) =
            self.work.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|w| w.bar.as_ref())
        {
            bar.set_style(style(self.screen.colour, verb));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Progress), last: impl FnOnce(&Progress) -> bool) {
        if let Some(work) = &mut *self.work.lock().unwrap_or_else(PoisonError::into_inner) {
            change(&mut work.progress);
            let last = last(&work.progress);
            self.tell(work, last);
        }
    }

    fn tell(&self, work: &mut Work, always: bool) {
        let interval = if work.bar.is_some() { BAR_INTERVAL } else { PLAIN_INTERVAL };
        if !always && work.told.is_some_and(|told| told.elapsed() < interval) {
            return;
        }
        work.told = Some(Instant::now());
        let (elapsed, memory) = (work.started.elapsed(), memory::usage().anonymous);
        match &work.bar {
            Some(bar) => {
                bar.set_message(work.progress.tail(elapsed, memory));
                bar.set_position(work.progress.percent());
            }
            None => self.screen.step(&work.progress.line(elapsed, memory)),
        }
    }

    fn downloaded(&self, bytes: u64, total: u64) {
        let mut transfer = self.transfer.lock().unwrap_or_else(PoisonError::into_inner);
        transfer.get_or_insert_with(|| Transfer::start(&self.screen, bytes)).tell(&self.screen, bytes, total);
    }

    fn finish(&self) {
        let transfer = self.transfer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(transfer) = transfer {
            transfer.finish();
        }
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.screen.show(None);
        if let Some((work, bar)) = work.and_then(|mut work| work.bar.take().map(|bar| (work, bar))) {
            bar.set_message(work.progress.tail(work.started.elapsed(), memory::usage().anonymous));
            bar.set_position(work.progress.percent());
            bar.abandon();
        }
    }
}

impl Observer for Narrator {
    fn event(&self, event: Event) {
        match event {
            Event::Step(words) => self.screen.step(&words),
            Event::Started { verb, done, total, weights } => {
                self.start(Progress { verb, units: done, units_total: total, weights: 0, weights_total: weights });
            }
            Event::Turned { verb } => self.turn(verb),
            Event::Progress { weights } => self.change(|progress| progress.weights = weights, |_| false),
            Event::UnitDone { done, total, .. } => {
                self.change(|progress| (progress.units, progress.units_total) = (done, total), Progress::finished);
            }
            Event::Downloaded { bytes, total } => self.downloaded(bytes, total),
            Event::Finished => self.finish(),
            Event::Warning(words) => self.screen.warning(&words),
            Event::Detail(words) => self.screen.fact(Verbosity::Verbose, &words),
            Event::Debug(words) => self.screen.fact(Verbosity::Debug, &words),
        }
    }
}

impl Drop for Narrator {
    /// A failed job may not have said [`Event::Finished`]; the bar must not stay over the error.
    fn drop(&mut self) {
        self.finish();
    }
}

fn bar(colour: bool, verb: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
    bar.set_style(style(colour, verb));
    bar
}

fn style(colour: bool, verb: &str) -> ProgressStyle {
    let template = match colour {
        true => format!("{verb} {{bar:20.cyan/dim}} {{percent:>3}}% {{msg}}"),
        false => format!("{verb} {{bar:20}} {{percent:>3}}% {{msg}}"),
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━━ ")
}
