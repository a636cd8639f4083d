//! What a job tells while it runs. Rendering (terminal bar, plain lines, silence) is the command line's business.

/// One thing that happened. Texts carry no colour and no trailing period.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A step of the job began: `Loading model: x`, `Quantizing to GGUF Q4_K_M`, `Validating output...`.
    Step(String),
    /// Work on units began; `done` of `total` were already there from a resume. `weights` is the whole amount of work.
    Started {
        /// What is done, as a word in front of the bar: `Quantizing`.
        verb: &'static str,
        /// Units that need no work.
        done: usize,
        /// All units.
        total: usize,
        /// Weights still to be quantized.
        weights: u64,
    },
    /// Work on units goes on with something else for a while.
    Turned {
        /// What is done now, as a word in front of the bar: `Calibrating`.
        verb: &'static str,
    },
    /// Weights finished since [`Event::Started`], over all units.
    Progress {
        /// Finished so far.
        weights: u64,
    },
    /// A unit is safely on disk.
    UnitDone {
        /// Its id.
        id: String,
        /// Units finished, resumed ones included.
        done: usize,
        /// All units.
        total: usize,
    },
    /// A download moved on. Ends with [`Event::Finished`].
    Downloaded {
        /// Bytes that are there, those of earlier runs included.
        bytes: u64,
        /// All bytes.
        total: u64,
    },
    /// All units are done, or the job stopped: the bar goes away.
    Finished,
    /// Something odd that the user must see (not with `--verbosity quiet`).
    Warning(String),
    /// A fact for `--verbosity verbose`.
    Detail(String),
    /// A fact for `--verbosity debug`.
    Debug(String),
}

/// Receiver of events, called from any thread.
pub trait Observer: Send + Sync {
    /// Takes one event. Must be cheap: [`Event::Progress`] comes often.
    fn event(&self, event: Event);
}

/// An observer that hears nothing, for library use and tests.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event) {}
}
