//! Trying again: which troubles pass by themselves, how long to wait for them, and when to give up.

use super::settings::Settings;
use crate::cancel::Cancel;
use crate::failure::{Class, Failure};
use std::time::{Duration, Instant};

/// Longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that asks for more patience than this gets none: the user should decide.
const LONGEST_WISH: Duration = Duration::from_secs(300);
/// How often a wait looks whether it was cancelled.
const TICK: Duration = Duration::from_millis(25);

/// Why a request did not get what it wanted.
#[derive(Debug)]
pub enum Trouble {
    /// It may go away: a busy server, a broken connection, silence.
    Passing {
        /// What happened, to go behind the name of what was fetched.
        what: String,
        /// How long the server wants to be left alone.
        wish: Option<Duration>,
    },
    /// It stays.
    Final(Failure),
}

impl Trouble {
    /// A trouble that may go away.
    pub fn passing(what: impl Into<String>) -> Trouble {
        Trouble::Passing { what: what.into(), wish: None }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Final(failure)
    }
}

/// Counts the attempts of one undertaking.
pub struct Patience<'a> {
    settings: &'a Settings,
    cancel: &'a Cancel,
    failed: u32,
}

impl<'a> Patience<'a> {
    /// Full patience.
    pub fn new(settings: &'a Settings, cancel: &'a Cancel) -> Patience<'a> {
        Patience { settings, cancel, failed: 0 }
    }

    /// There was progress: earlier troubles no longer count.
    pub fn renew(&mut self) {
        self.failed = 0;
    }

    /// Waits for the next attempt at `what`, or gives up.
    pub fn bear(&mut self, what: &str, trouble: Trouble) -> Result<(), Failure> {
        let (happened, wish) = match trouble {
            Trouble::Passing { what, wish } => (what, wish),
            Trouble::Final(failure) => return Err(failure),
        };
        self.failed += 1;
        let give_up = |reason: String| {
            Err(Failure::new(Class::General, format!("{what}: {happened}; {reason}")).suggest(
                "Try again later: a download goes on where it stopped. HF_HUB_OFFLINE=1 uses what the cache holds, \
                 HF_ENDPOINT names another server",
            ))
        };
        if self.failed >= self.settings.attempts {
            return give_up(format!("given up after {} attempts without progress", self.failed));
        }
        if let Some(wish) = wish.filter(|wish| *wish > LONGEST_WISH) {
            return give_up(format!("the server asks to wait {} seconds", wish.as_secs()));
        }
        let own = self.settings.backoff.saturating_mul(1 << (self.failed - 1).min(16)).min(LONGEST_PAUSE);
        let pause = wish.unwrap_or(own).max(own);
        tracing::info!("{what}: {happened}; attempt {} in {:.1} s", self.failed + 1, pause.as_secs_f64());
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.cancel.requested() {
                return Err(stopped());
            }
            std::thread::sleep(left.min(TICK));
        }
        Ok(())
    }
}

/// The user stopped a download.
pub fn stopped() -> Failure {
    Failure::new(Class::Interrupted, "Stopped while downloading; what has arrived is kept")
        .suggest("The same command goes on from there")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(attempts: &str) -> Settings {
        let set = [("HOME", "/me"), ("LLM_QUANTIZE_HUB_ATTEMPTS", attempts), ("LLM_QUANTIZE_HUB_BACKOFF", "0.001")];
        Settings::read(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())).unwrap()
    }

    #[test]
    fn progress_renews_patience_and_a_long_wish_ends_it() {
        let (settings, cancel) = (settings("3"), Cancel::default());
        let mut patience = Patience::new(&settings, &cancel);
        for _ in 0..2 {
            patience.bear("x", Trouble::passing("busy")).unwrap();
            patience.bear("x", Trouble::passing("busy")).unwrap();
            patience.renew();
        }
        patience.bear("x", Trouble::passing("busy")).unwrap();
        patience.bear("x", Trouble::passing("busy")).unwrap();
        let end = patience.bear("x", Trouble::passing("busy")).unwrap_err();
        assert_eq!(end.message, "x: busy; given up after 3 attempts without progress");
        let long = Trouble::Passing { what: "busy".into(), wish: Some(Duration::from_secs(4000)) };
        let end = Patience::new(&settings, &cancel).bear("x", long).unwrap_err();
        assert_eq!(end.message, "x: busy; the server asks to wait 4000 seconds");
    }

    #[test]
    fn a_wait_ends_when_the_user_stops_it() {
        let (settings, cancel) = (settings("3"), Cancel::default());
        cancel.request();
        let wish = Trouble::Passing { what: "busy".into(), wish: Some(Duration::from_secs(200)) };
        assert_eq!(Patience::new(&settings, &cancel).bear("x", wish).unwrap_err().class, Class::Interrupted);
    }
}
