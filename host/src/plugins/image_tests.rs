//! Files that are plugins, and every way of not being one.

use super::*;
use crate::plugins::fake_elf::{FakeElf, OURS, library, manifest};

fn judged(bytes: &[u8]) -> Result<wire::Manifest, ImageFault> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libllmq_x.so");
    std::fs::write(&path, bytes).unwrap();
    read_manifest(&path)
}

fn reason(bytes: &[u8]) -> String {
    match judged(bytes) {
        Err(ImageFault::Broken(reason)) => reason,
        other => panic!("expected a broken file, got {other:?}"),
    }
}

fn sound() -> Vec<u8> {
    library(&manifest("x", API_VERSION, &["x"]))
}

#[test]
fn the_manifest_of_a_library_is_read_without_running_it() {
    let manifest = judged(&sound()).unwrap();
    assert_eq!((manifest.id.as_str(), manifest.version.as_str()), ("x", "0.1.0"));
    assert_eq!(manifest.formats, ["x"]);
}

#[test]
fn text_and_empty_files_are_told_apart() {
    assert!(reason(b"").contains("empty"));
    let text = reason(b"#!/bin/sh\necho this is no library\n");
    assert!(text.contains("not a readable shared library"), "{text}");
}

#[test]
fn every_truncation_is_refused_before_the_loader_could_die_of_it() {
    let whole = sound();
    for length in 0..whole.len() {
        assert!(matches!(judged(&whole[..length]), Err(ImageFault::Broken(_))), "cut at {length} was accepted");
    }
}

#[test]
fn a_segment_beyond_the_end_is_a_truncation() {
    let mut bytes = sound();
    let promised = bytes.len() as u64 + 1;
    bytes[64 + 32..64 + 40].copy_from_slice(&promised.to_le_bytes()); // p_filesz
    let reason = reason(&bytes);
    assert!(reason.contains(&format!("promise {promised} bytes")), "{reason}");
}

#[test]
fn foreign_libraries_machines_and_kinds_are_refused_with_the_reason() {
    let bare = FakeElf { manifest: None, machine: OURS, kind: 3 }.bytes();
    assert!(reason(&bare).contains("holds no plugin manifest"));
    let text = manifest("x", API_VERSION, &["x"]);
    let alien = FakeElf { manifest: Some(text.as_bytes()), machine: 243, kind: 3 }.bytes();
    assert!(reason(&alien).contains("built for Riscv64"), "{}", reason(&alien));
    let relocatable = FakeElf { manifest: Some(text.as_bytes()), machine: OURS, kind: 1 }.bytes();
    assert!(reason(&relocatable).contains("not a shared library"));
    let mut mach = 0xfeed_facf_u32.to_le_bytes().to_vec(); // a Mach-O header without commands
    mach.extend([0x0100_0007_u32, 3, 6, 0, 0, 0, 0].iter().flat_map(|w| w.to_le_bytes()));
    if cfg!(target_os = "linux") {
        assert!(reason(&mach).contains("this system (linux) loads Elf files"), "{}", reason(&mach));
    }
}

#[test]
fn manifests_that_are_not_manifests_are_refused() {
    for (text, word) in [
        ("", "schema"),
        ("{", "schema"),
        (r#"{"v":1,"id":"x"}"#, "missing field"),
        (r#"{"v":1,"id":"X y","version":"1","api":"1.0.0","formats":["x"]}"#, "cannot be an id"),
        (r#"{"v":1,"id":"x","version":"1","api":"1.0.0","formats":["../x"]}"#, "cannot be an id"),
        (r#"{"v":1,"id":"x","version":"1","api":"1.0.0","formats":[]}"#, "no format"),
        (r#"{"v":1,"id":"x","version":"1","api":"one","formats":["x"]}"#, "interface version `one`"),
        (r#"{"v":1,"id":"x","version":"1","api":"1.0","formats":["x"]}"#, "interface version `1.0`"),
    ] {
        let reason = reason(&library(text));
        assert!(reason.contains(word), "{text}: {reason}");
    }
    let binary = FakeElf { manifest: Some(b"\xff\xfe"), machine: OURS, kind: 3 }.bytes();
    assert!(reason(&binary).contains("UTF-8"));
    let long = library(&format!("{}{}", manifest("x", API_VERSION, &["x"]), " ".repeat(70_000)));
    assert!(reason(&long).contains("at most 65536"));
}

#[test]
fn majors_decide_and_minors_do_not() {
    for api in ["1.0.0", "1.99.3", "1.0.0-rc.1"] {
        assert!(judged(&library(&manifest("x", api, &["x"]))).is_ok(), "{api}");
    }
    for api in ["0.9.0", "2.0.0"] {
        let fault = judged(&library(&manifest("x", api, &["x"]))).unwrap_err();
        assert!(matches!(&fault, ImageFault::Incompatible(r) if r.contains(api)), "{fault:?}");
    }
    let newer = library(&manifest("x", "1.0.0", &["x"]).replace("\"v\":1", "\"v\":2"));
    assert!(matches!(judged(&newer), Err(ImageFault::Incompatible(_))));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(noise in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
        let _ = judged(&noise);
    }

    #[test]
    fn no_damage_to_a_library_makes_the_reader_panic(at in 0usize..400, value in proptest::num::u8::ANY) {
        let mut bytes = sound();
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = judged(&bytes);
    }
}
