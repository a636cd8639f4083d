//! Plugins and hosts of different interface versions meet: 1.1 plugin in a 1.0 host, 1.0 plugin in a 1.1 host.

use llmq_tests::{Workdir, drift::Drift, repository};
use std::process::Command;

#[test]
fn versions_of_one_major_work_in_both_directions() {
    let drift = Drift::prepare();
    let work = Workdir::new();
    let plugins = work.join("plugins");
    std::fs::create_dir(&plugins).unwrap();

    // A newer plugin in this, older, host: through the whole program.
    let newer = drift.example_plugin(true);
    std::fs::copy(&newer, plugins.join("libllmq_int8.so")).unwrap();
    let list = work.program(["--format", "json", "plugins", "list", "--plugin-dir", "plugins"]).succeed().json();
    assert!(list.to_string().contains("\"1.1.0\""), "the list states the plugin's interface: {list}");
    work.program(["quantize", "--plugin-dir", "plugins", "-q", "W8"])
        .args([repository::tiny_model().as_os_str(), "int8".as_ref()])
        .args(["-n", "newer"])
        .succeed();
    assert!(work.join("newer/model.safetensors").is_file());

    // The plugin as committed (1.0) in a newer host.
    let older = drift.example_plugin(false);
    let output = Command::new(drift.newer_host()).arg(&older).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("1.1.0 int8 "));

    // Both give the same bytes.
    std::fs::copy(&older, plugins.join("libllmq_int8.so")).unwrap();
    work.program(["quantize", "--plugin-dir", "plugins", "-q", "W8"])
        .args([repository::tiny_model().as_os_str(), "int8".as_ref()])
        .args(["-n", "older"])
        .succeed();
    let read = |name: &str| std::fs::read(work.join(name)).unwrap();
    assert_eq!(read("newer/model.safetensors"), read("older/model.safetensors"));
}
