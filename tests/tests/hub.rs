//! Models of the Hub, through the real binary: what is fetched, what is kept, who gets the token, and every refusal.

use llmq_tests::hub::{COMMIT, Hub, ID, Repo, TOKEN, WEIGHTS, shelf};
use llmq_tests::loopback::Reply;
use llmq_tests::{Outcome, Workdir, repository};
use std::path::Path;

const QUANTIZE: &str = "quantize org/tiny-model gguf -q Q4_K_M";

fn expected() -> Vec<u8> {
    let folder = Workdir::new();
    let model = repository::tiny_model().display().to_string();
    folder.program(["quantize", &model, "gguf", "-q", "Q4_K_M", "-n", "local"]).succeed();
    std::fs::read(folder.join("local.gguf")).unwrap()
}

fn error(outcome: &Outcome) -> (i32, String, String, String) {
    let object = outcome.json();
    let word = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    (outcome.code, word("error_type"), word("message"), word("suggestion"))
}

/// README.md is in the repository, and its text goes into no GGUF file; the other small files are the local ones.
#[test]
fn a_served_model_gives_the_bytes_of_the_local_folder_and_only_needed_files_travel() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    let outcome = hub.program(&folder, &format!("{QUANTIZE} --verbosity debug")).env("HF_TOKEN", TOKEN).succeed();
    let bytes = std::fs::read(folder.join("tiny-model-Q4_K_M.gguf")).unwrap();
    assert!(bytes == expected(), "other bytes than from the local folder");

    let mut asked: Vec<String> = hub.home.log().iter().map(|r| r.path.rsplit('/').next().unwrap().to_owned()).collect();
    asked.sort();
    asked.dedup();
    let needed = [
        "README.md",
        "config.json",
        "generation_config.json",
        "main?blobs=true",
        WEIGHTS,
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tool.jinja",
    ];
    assert_eq!(asked, needed);
    assert!(outcome.stderr.contains("Downloading org/tiny-model (commit 0123456789ab): "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Downloading 100% "), "{}", outcome.stderr);

    // The token: with every request to the Hub, with none to the store it redirects to, in no output.
    let bearer = format!("Bearer {TOKEN}");
    assert!(hub.home.log().iter().all(|request| request.headers.get("authorization") == Some(&bearer)));
    assert!(!hub.store.log().is_empty());
    assert!(hub.store.log().iter().all(|request| !request.headers.contains_key("authorization")));
    for secret in [TOKEN, "SignedKey"] {
        assert!(!outcome.stderr.contains(secret) && !outcome.stdout.contains(secret), "{outcome:?}");
    }

    // The layout that Python's tools share.
    let shelf = shelf(&folder);
    assert_eq!(std::fs::read_to_string(shelf.join("refs/main")).unwrap(), COMMIT);
    let link = std::fs::read_link(shelf.join("snapshots").join(COMMIT).join(WEIGHTS)).unwrap();
    assert_eq!(link, Path::new("../../blobs").join(hub.repo.etag(WEIGHTS)));
    let template = shelf.join("snapshots").join(COMMIT).join("additional_chat_templates/tool.jinja");
    assert_eq!(std::fs::read_to_string(template).unwrap(), "{{ messages }}");
    let left: Vec<_> = std::fs::read_dir(shelf.join("blobs")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains('.')), "{left:?}");
}

#[test]
fn what_is_in_the_cache_is_not_fetched_again_and_serves_offline() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    let offline = hub.program(&folder, &format!("{QUANTIZE} --format json")).env("HF_HUB_OFFLINE", "1").run();
    let (code, kind, message, suggestion) = error(&offline);
    assert_eq!((code, kind.as_str()), (3, "ModelNotFoundError"), "{message}");
    assert!(message.contains("HF_HUB_OFFLINE") && suggestion.contains("LLM_QUANTIZE_CACHE"), "{message} {suggestion}");
    assert!(hub.home.log().is_empty(), "asked in spite of HF_HUB_OFFLINE");

    hub.program(&folder, QUANTIZE).succeed();
    let (home, store) = (hub.home.log().len(), hub.store.log().len());
    hub.program(&folder, &format!("{QUANTIZE} -n again")).succeed();
    let asked: Vec<_> = hub.home.log()[home..].iter().map(|request| request.path.clone()).collect();
    assert!(asked.iter().all(|path| path.starts_with("/api/")), "{asked:?}");
    assert_eq!(hub.store.log().len(), store);

    let cache = folder.join("hf");
    drop(hub);
    let from_cache = |more: &str| {
        let line = format!("{QUANTIZE} {more}");
        folder.program(line.split_whitespace()).env("HF_HOME", &cache).env("HF_HUB_OFFLINE", "1")
    };
    from_cache("-n offline").succeed();
    assert!(std::fs::read(folder.join("offline.gguf")).unwrap() == expected());
    std::fs::remove_file(shelf(&folder).join("snapshots").join(COMMIT).join(WEIGHTS)).unwrap();
    let (code, _, message, _) = error(&from_cache("--format json").run());
    assert!(code == 3 && message.contains("no complete model"), "{code} {message}");
}

#[test]
fn revisions_and_own_cache_folders() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    let at = |revision: &str| {
        let line = format!("quantize {ID}@{revision} gguf -q Q8_0 --format json");
        hub.program(&folder, &line).env("HF_HUB_CACHE", folder.join("no")).env("LLM_QUANTIZE_CACHE", folder.join("own"))
    };
    at("refs/pr/1").succeed();
    at(COMMIT).succeed();
    let shelf = folder.join("own/models--org--tiny-model");
    assert_eq!(std::fs::read_to_string(shelf.join("refs/refs/pr/1")).unwrap(), COMMIT);
    assert!(!shelf.join("refs").join(COMMIT).exists() && !folder.join("no").exists() && !folder.join("hf").exists());
    let (code, kind, message, _) = error(&at("no-such-branch").run());
    assert_eq!((code, kind.as_str()), (3, "ModelNotFoundError"), "{message}");
    assert!(message.contains("has no revision `no-such-branch`"), "{message}");
}

#[test]
fn a_local_folder_of_that_name_wins() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    let model = folder.copy_of_tiny_model();
    std::fs::create_dir(folder.join("org")).unwrap();
    std::fs::rename(model, folder.join(ID)).unwrap();
    hub.program(&folder, QUANTIZE).succeed();
    assert!(hub.home.log().is_empty());
}

#[test]
fn info_asks_for_headers_and_not_for_weights() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    let mut found = hub.program(&folder, "info org/tiny-model --tensors --format json").succeed().json();
    let local = repository::tiny_model().display().to_string();
    let mut expected = folder.program(["info", &local, "--tensors", "--format", "json"]).succeed().json();
    // The repository has two small files more than the folder.
    for object in [&mut found, &mut expected] {
        object.as_object_mut().unwrap().remove("files");
    }
    assert_eq!(found, expected);
    let ranges: Vec<_> = hub.store.log().iter().map(|request| request.headers["range"].clone()).collect();
    assert_eq!(ranges, ["bytes=0-262143"]);
    assert!(!shelf(&folder).join("blobs").join(hub.repo.etag(WEIGHTS)).exists());
}

#[test]
fn what_is_wrong_with_the_job_shows_before_the_download() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    let outcome = hub.program(&folder, "quantize org/tiny-model gguf -q Q9_9 --format json").run();
    assert_eq!(error(&outcome).0, 2, "{outcome:?}");
    assert!(hub.store.log().iter().all(|request| request.headers.contains_key("range")), "weights were fetched");
}

#[test]
fn a_plan_file_of_a_served_model_is_run_and_its_slips_show_before_the_download() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    hub.program(&folder, &format!("{QUANTIZE} --save-plan plan.toml")).env("HF_TOKEN", TOKEN).succeed();
    let run = |plan: &str, hub: &Hub, folder: &Workdir| {
        hub.program(folder, &format!("quantize org/tiny-model gguf --plan {plan}")).env("HF_TOKEN", TOKEN).run()
    };
    let outcome = run("plan.toml", &hub, &folder);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(std::fs::read(folder.join("tiny-model-Q4_K_M.gguf")).unwrap() == expected());

    let (fresh, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    let slip = std::fs::read_to_string(folder.join("plan.toml")).unwrap().replacen("Q4_K\"", "Q4_KK\"", 1);
    std::fs::write(fresh.join("slip.toml"), slip).unwrap();
    let refused = run("slip.toml", &hub, &fresh);
    assert!(refused.code == 2 && refused.stderr.contains("`Q4_KK` is not a type"), "{refused:?}");
    assert!(hub.store.log().iter().all(|request| request.headers.contains_key("range")), "weights were fetched");
}

#[test]
fn gated_missing_and_refused_are_told_apart() {
    let refuse = |status: u16, code: &'static str, token: bool| {
        let folder = Workdir::new();
        let hub = Hub::meddled(
            Repo::tiny(),
            move |request, _| {
                let reply = Reply::new(status, "").with("X-Error-Message", "So it is.");
                let reply = if code.is_empty() { reply } else { reply.with("X-Error-Code", code) };
                request.path.contains("/resolve/").then_some(reply)
            },
            |_, _| None,
        );
        let program = hub.program(&folder, &format!("{QUANTIZE} --format json"));
        let outcome = if token { program.env("HF_TOKEN", TOKEN) } else { program }.run();
        assert!(!outcome.stderr.contains(TOKEN) && !outcome.stdout.contains(TOKEN), "{outcome:?}");
        let (code, kind, message, suggestion) = error(&outcome);
        assert!(message.contains("So it is.") && !suggestion.is_empty(), "{message} {suggestion}");
        (code, kind, message, suggestion)
    };
    for (status, code, token, exit, words, advice) in [
        (401, "GatedRepo", false, 4, "is gated: its terms must be accepted", "Accept the terms"),
        (403, "GatedRepo", true, 4, "the owner of the token has no access", "Ask for access"),
        (401, "", true, 4, "does not accept the token", "expired or revoked"),
        (401, "", false, 4, "wants a token", "HF_TOKEN"),
        (403, "", true, 4, "does not let this request read", "fine-grained"),
        (401, "RepoNotFound", false, 3, "has no public model", "if the model is private"),
        (404, "RepoNotFound", true, 3, "that this token may see", "whose token"),
        (404, "EntryNotFound", false, 3, "has no file `README.md`", "try again"),
        (404, "", false, 3, "has no file `README.md`", "HF_ENDPOINT"),
        (418, "", false, 1, "answers 418", "HF_ENDPOINT"),
    ] {
        let (found, kind, message, suggestion) = refuse(status, code, token);
        assert_eq!(found, exit, "{status} {code}: {message}");
        assert_eq!(kind == "AuthenticationRequiredError", exit == 4, "{kind}");
        assert!(message.contains(words) && suggestion.contains(advice), "{status} {code}: {message} {suggestion}");
    }
    let hub = Hub::start(Repo::tiny());
    let folder = Workdir::new();
    let (code, _, message, _) = error(&hub.program(&folder, "info org/no-such --format json").run());
    assert!(code == 3 && message.contains("no public model `org/no-such`"), "{code} {message}");
}

#[test]
fn repositories_without_usable_weights_and_hostile_lists_are_refused() {
    let refused = |meddle: fn(&mut Repo), list: fn(&mut serde_json::Value)| {
        let folder = Workdir::new();
        let mut repo = Repo::tiny();
        meddle(&mut repo);
        let mut changed = repo.list();
        list(&mut changed);
        let hub = Hub::meddled(
            repo,
            move |request, _| request.path.starts_with("/api/").then(|| Reply::new(200, changed.to_string())),
            |_, _| None,
        );
        let (code, _, message, _) = error(&hub.program(&folder, &format!("{QUANTIZE} --format json")).run());
        let outside: Vec<_> = folder.listing("").into_iter().filter(|n| !n.starts_with('.') && n != "hf").collect();
        assert!(outside.is_empty(), "{outside:?}");
        (code, message)
    };
    let as_is: fn(&mut serde_json::Value) = |_| {};
    let (code, message) = refused(|repo| drop(repo.files.remove("config.json")), as_is);
    assert!(code == 3 && message.contains("has no config.json"), "{code} {message}");
    let (code, message) = refused(|repo| drop(repo.files.remove(WEIGHTS)), as_is);
    assert!(code != 0 && message.contains("pytorch_model.bin"), "{code} {message}");
    let (code, message) = refused(
        |repo| {
            repo.files.remove(WEIGHTS);
            let index = br#"{"weight_map": {"x": "../../../escaped.safetensors"}}"#;
            repo.files.insert("model.safetensors.index.json".into(), index.to_vec());
        },
        as_is,
    );
    assert!(code != 0 && message.contains("not a safetensors file of this folder"), "{code} {message}");
    let (code, message) = refused(|_| {}, |list| list["siblings"][0]["rfilename"] = "../../escaped".into());
    assert!(code == 1 && message.contains("leads out of its folder"), "{code} {message}");
    let (code, message) = refused(|_| {}, |list| list["sha"] = "../../../escaped".into());
    assert!(code == 1 && message.contains("names no commit"), "{code} {message}");
}
