//! Jobs that are killed while they work and gone on with: their files must be those of a job that never was.

use crate::{Program, Workdir};
use std::time::{Duration, Instant};

/// Files of a packed folder whose bytes are compared.
const FILES: [&str; 3] = ["model.safetensors", "config.json", "quantize_config.json"];

/// Runs a job called `whole` to its end, and others that are killed once so many units are journalled and then gone on with.
/// Insists on the same bytes; gives the number of units that were taken over in all.
pub fn units_taken_over(work: &Workdir, whole: &str, kills: &[usize], call: impl Fn(&str) -> Program) -> u64 {
    call(whole).succeed();
    let mut resumed = 0;
    for units in kills {
        let name = format!("{whole}-{units}");
        if killed_after(*units, work, call(&name), &name) {
            resumed += call(&name).succeed().json()["units"]["resumed"].as_u64().expect("a number of units");
        }
        for file in FILES {
            let of = |name: &str| std::fs::read(work.join(name).join(file)).expect("a file of the output");
            assert!(of(&name) == of(whole), "{whole}: {file} after a kill at {units} units");
        }
    }
    resumed
}

/// Killed when so many units are journalled; whether it was still at work then.
fn killed_after(units: usize, work: &Workdir, call: Program, name: &str) -> bool {
    let journal = work.join(".checkpoint").join(name).join("journal.jsonl");
    let mut child = call.start();
    let deadline = Instant::now() + Duration::from_secs(300);
    let finished = || std::fs::read(&journal).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
    loop {
        if child.try_wait().expect("a child of ours").is_some() {
            return false;
        }
        if finished() >= units || Instant::now() > deadline {
            child.kill().expect("a child of ours");
            return !child.wait().expect("a child of ours").success();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
