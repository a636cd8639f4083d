//! The states a file can be in, made with handmade libraries in fresh folders.

use super::*;
use crate::plugins::cache::Memory;
use crate::plugins::fake_elf::{library, manifest};
use llmq_plugin_api::API_VERSION;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Bench {
    root: tempfile::TempDir,
    search: Search,
    around: Surroundings,
    cache: Cache,
}

impl Bench {
    fn new(folders: &[&str]) -> Bench {
        let root = tempfile::tempdir().unwrap();
        let plugin_dirs: Vec<PathBuf> = folders.iter().map(|f| root.path().join(f)).collect();
        plugin_dirs.iter().for_each(|d| std::fs::create_dir_all(d).unwrap());
        let search = Search { plugin_dirs, allow_insecure: true, env: false };
        Bench { root, search, around: Surroundings::default(), cache: Cache::default() }
    }

    fn put(&self, file: &str, bytes: &[u8]) -> PathBuf {
        let path = self.root.path().join(file);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn plugin(&self, file: &str, id: &str, formats: &[&str]) -> PathBuf {
        self.put(file, &library(&manifest(id, API_VERSION, formats)))
    }

    fn walk(&self) -> Catalogue {
        walk(&self.search, &self.around, &self.cache)
    }

    fn states(&self) -> Vec<(String, &'static str)> {
        let name = |e: &Entry| e.path.strip_prefix(self.root.path()).unwrap().display().to_string();
        self.walk().entries.iter().map(|e| (name(e), e.status.word())).collect()
    }
}

fn states(expected: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    expected.iter().map(|(name, state)| (name.to_string(), *state)).collect()
}

#[test]
fn files_are_listed_sorted_by_name_and_strangers_are_left_alone() {
    let bench = Bench::new(&["a"]);
    bench.plugin("a/libllmq_zeta.so", "zeta", &["zeta"]);
    bench.plugin("a/libllmq_alpha_two.so", "alpha-two", &["alpha"]);
    bench.put("a/libc.so", b"somebody else's");
    bench.put("a/libllmq_text.so", b"not a library");
    let expected =
        [("a/libllmq_alpha_two.so", "usable"), ("a/libllmq_text.so", "broken"), ("a/libllmq_zeta.so", "usable")];
    assert_eq!(bench.states(), states(&expected));
    assert_eq!(bench.walk().searched[0].found, Folder::Read(3));
}

#[test]
fn the_first_usable_file_of_an_id_wins_and_a_broken_one_shadows_nothing() {
    let bench = Bench::new(&["a", "b", "c"]);
    bench.put("a/libllmq_x.so", b"broken");
    let winner = bench.plugin("b/libllmq_x.so", "x", &["x"]);
    bench.plugin("c/libllmq_x.so", "x", &["x"]);
    let expected = [("a/libllmq_x.so", "broken"), ("b/libllmq_x.so", "usable"), ("c/libllmq_x.so", "shadowed")];
    assert_eq!(bench.states(), states(&expected));
    assert_eq!(bench.walk().entries[2].status, Status::Shadowed { by: winner });
}

#[test]
fn a_file_reached_twice_is_one_plugin() {
    let mut bench = Bench::new(&["a", "b"]);
    let file = bench.plugin("a/libllmq_x.so", "x", &["x"]);
    symlink(&file, bench.root.path().join("b/libllmq_x.so")).unwrap();
    bench.search.plugin_dirs.push(bench.root.path().join("a"));
    assert_eq!(bench.states(), states(&[("a/libllmq_x.so", "usable")]));
}

#[test]
fn links_to_nowhere_folders_and_pipes_are_broken() {
    let bench = Bench::new(&["a"]);
    symlink("nowhere", bench.root.path().join("a/libllmq_dangling.so")).unwrap();
    std::fs::create_dir(bench.root.path().join("a/libllmq_folder.so")).unwrap();
    let pipe = bench.root.path().join("a/libllmq_pipe.so");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let expected =
        [("a/libllmq_dangling.so", "broken"), ("a/libllmq_folder.so", "broken"), ("a/libllmq_pipe.so", "broken")];
    assert_eq!(bench.states(), states(&expected));
}

#[test]
fn a_file_must_carry_its_id_in_its_name() {
    let bench = Bench::new(&["a"]);
    bench.plugin("a/libllmq_y.so", "x", &["x"]);
    let status = &bench.walk().entries[0].status;
    assert!(matches!(status, Status::Broken(r) if r.contains("libllmq_x.so")), "{status:?}");
}

#[test]
fn another_major_version_is_incompatible() {
    let bench = Bench::new(&["a"]);
    bench.put("a/libllmq_x.so", &library(&manifest("x", "2.0.0", &["x"])));
    assert_eq!(bench.states(), states(&[("a/libllmq_x.so", "incompatible")]));
}

#[test]
fn what_others_may_write_is_untrusted_unless_allowed() {
    let mut bench = Bench::new(&["a"]);
    let file = bench.plugin("a/libllmq_x.so", "x", &["x"]);
    std::fs::set_permissions(file.parent().unwrap(), PermissionsExt::from_mode(0o777)).unwrap();
    bench.search.allow_insecure = false;
    let status = bench.walk().entries[0].status.clone();
    assert!(matches!(&status, Status::Untrusted(r) if r.contains("chmod go-w") && r.contains("/a'")), "{status:?}");
    let catalogue = bench.walk();
    let failure = catalogue.for_format("x", None).unwrap_err();
    assert!(failure.message.contains("untrusted"), "{}", failure.message);
    bench.search.allow_insecure = true;
    assert_eq!(bench.walk().entries[0].status, Status::Usable);
}

#[test]
fn disabled_ids_are_listed_but_not_used() {
    let mut bench = Bench::new(&["a"]);
    bench.plugin("a/libllmq_x.so", "x", &["x"]);
    bench.search.env = true;
    bench.around.disabled = Some("y,x".into());
    assert_eq!(bench.states(), states(&[("a/libllmq_x.so", "disabled")]));
}

#[test]
fn a_remembered_crash_counts_until_the_file_changes() {
    let mut bench = Bench::new(&["a"]);
    let file = bench.plugin("a/libllmq_x.so", "x", &["x"]);
    bench.cache.remember(FileIdentity::of(&file).unwrap(), Memory::Crashed("signal 11".into())).unwrap();
    assert_eq!(bench.walk().entries[0].status, Status::Crashed("signal 11".into()));
    bench.plugin("a/libllmq_x.so", "x", &["x", "y"]);
    assert_eq!(bench.walk().entries[0].status, Status::Usable);
}

#[test]
fn absent_and_relative_folders_are_reported() {
    let mut bench = Bench::new(&[]);
    bench.search.plugin_dirs.push(bench.root.path().join("absent"));
    bench.search.env = true;
    bench.around.plugin_path = Some("relative".into());
    let found: Vec<Folder> = bench.walk().searched.into_iter().map(|s| s.found).collect();
    assert_eq!(found[0], Folder::Absent);
    assert!(matches!(&found[1], Folder::Refused(r) if r.contains("relative")), "{found:?}");
}

#[test]
fn formats_lead_to_plugins_and_mistakes_are_explained() {
    let bench = Bench::new(&["a"]);
    bench.plugin("a/libllmq_quad.so", "quad", &["quad"]);
    bench.plugin("a/libllmq_my_quad.so", "my-quad", &["quad", "other"]);
    let catalogue = bench.walk();
    assert_eq!(catalogue.formats().len(), 3);
    assert_eq!(catalogue.for_format("other", None).unwrap().id(), "my-quad");
    assert_eq!(catalogue.for_format("quad", Some("my-quad")).unwrap().id(), "my-quad");
    let cases = [
        ("quad", None, "2 plugins: my-quad, quad", "--plugin my-quad"),
        ("qaud", None, "no plugin handles the format `qaud`", "did you mean `quad`"),
        ("other", Some("quad"), "does not handle the format `other`", "it handles: quad"),
        ("quad", Some("my-quadd"), "there is no plugin `my-quadd`", "did you mean `my-quad`"),
    ];
    for (format, plugin, message, suggestion) in cases {
        let failure = catalogue.for_format(format, plugin).unwrap_err();
        assert_eq!(failure.class, crate::failure::Class::InvalidArguments);
        assert!(failure.message.contains(message), "{}", failure.message);
        assert!(failure.suggestion.contains(suggestion), "{}", failure.suggestion);
    }
    let none = Catalogue::default().for_format("quad", None).unwrap_err();
    assert!(none.suggestion.contains("libllmq_quad.so"), "{}", none.suggestion);
}
