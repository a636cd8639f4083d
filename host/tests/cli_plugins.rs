//! `plugins`: every file that looks like a plugin is listed, with the reason where it cannot be used.

mod workbench;

use workbench::Workbench;

#[test]
fn without_plugins_the_folders_that_were_searched_are_named() {
    let bench = Workbench::new();
    let ran = bench.run("plugins list --plugin-dir nowhere");
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.starts_with("No plugin was found. Searched:\n  nowhere "), "{}", ran.stdout);
    let object = bench.run("--format json plugins list --plugin-dir nowhere").json();
    assert_eq!(object["plugins"], serde_json::json!([]));
    assert_eq!(object["searched"][0]["path"], "nowhere");
    let doctor = bench.run("plugins doctor --plugin-dir nowhere");
    assert_eq!(doctor.code, 0);
    assert!(doctor.stdout.contains("No plugin was found"), "{}", doctor.stdout);
}

#[test]
fn a_broken_file_is_listed_with_its_reason_and_takes_nothing_down() {
    let bench = Workbench::new();
    let file = format!("{}llmq_toy{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    std::fs::create_dir(bench.path().join("p")).unwrap();
    std::fs::write(bench.path().join("p").join(&file), b"\x7fELF nonsense").unwrap();
    let list = bench.run("plugins list --plugin-dir p");
    assert_eq!(list.code, 0);
    assert!(list.stdout.contains("toy") && list.stdout.contains("broken"), "{}", list.stdout);
    let row = bench.run("plugins list --plugin-dir p --format json").json()["plugins"][0].clone();
    assert_eq!((row["id"].as_str(), row["status"].as_str()), (Some("toy"), Some("broken")));
    assert!(!row["reason"].as_str().unwrap().is_empty());
    let doctor = bench.run(&format!("plugins doctor p/{file} --format json")).json();
    assert_eq!(doctor["healthy"], false);
    let info = bench.run("plugins info toy --plugin-dir p");
    assert_ne!(info.code, 0);
    assert!(info.stderr.contains("broken"), "{info:#?}");
}

#[test]
fn unknown_plugins_and_odd_names_are_refused() {
    let bench = Workbench::new();
    bench.run("plugins info nothing").fails(2, &["There is no plugin `nothing`"]);
    bench.run("plugins doctor nothing.so").fails(2, &["nothing.so cannot be reached"]);
    std::fs::write(bench.path().join("odd.so"), b"").unwrap();
    bench.run("plugins doctor odd.so").fails(2, &["does not have the name of a plugin", "llmq_ID"]);
}
