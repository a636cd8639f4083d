//! Plugins and hosts of different interface versions meet: this program with plugins of the versions before and after
//! its own, the committed plugin with a newer host.

use llmq_tests::{Workdir, drift::Drift, repository};
use std::process::Command;

#[test]
fn versions_of_one_major_work_in_both_directions() {
    let drift = Drift::prepare();
    let work = Workdir::new();
    let plugins = work.join("plugins");
    std::fs::create_dir(&plugins).unwrap();

    // A newer plugin in this, older, host: through the whole program.
    let newer = drift.example_plugin("1.3");
    std::fs::copy(&newer, plugins.join("libllmq_int8.so")).unwrap();
    let list = work.program(["--format", "json", "plugins", "list", "--plugin-dir", "plugins"]).succeed().json();
    assert!(list.to_string().contains("\"1.3.0\""), "the list states the plugin's interface: {list}");
    work.program(["quantize", "--plugin-dir", "plugins", "-q", "W8"])
        .args([repository::tiny_model().as_os_str(), "int8".as_ref()])
        .args(["-n", "newer"])
        .succeed();
    assert!(work.join("newer/model.safetensors").is_file());

    // The plugin as committed (1.2) in a newer host.
    let committed = drift.example_plugin("1.2");
    let output = Command::new(drift.newer_host()).arg(&committed).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("1.3.0 int8 "));

    // A plugin of 1.0 in this host: what 1.1 and 1.2 appended is answered for it, and all give the same bytes.
    let older = drift.example_plugin("1.0");
    std::fs::copy(&older, plugins.join("libllmq_int8.so")).unwrap();
    work.program(["quantize", "--plugin-dir", "plugins", "-q", "W8"])
        .args([repository::tiny_model().as_os_str(), "int8".as_ref()])
        .args(["-n", "older"])
        .succeed();
    let read = |name: &str| std::fs::read(work.join(name)).unwrap();
    assert_eq!(read("newer/model.safetensors"), read("older/model.safetensors"));
    // Side by side with a plugin of this very version, which is loaded after it: both are at work in one process.
    let source = work.program(["quantize", "-q", "Q8_0", "-n", "source"]);
    source.args([repository::tiny_model().as_os_str(), "gguf".as_ref()]).succeed();
    work.program(["convert", "--plugin-dir", "plugins", "--force", "-n", "converted", "source.gguf", "int8"]).succeed();
    assert!(work.join("converted/model.safetensors").is_file());
    std::fs::write(work.join("x.dat"), b"no statistics").unwrap();
    let shown = work.program(["imatrix", "show", "--plugin-dir", "plugins", "x.dat"]).run();
    assert!(shown.code == 2 && shown.stderr.contains("no installed plugin"), "{shown:?}");
}
