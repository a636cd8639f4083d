//! A plugin that misbehaves ends the job with a clear sentence and leaves nothing behind.

mod model_folder;
mod toy;

use llm_quantize::event::Silent;
use llm_quantize::failure::{Class, Failure};
use llm_quantize::job::{Disk, JobSpec};
use toy::backend::{Fault, Toy};
use toy::{Place, run_with};

fn fails(fault: Fault, class: Class, words: &[&str]) -> (Place, Failure) {
    let place = Place::new();
    let failure = run_with(&place.spec(), Toy::faulty(fault), &Disk, &Silent).unwrap_err();
    assert_eq!(failure.class, class, "{fault:?}: {failure:?}");
    for word in words {
        assert!(failure.message.contains(word), "{fault:?}: `{word}` in: {}", failure.message);
    }
    assert!(!place.file().exists(), "{fault:?}");
    (place, failure)
}

#[test]
fn faults_while_quantizing() {
    for (fault, words) in [
        (Fault::Panic, &["plugin `toy`", "unit `layer.1`", "toy panic"][..]),
        (Fault::PanicInLoop, &["unit `layer.1`", "toy panic in a loop"]),
        (Fault::Error, &["unit `layer.1`", "the toy refuses", "some tensor"]),
        (Fault::BeyondSlot, &["2 bytes at byte 31 of slot `toy/model.layers.1.input_layernorm.weight`"]),
        (Fault::BeyondSlotSilently, &["2 bytes at byte 18446744073709551615"]),
        (Fault::NoSuchSlot, &["slot 10000; the plan has 21"]),
        (Fault::OtherUnit, &["model.embed_tokens.weight`, which is not part of unit `layer.1`"]),
        (Fault::Twice, &["byte 0 of slot", "twice"]),
        (Fault::Gap, &["unfinished", "was never written"]),
        (Fault::BadFeedback, &["16 weights from row 11 of tensor 0"]),
    ] {
        let (place, _) = fails(fault, Class::General, words);
        assert_eq!(place.names(), Vec::<String>::new(), "{fault:?}");
    }
}

#[test]
fn a_refused_reservation_ends_the_job_resumably() {
    let place = Place::new();
    let spec = JobSpec { memory_limit: Some(1 << 40), ..place.spec() };
    // The machine of this test may have less than the limit: then the preflight refuses, in the same class.
    let failure = run_with(&spec, Toy::faulty(Fault::ReservesTooMuch), &Disk, &Silent).unwrap_err();
    assert_eq!(failure.class, Class::OutOfMemory);
    assert!(failure.message.contains("1152921504606846976 bytes"), "{}", failure.message);
    assert!(failure.suggestion.contains("--resume"));
    assert!(place.partial().exists() && !place.file().exists());
}

#[test]
fn unsound_plans_are_refused_before_the_disk_is_touched() {
    for (fault, class, word) in [
        (Fault::OverlappingPlan, Class::General, "overlap"),
        (Fault::NestedName, Class::General, "a/b.toy"),
        (Fault::NoFile, Class::General, "no output file"),
        (Fault::UndeclaredStatistics, Class::General, "were not offered"),
        (Fault::HugeScratch, Class::OutOfMemory, "not enough memory: the job needs 2305843009"),
    ] {
        let (place, _) = fails(fault, class, &[word]);
        assert!(!place.out().exists(), "{fault:?}");
    }
}

#[test]
fn wrong_weights_are_found_by_reading_back_and_kept_as_rejected() {
    let words = ["further from the source than level INT8 allows", "model.layers.1.", "in F32 has", "allowed 0.0010"];
    let (place, failure) = fails(Fault::WrongWeights, Class::ValidationFailed, &words);
    assert_eq!(place.names(), ["m.toy.rejected"]);
    assert!(failure.suggestion.contains(".rejected"));
    // A later good run is not disturbed by it.
    run_with(&place.spec(), Toy::default(), &Disk, &Silent).unwrap();
    assert_eq!(place.names(), ["m.toy", "m.toy.rejected"]);
}

#[test]
fn outputs_that_cannot_be_read_back_are_rejected() {
    fails(Fault::NotANumber, Class::ValidationFailed, &["further from the source", "NaN"]);
    fails(Fault::ForgetsTensor, Class::ValidationFailed, &["`lm_head.weight` is missing from the written output"]);
    fails(Fault::WrongHeader, Class::ValidationFailed, &["cannot be opened by the plugin's own reader: no magic"]);
}

#[test]
fn a_rejected_folder_replaces_an_earlier_rejected_one() {
    let place = Place::new();
    let spec = JobSpec { format: "toydir".into(), ..place.spec() };
    for _ in 0..2 {
        let failure = run_with(&spec, Toy::faulty(Fault::WrongWeights), &Disk, &Silent).unwrap_err();
        assert_eq!(failure.class.exit_code(), 6);
        assert_eq!(place.names(), ["m.rejected/config.json", "m.rejected/sub/weights.toy"]);
    }
}
