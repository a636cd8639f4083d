//! Killed anywhere and started again gives the same bytes, and another job never continues this one.

mod model_folder;
mod toy;

use llm_quantize::cancel::Cancel;
use llm_quantize::event::Silent;
use llm_quantize::failure::{Class, Failure};
use llm_quantize::job::{Checkpoints, Disk, JobSpec};
use model_folder::{Folder, ramp};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;
use toy::backend::Toy;
use toy::disks::{Death, Dying};
use toy::{Heard, Place, run, run_cancellable, run_with};

/// The bytes of a job that nobody disturbed.
fn undisturbed() -> Vec<u8> {
    let place = Place::new();
    run(&place.spec()).unwrap();
    std::fs::read(place.file()).unwrap()
}

/// Compares the output, without filling the screen with bytes.
fn same(place: &Place, expected: &[u8], when: &str) {
    let found = std::fs::read(place.file()).unwrap();
    let difference = found.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!((difference, found.len()), (None, expected.len()), "{when}");
}

/// The number of operations of a whole job.
fn operations() -> usize {
    let (place, disk) = (Place::new(), Dying::after(usize::MAX, Death::Killed));
    run_with(&place.spec(), Toy::default(), &disk, &Silent).unwrap();
    disk.done()
}

fn demanding(place: &Place) -> JobSpec {
    let resume = Some(place.checkpoint());
    JobSpec { checkpoints: Checkpoints::On { dir: None, resume }, ..place.spec() }
}

/// Runs until the disk dies and checks what remains.
fn die(place: &Place, operations: usize, death: Death) -> Failure {
    let failure = run_with(&place.spec(), Toy::default(), &Dying::after(operations, death), &Silent).unwrap_err();
    assert!(!place.file().exists(), "nothing may have the final name after {operations} operations");
    assert!(failure.suggestion.contains("--resume"), "{failure:?}");
    failure
}

#[test]
fn dying_after_every_single_operation_changes_nothing() {
    let expected = undisturbed();
    let mut resumed = 0;
    for count in 0..operations() {
        let death = [Death::Killed, Death::Torn, Death::PowerCut][count % 3];
        let place = Place::new();
        die(&place, count, death);
        let report = run(&demanding(&place)).unwrap();
        resumed += report.units.resumed;
        same(&place, &expected, &format!("after {count} operations, {death:?}"));
        assert_eq!(place.names(), ["m.toy"]);
    }
    assert!(resumed > operations(), "units were really taken over: {resumed}");
}

#[test]
fn dying_again_and_again_still_ends_with_the_same_bytes() {
    let (place, expected) = (Place::new(), undisturbed());
    let mut deaths = 0;
    for count in (0..operations()).step_by(7) {
        if run_with(&place.spec(), Toy::default(), &Dying::after(count, Death::PowerCut), &Silent).is_ok() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 3, "{deaths}");
    run(&place.spec()).unwrap();
    same(&place, &expected, "");
}

#[test]
fn a_plain_restart_of_the_same_job_continues_and_says_so() {
    let (place, heard) = (Place::new(), Heard::default());
    die(&place, operations() - 3, Death::Killed);
    let report = run_with(&place.spec(), Toy::default(), &Disk, &heard).unwrap();
    assert!(report.units.resumed >= 3, "{:?}", report.units);
    assert!(heard.has("Continuing an earlier run: "));
    assert_eq!(report.figures.len(), 4, "figures of resumed units are in the report as well");
}

#[test]
fn another_number_of_threads_continues() {
    let (place, expected) = (Place::new(), undisturbed());
    die(&place, operations() - 3, Death::Killed);
    let report = run(&JobSpec { threads: Some(5), ..demanding(&place) }).unwrap();
    assert!(report.units.resumed > 0);
    same(&place, &expected, "");
}

/// Demands to go on with a changed job: refused by name. Without the demand the job starts over, with a warning.
fn refuses(change: impl Fn(&Place, &mut JobSpec, &mut Toy), word: &str) {
    let place = Place::new();
    die(&place, operations() - 3, Death::Killed);
    let before = std::fs::read(place.partial()).unwrap();
    let (mut spec, mut toy) = (demanding(&place), Toy::default());
    change(&place, &mut spec, &mut toy);
    let failure = run_with(&spec, toy.clone(), &Disk, &Silent).unwrap_err();
    assert_eq!((failure.class, failure.class.exit_code()), (Class::Checkpoint, 7), "{failure:?}");
    assert!(failure.message.contains(word), "{word} in: {}", failure.message);
    assert_eq!(std::fs::read(place.partial()).unwrap(), before, "a refusal leaves everything as it is");
    spec.checkpoints = Checkpoints::default();
    let report = run_with(&spec, toy, &Disk, &Silent).unwrap();
    assert_eq!(report.units.resumed, 0);
    assert!(report.warnings.iter().any(|w| w.contains(word) && w.contains("replaced")), "{:?}", report.warnings);
}

#[test]
fn a_changed_option_is_named() {
    refuses(|_, spec, _| drop(spec.options.insert("rounding".into(), json!("up"))), "--rounding was `\"nearest\"`");
}

#[test]
fn a_changed_level_is_named() {
    refuses(|_, spec, _| spec.level = "PLAIN".into(), "level was `\"INT8\"` and is `\"PLAIN\"`");
}

#[test]
fn a_changed_plugin_version_is_named() {
    refuses(|_, _, toy| toy.version = "2.0.0".into(), "plugin version was `1.2.3` and is `2.0.0`");
}

#[test]
fn changed_weights_are_noticed() {
    let change = |place: &Place, _: &mut JobSpec, _: &mut Toy| {
        let mut model = Folder::llama();
        model.tensors.insert("model.norm.weight".into(), ramp("another start", &[8]));
        model.write(&place.model());
    };
    refuses(change, "the model files have other contents");
}

#[test]
fn a_rewritten_weight_file_is_noticed() {
    let change = |place: &Place, _: &mut JobSpec, _: &mut Toy| {
        let file = std::fs::File::options().write(true).open(place.model().join("model.safetensors")).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    };
    refuses(change, "weight files were modified");
}

#[test]
fn a_checkpoint_of_another_output_is_not_taken() {
    let place = Place::new();
    die(&place, operations() - 3, Death::Killed);
    let spec = JobSpec { output_name: Some("other".into()), ..demanding(&place) };
    let failure = run(&spec).unwrap_err();
    assert_eq!(failure.class, Class::Checkpoint);
    assert!(failure.message.contains("m.toy") && failure.message.contains("other.toy"), "{}", failure.message);
}

/// A checkpoint saved before the last moment and put back afterwards: what a kill right after the final name leaves.
fn killed_at_the_very_end(place: &Place, spec: &JobSpec) {
    let disk = Dying::after(operations() - 1, Death::Killed);
    run_with(spec, Toy::default(), &disk, &Silent).unwrap_err();
    let checkpoint = std::fs::read_dir(place.out().join(".checkpoint")).unwrap().next().unwrap().unwrap().path();
    let saved: Vec<_> = ["job.json", "journal.jsonl"].map(|n| (n, std::fs::read(checkpoint.join(n)).unwrap())).into();
    run(spec).unwrap();
    std::fs::create_dir_all(&checkpoint).unwrap();
    saved.into_iter().for_each(|(name, bytes)| std::fs::write(checkpoint.join(name), bytes).unwrap());
}

#[test]
fn killed_after_the_final_name_is_recognized_as_finished() {
    let (place, heard) = (Place::new(), Heard::default());
    killed_at_the_very_end(&place, &place.spec());
    let changed = std::fs::metadata(place.file()).unwrap().modified().unwrap();
    let report = run_with(&demanding(&place), Toy::default(), &Disk, &heard).unwrap();
    assert_eq!((report.units.resumed, report.validation_status), (4, "valid"));
    assert!(heard.has("had finished"), "{:?}", heard.events());
    assert_eq!(std::fs::metadata(place.file()).unwrap().modified().unwrap(), changed);
    assert_eq!(place.names(), ["m.toy"]);
}

#[test]
fn killed_while_removing_the_checkpoint_leaves_nothing_for_ever() {
    for left in ["job.json.new", "journal.jsonl"] {
        let place = Place::new();
        run(&place.spec()).unwrap();
        std::fs::create_dir_all(place.checkpoint()).unwrap();
        std::fs::write(place.checkpoint().join(left), "").unwrap();
        let blocked = JobSpec { memory_limit: Some(1), ..place.spec() };
        run(&blocked).unwrap_err();
        assert_eq!(place.names(), ["m.toy"], "cleaned up even if the job then ends at once");
        assert!(!place.out().join(".checkpoint").exists());
    }
}

#[test]
fn a_finished_folder_is_recognized_although_it_may_not_be_replaced() {
    let place = Place::new();
    let spec = JobSpec { format: "toydir".into(), ..place.spec() };
    let whole = Dying::after(usize::MAX, Death::Killed);
    run_with(&JobSpec { output_name: Some("other".into()), ..spec.clone() }, Toy::default(), &whole, &Silent).unwrap();
    run_with(&spec, Toy::default(), &Dying::after(whole.done() - 1, Death::Killed), &Silent).unwrap_err();
    // The last operation is the rename: done by hand, it leaves what a kill right after it leaves.
    std::fs::rename(place.out().join("m.partial"), place.out().join("m")).unwrap();
    assert_eq!(run(&spec).unwrap().units.resumed, 4);
    assert!(!place.out().join(".checkpoint").exists());
    assert_eq!(run(&spec).unwrap_err().class, Class::InvalidArguments);
}

#[test]
fn a_finished_output_that_was_changed_is_made_again() {
    let expected = undisturbed();
    for at in [0, 20, expected.len() - 150, expected.len() - 20] {
        let place = Place::new();
        killed_at_the_very_end(&place, &place.spec());
        let mut bytes = std::fs::read(place.file()).unwrap();
        bytes[at] ^= 1;
        std::fs::write(place.file(), bytes).unwrap();
        run(&demanding(&place)).unwrap();
        same(&place, &expected, &format!("byte {at}"));
    }
}

#[test]
fn a_demanded_checkpoint_that_is_nowhere_is_an_error() {
    let place = Place::new();
    let elsewhere = |path: &str| Checkpoints::On { dir: None, resume: Some(place.root.path().join(path)) };
    for path in ["nowhere", "model", "model/config.json"] {
        let failure = run(&JobSpec { checkpoints: elsewhere(path), ..place.spec() }).unwrap_err();
        assert_eq!(failure.class, Class::Checkpoint, "{path}");
        assert!(failure.message.contains("no checkpoint"), "{}", failure.message);
    }
    // The job's own place without a checkpoint means that the earlier run had nothing to keep yet.
    run(&demanding(&place)).unwrap();
}

#[test]
fn a_checkpoint_folder_of_the_users_choice_is_found_from_above_and_by_itself() {
    let expected = undisturbed();
    for below in ["", "m.toy"] {
        let place = Place::new();
        let dir = place.root.path().join("progress");
        let spec = JobSpec { checkpoints: Checkpoints::On { dir: Some(dir.clone()), resume: None }, ..place.spec() };
        let disk = Dying::after(operations() - 3, Death::Killed);
        run_with(&spec, Toy::default(), &disk, &Silent).unwrap_err();
        let resume = Some(dir.join(below));
        let report = run(&JobSpec { checkpoints: Checkpoints::On { dir: None, resume }, ..spec }).unwrap();
        assert!(report.units.resumed > 0);
        same(&place, &expected, "");
        assert!(!dir.join("m.toy").exists());
    }
}

#[test]
fn damaged_bytes_are_done_again() {
    let (place, expected) = (Place::new(), undisturbed());
    die(&place, operations() - 3, Death::Killed);
    let mut bytes = std::fs::read(place.partial()).unwrap();
    // Inside the last tensor: it has 144 bytes and is padded to 192.
    let at = bytes.len() - 150;
    bytes[at] ^= 0x40;
    std::fs::write(place.partial(), &bytes).unwrap();
    let heard = Heard::default();
    run_with(&demanding(&place), Toy::default(), &Disk, &heard).unwrap();
    assert!(heard.has("1 journalled units do not hold any more"), "{:?}", heard.events());
    same(&place, &expected, "");
}

#[test]
fn a_lost_shortened_or_lengthened_partial_file_is_mended() {
    let expected = undisturbed();
    for change in 0..4 {
        let place = Place::new();
        die(&place, operations() - 3, Death::Killed);
        let path = place.partial();
        let bytes = std::fs::read(&path).unwrap();
        match change {
            0 => std::fs::remove_file(&path).unwrap(),
            1 => std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
            2 => std::fs::write(&path, [&bytes[..], &[7; 1000]].concat()).unwrap(),
            _ => std::fs::write(&path, vec![0xff; bytes.len()]).unwrap(),
        }
        run(&demanding(&place)).unwrap();
        same(&place, &expected, &format!("change {change}"));
    }
}

#[test]
fn a_hostile_checkpoint_is_an_error_of_its_own_class() {
    for (name, text) in [
        ("job.json", "not json"),
        ("job.json", "{\"v\":1}"),
        ("journal.jsonl", "{}\n{}\n"),
        ("journal.jsonl", "{\"unit\":\"layer.9\",\"bytes\":1,\"xxh3\":\"0\",\"report\":{}}\n"),
    ] {
        let place = Place::new();
        die(&place, operations() - 3, Death::Killed);
        std::fs::write(place.checkpoint().join(name), text).unwrap();
        let failure = run(&demanding(&place)).unwrap_err();
        assert_eq!(failure.class, Class::Checkpoint, "{name}: {failure:?}");
        assert!(!failure.suggestion.is_empty());
    }
    let place = Place::new();
    die(&place, operations() - 3, Death::Killed);
    let path = place.checkpoint().join("job.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"v\": 1,", "\"v\": 2,");
    std::fs::write(&path, text).unwrap();
    assert!(run(&demanding(&place)).unwrap_err().message.contains("version 2"));
}

#[test]
fn a_stop_on_request_keeps_what_is_done() {
    let (place, expected, cancel) = (Place::new(), undisturbed(), Cancel::default());
    let stop = cancel.clone();
    let hook: toy::backend::Hook = Arc::new(move |unit| {
        if unit == "layer.1" {
            stop.request();
        }
    });
    let toy = Toy { hook: Some(hook), ..Toy::default() };
    let failure = run_cancellable(&place.spec(), toy, &Disk, &Silent, &cancel).unwrap_err();
    assert_eq!((failure.class, failure.message.as_str()), (Class::Interrupted, "stopped after 2 of 4 units"));
    assert!(failure.suggestion.contains(place.checkpoint().to_str().unwrap()), "{}", failure.suggestion);
    let report = run(&demanding(&place)).unwrap();
    assert_eq!(report.units.resumed, 2);
    same(&place, &expected, "");
}

#[test]
fn a_stop_without_checkpoints_leaves_nothing() {
    let (place, cancel) = (Place::new(), Cancel::default());
    cancel.request();
    let spec = JobSpec { checkpoints: Checkpoints::Off, ..place.spec() };
    let failure = run_cancellable(&spec, Toy::default(), &Disk, &Silent, &cancel).unwrap_err();
    assert_eq!(failure.class, Class::Interrupted);
    assert_eq!(place.names(), Vec::<String>::new());
}

#[test]
fn two_jobs_do_not_write_one_output() {
    let place = Place::new();
    let other = Arc::new(std::sync::Mutex::new(None));
    let (spec, seen) = (place.spec(), Arc::clone(&other));
    let hook: toy::backend::Hook = Arc::new(move |unit| {
        if unit == "layer.0" {
            *seen.lock().unwrap() = Some(run(&spec));
        }
    });
    run_with(&place.spec(), Toy { hook: Some(hook), ..Toy::default() }, &Disk, &Silent).unwrap();
    let failure = other.lock().unwrap().take().unwrap().unwrap_err();
    assert!(failure.message.contains("another job is writing"), "{}", failure.message);
}

#[test]
fn a_folder_output_is_resumed_as_well() {
    let whole = Place::new();
    let folder = |place: &Place| JobSpec { format: "toydir".into(), ..place.spec() };
    let disk = Dying::after(usize::MAX, Death::Killed);
    run_with(&folder(&whole), Toy::default(), &disk, &Silent).unwrap();
    let expected = std::fs::read(whole.out().join("m/sub/weights.toy")).unwrap();
    let mut resumed = 0;
    for count in (0..disk.done()).step_by(5) {
        let place = Place::new();
        run_with(&folder(&place), Toy::default(), &Dying::after(count, Death::PowerCut), &Silent).unwrap_err();
        assert!(!place.out().join("m").exists());
        resumed += run(&folder(&place)).unwrap().units.resumed;
        assert_eq!(place.names(), ["m/config.json", "m/sub/weights.toy"]);
        assert_eq!(std::fs::read(place.out().join("m/sub/weights.toy")).unwrap(), expected);
    }
    assert!(resumed > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_journal_content_can_harm(garbage in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..2000) {
        let place = Place::new();
        die(&place, operations() - 3, Death::Killed);
        let path = place.checkpoint().join("journal.jsonl");
        let mut journal = std::fs::read(&path).unwrap();
        let at = at.min(journal.len());
        let end = (at + garbage.len()).min(journal.len());
        journal.splice(at..end, garbage);
        std::fs::write(&path, journal).unwrap();
        match run(&demanding(&place)) {
            Ok(_) => prop_assert_eq!(std::fs::read(place.file()).unwrap(), undisturbed()),
            Err(failure) => prop_assert_eq!(failure.class, Class::Checkpoint),
        }
    }
}
