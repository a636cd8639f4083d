//! Statistics folders: resumed as if never stopped, merged as if gathered at once.

mod texts;

use std::collections::BTreeMap;
use std::path::Path;

use llmq_calibration::{
    Collector, Entry, Folder, FolderError, GramWidth, Manifest, Options, Settings, Source, Subject, Text, merge_folders,
};
use texts::Random;

const COLUMNS: usize = 50;
const UNITS: [&str; 3] = ["layer.0", "layer.1", "head"];

fn subject(texts: &[&str]) -> Subject {
    let options = Options { gram: true, samples: 20 };
    let text = |name: &&str| Text {
        name: (*name).to_owned(),
        sha256: format!("{name}-digest"),
        samples: 6,
        seqlen: 100,
        tokens: 600,
    };
    Subject {
        model: "model-1".to_owned(),
        tool: "llm-quantize 0.1.0".to_owned(),
        texts: texts.iter().map(text).collect(),
        settings: Settings { dense: options, experts: Options { gram: false, samples: 4 }, gram_width: GramWidth::F64 },
    }
}

/// What a unit sees of tokens `from..to` of a text; hidden states depend on the unit.
fn entries(unit: &str, text: &str, from: u64, to: u64) -> Vec<Entry> {
    let settings = subject(&[]).settings;
    let seed = unit.bytes().chain(text.bytes()).fold(7, |seed, byte| seed * 31 + u64::from(byte));
    let rows: Vec<f32> = (from..to).flat_map(|token| Random(seed + token * 99).rows(1, COLUMNS)).collect();
    let routing: Vec<u32> = (from..to).flat_map(|token| [token as u32 % 3, 3]).collect();
    let mut dense = Collector::new(text, "attention", COLUMNS, None, settings.dense).expect("a size");
    dense.update(&rows, from).expect("in order");
    let mut routed = Collector::new(text, "experts", COLUMNS, Some(4), settings.experts).expect("a size");
    routed.update_routed(&rows, from, &routing).expect("in order");
    vec![
        dense.finish(vec![Source::dense(format!("{unit}.q"))]),
        routed.finish(vec![Source::dense(format!("{unit}.experts"))]),
    ]
}

fn gathered(path: &Path, text: &str) -> Folder {
    let mut folder = Folder::create(path, subject(&[text])).expect("a new folder");
    for unit in UNITS {
        folder.put(unit, &entries(unit, text, 0, 600)).expect("written");
    }
    folder
}

fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn resumed_is_uninterrupted_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
    gathered(&whole, "a");
    let mut first = Folder::resume(&stopped, subject(&["a"])).expect("nothing there: begun");
    first.put(UNITS[1], &entries(UNITS[1], "a", 0, 600)).expect("written");
    drop(first);
    // What a stop in the middle of a unit, and of the document, leaves behind.
    std::fs::write(stopped.join("layer.0.safetensors.partial"), b"half").expect("written");
    std::fs::write(stopped.join("statistics.json.partial"), b"{").expect("written");
    let mut second = Folder::resume(&stopped, subject(&["a"])).expect("continued");
    assert!(second.is_complete(UNITS[1]) && !second.is_complete(UNITS[0]));
    for unit in [UNITS[0], UNITS[2]] {
        second.put(unit, &entries(unit, "a", 0, 600)).expect("written");
    }
    assert_eq!(files(&stopped), files(&whole));
    assert_eq!(files(&whole).len(), 4);
}

#[test]
fn what_does_not_continue_is_refused() {
    let temporary = tempfile::tempdir().expect("a folder");
    let path = temporary.path().join("statistics");
    drop(gathered(&path, "a"));
    let resumed = |change: fn(&mut Subject)| {
        let mut other = subject(&["a"]);
        change(&mut other);
        Folder::resume(&path, other).map(|_| ())
    };
    resumed(|_| ()).expect("the same");
    let what = |result: Result<(), FolderError>| match result {
        Err(FolderError::Differs { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(resumed(|subject| subject.model.push('x'))), "model");
    assert_eq!(what(resumed(|subject| subject.texts[0].sha256.push('x'))), "texts");
    assert_eq!(what(resumed(|subject| subject.settings.dense.samples = 21)), "settings");
    assert_eq!(what(resumed(|subject| subject.tool.push('1'))), "program");
    assert!(matches!(Folder::create(&path, subject(&["a"])), Err(FolderError::Exists(_))));
    let mut folder = Folder::resume(&path, subject(&["a"])).expect("the same");
    assert!(matches!(folder.put("layer.0", &[]), Err(FolderError::Complete(_))));
    for id in ["", ".", "..", "../x", "a/b", ".hidden", "a b"] {
        assert!(matches!(folder.put(id, &[]), Err(FolderError::UnitId(_))), "{id}");
    }
    assert!(matches!(folder.read("layer.9"), Err(FolderError::Missing(_))));
}

#[test]
fn files_that_changed_are_noticed() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = gathered(temporary.path(), "a");
    folder.verify("layer.0").expect("as written");
    let path = temporary.path().join("layer.0.safetensors");
    let mut bytes = std::fs::read(&path).expect("there");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&path, &bytes).expect("written");
    assert!(matches!(folder.verify("layer.0"), Err(FolderError::Changed(_))));
    std::fs::copy(temporary.path().join("layer.1.safetensors"), &path).expect("copied");
    assert!(matches!(folder.unit("layer.0"), Err(FolderError::Changed(_))), "another unit's file");
    std::fs::write(&path, &bytes[..100]).expect("written");
    assert!(matches!(folder.unit("layer.0"), Err(FolderError::Changed(_))));
}

#[test]
fn merged_is_gathered_at_once() {
    let temporary = tempfile::tempdir().expect("a folder");
    let inputs = [gathered(&temporary.path().join("a"), "a"), gathered(&temporary.path().join("b"), "b")];
    let merged = merge_folders(&inputs, &temporary.path().join("merged"), false).expect("merged");
    assert_eq!(merged.subject(), &subject(&["a", "b"]));
    for unit in UNITS {
        // Both texts through one collector: what the sums must be.
        let rows = |text| {
            (0..600).flat_map(move |token| {
                let seed = unit.bytes().chain(str::bytes(text)).fold(7, |seed, byte| seed * 31 + u64::from(byte));
                Random(seed + token * 99).rows(1, COLUMNS)
            })
        };
        let all: Vec<f32> = rows("a").chain(rows("b")).collect();
        let mut once =
            Collector::new("a", "attention", COLUMNS, None, Options { gram: true, samples: 0 }).expect("a size");
        once.update(&all, 0).expect("in order");
        let once = once.finish(Vec::new()).records.remove(0);
        let entry = merged.read(unit).expect("readable").remove(0);
        let record = &entry.records[0];
        assert_eq!((record.tokens, record.samples.tokens.len()), (1200, 20));
        assert_eq!((&record.min, &record.max), (&once.min, &once.max));
        let near = |one: &[f64], other: &[f64], scale: &[f64]| {
            one.iter().zip(other).zip(scale).all(|((one, other), scale)| (one - other).abs() <= 1e-12 * scale)
        };
        assert!(near(&record.sum, &once.sum, &once.sum_abs));
        assert!(near(&record.sum_abs, &once.sum_abs, &once.sum_abs));
        assert!(near(&record.sum_squares, &once.sum_squares, &once.sum_squares));
        let (gram, exact) = (record.gram.as_ref().expect("gathered"), once.gram.as_ref().expect("gathered"));
        for i in 0..COLUMNS {
            for j in 0..=i {
                let scale = (exact.get(i, i) * exact.get(j, j)).sqrt();
                assert!((gram.get(i, j) - exact.get(i, j)).abs() < 1e-6 * scale);
            }
        }
    }
    // The order does not matter to sums and samples.
    let [a, b] = inputs;
    let other = merge_folders(&[b, a], &temporary.path().join("other"), false).expect("merged");
    for unit in UNITS {
        assert_eq!(other.read(unit).expect("readable"), merged.read(unit).expect("readable"));
    }
}

#[test]
fn parts_of_one_text_give_the_samples_of_the_whole() {
    for unit in UNITS {
        let mut parts = entries(unit, "a", 0, 250);
        let rest = entries(unit, "a", 250, 600);
        let whole = entries(unit, "a", 0, 600);
        let settings = subject(&[]).settings;
        for ((part, rest), whole) in parts.iter_mut().zip(&rest).zip(&whole) {
            part.merge(rest, if part.routed { settings.experts } else { settings.dense }.samples).expect("they belong");
            for (part, whole) in part.records.iter().zip(&whole.records) {
                assert_eq!(part.samples, whole.samples);
                assert_eq!(part.tokens, whole.tokens);
            }
        }
    }
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let temporary = tempfile::tempdir().expect("a folder");
    let path = |name: &str| temporary.path().join(name);
    let a = || Folder::open(&path("a")).expect("there");
    let b = gathered(&path("b"), "b");
    gathered(&path("a"), "a");
    let result = merge_folders(&[a(), a()], &path("m"), false);
    assert!(matches!(result, Err(FolderError::SameText(name)) if name == "a"));
    let twice = merge_folders(&[a(), a()], &path("twice"), true).expect("allowed");
    assert_eq!(twice.read("layer.0").expect("readable")[0].records[0].tokens, 1200);

    let mut part = Folder::create(&path("part"), subject(&["c"])).expect("new");
    part.put("layer.0", &entries("layer.0", "c", 0, 600)).expect("written");
    assert!(matches!(merge_folders(&[a(), part], &path("m"), false), Err(FolderError::Missing(_))));

    let mut other = subject(&["d"]);
    other.model.push('x');
    let other = Folder::create(&path("other"), other).expect("new");
    let result = merge_folders(&[b, other], &path("m"), false);
    assert!(matches!(result, Err(FolderError::Differs { what: "model", .. })));
    assert!(merge_folders(&[], &path("m"), false).is_err());
    assert!(!path("m").exists(), "nothing is begun before all is checked");

    let [mut dense, routed] = <[Entry; 2]>::try_from(entries("layer.0", "a", 0, 10)).expect("two");
    assert!(dense.merge(&routed, 5).is_err());
    let mut without = dense.clone();
    without.records[0].gram = None;
    assert!(dense.merge(&without, 5).is_err());
    without.sources.clear();
    assert!(dense.merge(&without, 5).is_err());
}

#[test]
fn documents_that_lie_are_refused() {
    let temporary = tempfile::tempdir().expect("a folder");
    gathered(temporary.path(), "a");
    let text = std::fs::read_to_string(temporary.path().join("statistics.json")).expect("there");
    Manifest::parse(text.as_bytes()).expect("as written");
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        Manifest::parse(text.replacen(from, to, 1).as_bytes()).expect_err("refused")
    };
    assert!(changed("\"version\": 1", "\"version\": 2").contains("version 2"));
    assert!(changed("\"id\": \"head\"", "\"id\": \"../head\"").contains("id of a unit"));
    assert!(changed("\"id\": \"head\"", "\"id\": \"layer.0\"").contains("order"));
    assert!(changed("\"model\"", "\"modell\"").contains("model"));
    for end in (0..text.trim_end().len()).step_by(7) {
        assert!(Manifest::parse(&text.as_bytes()[..end]).is_err());
    }
    assert!(matches!(Folder::open(&temporary.path().join("nowhere")), Err(FolderError::Io { .. })));
}

#[test]
fn one_program_writes_at_a_time() {
    let place = tempfile::tempdir().expect("a folder");
    let first = Folder::create(place.path(), subject(&["a"])).expect("started");
    assert!(matches!(Folder::resume(place.path(), subject(&["a"])), Err(FolderError::Busy(_))));
    Folder::open(place.path()).expect("others may read");
    drop(first);
    Folder::resume(place.path(), subject(&["a"])).expect("nobody writes any more");
}
