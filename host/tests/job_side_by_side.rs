//! Units at work side by side: really at the same time, same bytes, and a failure of one ends the others.

mod model_folder;
mod toy;

use llm_quantize::event::Silent;
use llm_quantize::failure::Class;
use llm_quantize::job::Disk;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use toy::backend::{Fault, Toy};
use toy::disks::{Death, Dying};
use toy::{Place, run_with};

/// A place where units wait for each other.
#[derive(Default)]
struct Meeting {
    present: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Meeting {
    /// Comes in and waits until `others` are there too.
    fn wait_for(&self, id: &str, others: &[&str]) {
        let mut present = self.present.lock().unwrap();
        present.push(id.to_owned());
        self.changed.notify_all();
        while !others.iter().all(|other| present.iter().any(|p| p == other)) {
            let (guard, late) = self.changed.wait_timeout(present, Duration::from_secs(60)).unwrap();
            assert!(!late.timed_out(), "{id} waits for {others:?} in vain");
            present = guard;
        }
    }
}

#[test]
fn as_many_units_as_the_backend_allows_are_at_work_together_and_the_bytes_are_the_same() {
    let (alone, together) = (Place::new(), Place::new());
    run_with(&alone.spec(), Toy::default(), &Disk, &Silent).unwrap();
    let meeting = Arc::new(Meeting::default());
    let hook = move |id: &str| match id {
        "embeddings" | "layer.0" | "layer.1" => meeting.wait_for(id, &["embeddings", "layer.0", "layer.1"]),
        _ => {}
    };
    let toy = Toy { concurrent_units: 3, hook: Some(Arc::new(hook)), ..Toy::default() };
    run_with(&together.spec(), toy, &Disk, &Silent).unwrap();
    assert!(std::fs::read(alone.file()).unwrap() == std::fs::read(together.file()).unwrap());
}

#[test]
fn a_failing_unit_ends_the_others_and_is_the_one_that_is_named() {
    for fault in [Fault::Error, Fault::Panic, Fault::BeyondSlotSilently] {
        let place = Place::new();
        let toy = Toy { concurrent_units: 3, ..Toy::faulty(fault) };
        let failure = run_with(&place.spec(), toy, &Disk, &Silent).unwrap_err();
        assert_eq!(failure.class, Class::General, "{failure:?}");
        let named = ["`layer.1`", "model.layers.1."].iter().any(|name| failure.message.contains(name));
        assert!(named, "{fault:?}: {}", failure.message);
        assert_eq!(place.names(), Vec::<String>::new(), "{fault:?}");
    }
}

#[test]
fn dying_with_several_units_at_work_changes_nothing() {
    let whole = Place::new();
    let disk = Dying::after(usize::MAX, Death::Killed);
    let toy = || Toy { concurrent_units: 3, ..Toy::default() };
    run_with(&whole.spec(), toy(), &disk, &Silent).unwrap();
    let expected = std::fs::read(whole.file()).unwrap();
    for count in (0..disk.done()).step_by(3) {
        let place = Place::new();
        let death = [Death::Killed, Death::Torn, Death::PowerCut][count / 3 % 3];
        run_with(&place.spec(), toy(), &Dying::after(count, death), &Silent).unwrap_err();
        assert!(!place.file().exists(), "nothing may have the final name after {count} operations");
        run_with(&place.spec(), toy(), &Disk, &Silent).unwrap();
        assert!(std::fs::read(place.file()).unwrap() == expected, "died after {count} operations");
    }
}
