//! Real plugin files in every state that a file can be in: whole, cut, corrupted, foreign, renamed, exposed, crashed.

#![cfg(target_os = "linux")] // the files are ELF, the permissions those of Unix

use llm_quantize::check::{Outcome, check_file};
use llm_quantize::plugins::{Catalogue, Loader, Probed, Search, Status, discover_with};
use llmq_tests::{Workdir, example_plugin, program};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Bench {
    work: Workdir,
    loader: Loader,
}

impl Bench {
    fn new() -> Bench {
        let work = Workdir::new();
        let loader = Loader {
            probe_executable: Some(program::binary().to_owned()),
            cache_file: Some(work.join("cache/plugins.json")),
            ..Loader::default()
        };
        Bench { work, loader }
    }

    /// The example plugin, changed, as `folder/file`.
    fn put(&self, place: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
        let mut bytes = std::fs::read(example_plugin::int8()).unwrap();
        change(&mut bytes);
        let path = self.work.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // A new file, not new contents: the old one may be mapped into this process.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn catalogue(&self, folders: &[&str]) -> Catalogue {
        let plugin_dirs = folders.iter().map(|f| self.work.join(f)).collect();
        discover_with(&Search { plugin_dirs, allow_insecure: false, env: false }, &self.loader)
    }

    fn only_status(&self) -> Status {
        let catalogue = self.catalogue(&["a"]);
        assert_eq!(catalogue.entries.len(), 1);
        catalogue.entries[0].status.clone()
    }
}

/// Turns all machine code into undefined instructions; headers, symbols and the manifest stay.
fn spoil_code(bytes: &mut [u8]) {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let (table, count) = (word(32), usize::from(bytes[56]));
    let code = (0..count).map(|i| table + 56 * i).find(|at| bytes[*at] == 1 && bytes[at + 4] & 1 == 1);
    let at = code.expect("a library has an executable segment");
    let (start, length) = (word(at + 8), word(at + 32));
    let undefined: &[u8] = if cfg!(target_arch = "x86_64") { &[0x0f, 0x0b] } else { &[0, 0] };
    bytes[start..start + length].iter_mut().enumerate().for_each(|(i, b)| *b = undefined[i % 2]);
}

#[test]
fn a_sound_plugin_is_probed_once_and_loaded() {
    let bench = Bench::new();
    bench.put("a/libllmq_int8.so", |_| {});
    let catalogue = bench.catalogue(&["a"]);
    let entry = catalogue.for_format("int8", None).unwrap();
    let loaded = bench.loader.load(entry).unwrap();
    assert_eq!((loaded.id.as_str(), loaded.backend.descriptor().formats[0].id.as_str()), ("int8", "int8"));
    // The second time, no child is started: one that cannot be started does not matter.
    let childless = Loader { probe_executable: Some("/nonexistent".into()), ..bench.loader.clone() };
    assert!(childless.load(entry).is_ok());
    std::fs::write(bench.work.join("cache/plugins.json"), "{ damaged").unwrap();
    assert!(childless.load(entry).is_err());
    assert!(bench.loader.load(entry).is_ok());
}

#[test]
fn cut_files_are_found_without_loading_them() {
    let bench = Bench::new();
    let whole = std::fs::metadata(example_plugin::int8()).unwrap().len() as usize;
    for length in [0, 1, 64, 5000, whole / 2, whole - 1000, whole - 1] {
        bench.put("a/libllmq_int8.so", |bytes| bytes.truncate(length));
        assert!(
            matches!(bench.only_status(), Status::Broken(_)),
            "{length} of {whole} bytes: {:?}",
            bench.only_status()
        );
    }
}

#[test]
fn a_plugin_that_crashes_does_so_in_the_child_and_is_remembered_until_it_changes() {
    let bench = Bench::new();
    bench.put("a/libllmq_int8.so", |bytes| spoil_code(bytes));
    assert_eq!(bench.only_status(), Status::Usable, "nothing but running it can tell");
    let catalogue = bench.catalogue(&["a"]);
    let failure = bench.loader.load(&catalogue.entries[0]).err().expect("it cannot be loaded");
    assert!(failure.message.contains("signal"), "{}", failure.message);
    assert!(matches!(bench.only_status(), Status::Crashed(reason) if reason.contains("signal")));
    let failure = bench.catalogue(&["a"]).for_format("int8", None).map(drop).expect_err("it is not offered any more");
    assert!(failure.message.contains("crashed"), "{}", failure.message);
    bench.put("a/libllmq_int8.so", |_| {});
    assert_eq!(bench.only_status(), Status::Usable);
}

#[test]
fn a_foreign_library_and_a_renamed_plugin_are_broken() {
    let bench = Bench::new();
    // Any shared library of ours that is no plugin: a procedural macro.
    let deps = std::fs::read_dir(program::binary().with_file_name("deps")).unwrap();
    let foreign = deps
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "so") && !p.to_string_lossy().contains("libllmq_"));
    let foreign = std::fs::read(foreign.expect("procedural macros were built")).unwrap();
    bench.put("a/libllmq_foreign.so", |bytes| *bytes = foreign);
    assert!(matches!(bench.only_status(), Status::Broken(reason) if reason.contains("no plugin manifest")));
    let bench = Bench::new();
    bench.put("a/libllmq_other.so", |_| {});
    assert!(matches!(bench.only_status(), Status::Broken(reason) if reason.contains("libllmq_int8.so")));
}

#[test]
fn a_manifest_that_differs_from_the_code_is_caught_at_loading() {
    let bench = Bench::new();
    bench.put("a/libllmq_int8.so", |bytes| {
        let text = b"\"version\":\"0.1.0\",\"api\"";
        let at = bytes.windows(text.len()).position(|w| w == text).expect("the manifest is in the file");
        bytes[at + 15] = b'9';
    });
    let catalogue = bench.catalogue(&["a"]);
    let failure = bench.loader.load(&catalogue.entries[0]).err().expect("refused");
    assert!(failure.message.contains("int8 0.1.9, and in its code that it is int8 0.1.0"), "{}", failure.message);
}

#[test]
fn an_exposed_folder_is_refused_by_the_program_with_its_cure_and_can_be_allowed() {
    let bench = Bench::new();
    let file = bench.put("a/libllmq_int8.so", |_| {});
    std::fs::set_permissions(file.parent().unwrap(), PermissionsExt::from_mode(0o777)).unwrap();
    let list = |more: &[&str]| {
        let words = ["--format", "json", "plugins", "list", "--plugin-dir", "a"];
        bench.work.program(words).args(more).succeed().stdout
    };
    let refused = list(&[]);
    assert!(refused.contains("untrusted") && refused.contains("chmod go-w"), "{refused}");
    let allowed = list(&["--allow-insecure-plugins"]);
    assert!(!allowed.contains("untrusted"), "{allowed}");
}

#[test]
fn two_files_of_one_plugin_and_a_disabled_one() {
    let bench = Bench::new();
    bench.put("a/libllmq_int8.so", |_| {});
    bench.put("b/libllmq_int8.so", |_| {});
    let states: Vec<&str> = bench.catalogue(&["a", "b"]).entries.iter().map(|e| e.status.word()).collect();
    assert_eq!(states, ["usable", "shadowed"]);
    let words = ["--format", "json", "plugins", "list", "--plugin-dir", "a"];
    let list = bench.work.program(words).env("LLM_QUANTIZE_DISABLE_PLUGINS", "gguf,int8").succeed().stdout;
    assert!(list.matches("disabled").count() >= 2, "{list}");
}

#[test]
fn a_probe_that_hangs_is_ended_and_not_remembered() {
    let bench = Bench::new();
    let file = bench.put("a/libllmq_int8.so", |_| {});
    let script = bench.work.join("sleeper");
    std::fs::write(&script, "#!/bin/sh\nexec sleep 60\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let impatient =
        Loader { probe_executable: Some(script), patience: Duration::from_millis(200), ..bench.loader.clone() };
    assert!(matches!(impatient.probe(&file), Ok(Probed::Hung { .. })));
    assert_eq!(bench.only_status(), Status::Usable);
}

fn checked(file: &Path) -> llm_quantize::check::Report {
    check_file(file, program::binary(), Duration::from_secs(600)).unwrap()
}

#[test]
fn the_example_plugin_passes_the_conformance_kit() {
    let report = checked(example_plugin::int8());
    let failures: Vec<_> = report.failures().collect();
    assert!(report.passed(), "{failures:#?}");
    assert!(report.count(Outcome::Pass) > 35, "only {} rules were tried", report.count(Outcome::Pass));
}

#[test]
fn a_plugin_that_crashes_fails_the_kit_and_the_program_goes_on() {
    let bench = Bench::new();
    let file = bench.put("a/libllmq_int8.so", |bytes| spoil_code(bytes));
    let report = checked(&file);
    assert!(!report.passed());
    let failure = report.failures().next().unwrap();
    assert!(failure.reason.contains("signal"), "{failure:?}");
}
