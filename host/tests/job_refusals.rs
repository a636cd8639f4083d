//! What cannot work is refused early, in its class, with a way out.

mod model_folder;
mod toy;

use llm_quantize::event::Silent;
use llm_quantize::failure::{Class, Failure};
use llm_quantize::job::{Disk, JobSpec, Storage};
use model_folder::Folder;
use serde_json::json;
use toy::backend::Toy;
use toy::disks::{Filling, Small};
use toy::{Place, run, run_with};

fn refused(change: impl Fn(&mut JobSpec)) -> Failure {
    let place = Place::new();
    let mut spec = place.spec();
    change(&mut spec);
    let failure = run(&spec).unwrap_err();
    assert!(!place.out().exists(), "{failure:?}");
    failure
}

#[test]
fn arguments_that_the_backend_does_not_know() {
    for (failure, message, suggestion) in [
        (
            refused(|s| s.level = "INT9".into()),
            "`INT9` is not",
            "Did you mean INT8? Valid levels: INT8, PLAIN, GRAM, ALL.",
        ),
        (refused(|s| s.level = "gram-alias".into()), "needs statistics (gram), and none were given", "INT8, PLAIN"),
        (refused(|s| s.format = "gguf".into()), "no format `gguf`", "toy, toydir, mute"),
        (refused(|s| s.format = "old".into()), "does not write it", "toy"),
        (refused(|s| s.device = "cuda:0".into()), "device `cuda:0`", "--device cpu"),
        (refused(|s| drop(s.options.insert("rounding".into(), json!("down")))), "one of nearest, up", ""),
        (refused(|s| drop(s.options.insert("roundin".into(), json!("up")))), "no option --roundin", "--rounding"),
        (refused(|s| s.threads = Some(0)), "0 threads", ""),
        (refused(|s| s.output_name = Some("../m".into())), "cannot be the name", "--output-dir"),
    ] {
        assert_eq!(failure.class, Class::InvalidArguments, "{failure:?}");
        assert!(failure.message.contains(message), "{message} in: {}", failure.message);
        assert!(failure.suggestion.contains(suggestion), "{suggestion} in: {}", failure.suggestion);
    }
}

#[test]
fn a_model_that_is_not_there() {
    let failure = refused(|s| s.model.push("nothing"));
    assert_eq!(failure.class, Class::ModelNotFound);
}

#[test]
fn an_output_folder_that_is_a_file_or_below_one() {
    for below in ["", "deep/er"] {
        let place = Place::new();
        std::fs::write(place.out(), "a file").unwrap();
        let failure = run(&JobSpec { output_dir: place.out().join(below), ..place.spec() }).unwrap_err();
        assert_eq!(failure.class, Class::InvalidArguments, "{failure:?}");
        assert!(failure.message.contains("not writable"), "{}", failure.message);
        assert_eq!(std::fs::read(place.out()).unwrap(), b"a file");
    }
    let place = Place::new();
    std::os::unix::fs::symlink("nowhere", place.out()).unwrap();
    assert_eq!(run(&place.spec()).unwrap_err().class, Class::InvalidArguments);
}

#[test]
fn a_link_under_the_working_name_is_not_followed() {
    let place = Place::new();
    std::fs::create_dir(place.out()).unwrap();
    let victim = place.root.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, place.partial()).unwrap();
    let failure = run(&place.spec()).unwrap_err();
    assert!(failure.message.contains("m.toy.partial"), "{}", failure.message);
    assert_eq!(std::fs::read(victim).unwrap(), b"precious");
}

#[test]
fn a_folder_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    std::fs::create_dir(place.out()).unwrap();
    std::fs::set_permissions(place.out(), PermissionsExt::from_mode(0o555)).unwrap();
    let result = run(&place.spec());
    std::fs::set_permissions(place.out(), PermissionsExt::from_mode(0o755)).unwrap();
    // The superuser may write everywhere: then there is nothing to refuse.
    match rustix::process::geteuid().is_root() {
        true => assert!(result.is_ok()),
        false => assert_eq!(result.unwrap_err().class, Class::InvalidArguments),
    }
}

#[test]
fn outputs_that_would_destroy_something() {
    let place = Place::new();
    std::fs::create_dir_all(place.file()).unwrap();
    let failure = run(&place.spec()).unwrap_err();
    assert!(failure.message.contains("is a folder, and the output is a file"), "{}", failure.message);

    let place = Place::new();
    let root = place.root.path().to_path_buf();
    let spec = JobSpec {
        format: "toydir".into(),
        output_dir: root,
        output_name: Some("model".into()),
        overwrite: true,
        ..place.spec()
    };
    let failure = run(&spec).unwrap_err();
    assert_eq!(failure.class, Class::InvalidArguments);
    assert!(failure.message.contains("replace the model"), "{}", failure.message);
    assert!(place.model().join("model.safetensors").exists());
}

#[test]
fn a_disk_too_small_is_refused_with_numbers_before_the_work() {
    let place = Place::new();
    let failure = run_with(&place.spec(), Toy::default(), &Small(1000), &Silent).unwrap_err();
    assert_eq!(failure.class, Class::General);
    assert!(failure.message.contains("more bytes, 1000 are free"), "{}", failure.message);
    assert!(!place.out().exists());
}

#[test]
fn a_disk_that_fills_up_meanwhile_is_told_with_numbers_and_resumed() {
    let whole = Place::new();
    let size = run(&whole.spec()).unwrap().file_size;
    let expected = std::fs::read(whole.file()).unwrap();
    for (left, claims) in [(size - 1, true), (size - 1000, false), (100, false)] {
        let place = Place::new();
        let disk: &dyn Storage = &Filling::with(left, claims);
        let failure = run_with(&place.spec(), Toy::default(), disk, &Silent).unwrap_err();
        let numbers = ["the disk is full", "bytes needed", "1099511627776 bytes free"];
        if failure.class == Class::General {
            assert!(numbers.iter().all(|n| failure.message.contains(n)), "{}", failure.message);
        } else {
            assert_eq!(failure.class, Class::Checkpoint, "the journal can be the one that finds no room: {failure:?}");
        }
        assert!(failure.suggestion.contains("--resume"), "{}", failure.suggestion);
        assert!(!place.file().exists());
        run(&place.spec()).unwrap();
        assert_eq!(std::fs::read(place.file()).unwrap(), expected);
    }
}

#[test]
fn a_limit_below_what_the_process_has_is_out_of_memory() {
    let failure = refused(|s| s.memory_limit = Some(1 << 20));
    assert_eq!(failure.class, Class::OutOfMemory);
    assert!(failure.message.contains("--memory-limit allows 1048576"), "{}", failure.message);
}

#[test]
fn a_weight_that_is_no_number_is_named_with_its_place() {
    for (value, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut model = Folder::llama();
        let name = "model.layers.1.self_attn.k_proj.weight";
        let bytes = &mut model.tensors.get_mut(name).unwrap().bytes;
        bytes[(2 * 8 + 5) * 4..][..4].copy_from_slice(&value.to_le_bytes());
        let place = Place::with(&model);
        let failure = run(&place.spec()).unwrap_err();
        assert_eq!(failure.class, Class::General);
        let expected = format!("tensor `{name}` is not usable: row 2, column 5 is {shown}");
        assert_eq!(failure.message, expected);
        assert_eq!(place.names(), Vec::<String>::new());
    }
}

#[test]
fn a_model_that_changes_meanwhile_gives_no_output() {
    let place = Place::new();
    let path = place.model().join("model.safetensors");
    let hook: toy::backend::Hook = std::sync::Arc::new(move |unit| {
        if unit == "head" {
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
    });
    let failure = run_with(&place.spec(), Toy { hook: Some(hook), ..Toy::default() }, &Disk, &Silent).unwrap_err();
    assert!(failure.message.contains("changed while it was in use"), "{}", failure.message);
    assert_eq!(place.names(), Vec::<String>::new());
}
