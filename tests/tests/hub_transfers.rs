//! Downloads that go wrong: cut, silent, busy, lying and stopped ones end in the right bytes or in a clear sentence.

use llmq_tests::hub::{Hub, Repo, TOKEN, WEIGHTS, shelf};
use llmq_tests::loopback::{Reply, Request, Way};
use llmq_tests::{Outcome, Workdir};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const QUANTIZE: &str = "quantize org/tiny-model gguf -q Q8_0 --format json";

/// A store that answers requests for whole files with these, one after the other, and then as it should.
fn troubled(replies: impl IntoIterator<Item = fn(&Request, &Reply) -> Reply>) -> Hub {
    let replies = Mutex::new(replies.into_iter().collect::<Vec<_>>().into_iter());
    Hub::meddled(
        Repo::tiny(),
        |_, _| None,
        move |request, reply| {
            // The header that is read before the download has a range with an end.
            let of_header = request.headers.get("range").is_some_and(|range| !range.ends_with('-'));
            let next = if of_header { None } else { replies.lock().unwrap().next() };
            next.map(|next| next(request, reply))
        },
    )
}

fn blob(folder: &Workdir, hub: &Hub) -> PathBuf {
    shelf(folder).join("blobs").join(hub.repo.etag(WEIGHTS))
}

fn partial(folder: &Workdir, hub: &Hub) -> PathBuf {
    blob(folder, hub).with_extension("incomplete")
}

fn assert_arrived(folder: &Workdir, hub: &Hub) {
    assert!(std::fs::read(blob(folder, hub)).unwrap() == hub.repo.files[WEIGHTS], "wrong bytes were kept");
    assert!(!partial(folder, hub).exists());
}

fn message(outcome: &Outcome) -> String {
    let object = outcome.json();
    assert!(!object["suggestion"].as_str().unwrap().is_empty(), "{object}");
    object["message"].as_str().unwrap().to_owned()
}

#[test]
fn cut_silent_and_busy_servers_are_borne() {
    let hub = troubled([
        |_: &Request, reply: &Reply| reply.clone().on(Way::Cut(1_000_000)),
        |_: &Request, reply: &Reply| reply.clone().on(Way::Stall(500_000)),
        |_: &Request, _: &Reply| Reply::new(503, "busy").with("Retry-After", 1),
        |_: &Request, _: &Reply| Reply::new(429, "slowly"),
        |_: &Request, reply: &Reply| reply.clone().on(Way::Cut(0)),
    ] as [fn(&Request, &Reply) -> Reply; 5]);
    let folder = Workdir::new();
    let started = Instant::now();
    hub.program(&folder, QUANTIZE).env("LLM_QUANTIZE_HUB_ATTEMPTS", "5").succeed();
    assert!(started.elapsed() > Duration::from_millis(1500), "neither the silence nor Retry-After was waited for");
    assert_arrived(&folder, &hub);
    let continued = hub.continued();
    assert_eq!(continued[..2], ["bytes=1000000-", "bytes=1500000-"], "{continued:?}");
    assert_eq!(continued.len(), 5);
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_broke_off() {
    let hub = troubled([
        |_: &Request, reply: &Reply| reply.clone().on(Way::Cut(2_000_000)),
        |_: &Request, _: &Reply| Reply::new(500, ""),
        |_: &Request, _: &Reply| Reply::new(502, ""),
        |_: &Request, _: &Reply| Reply::new(504, ""),
    ] as [fn(&Request, &Reply) -> Reply; 4]);
    let folder = Workdir::new();
    let broken = hub.program(&folder, QUANTIZE).run();
    assert_eq!(broken.code, 1);
    let said = message(&broken);
    assert!(said.contains("the server fails (5") && said.contains("given up after 3 attempts"), "{said}");
    assert_eq!(std::fs::metadata(partial(&folder, &hub)).unwrap().len(), 2_000_000);
    assert!(!shelf(&folder).join("refs/main").exists(), "an incomplete model is noted as the newest");
    let asked = hub.store.log().len();
    // The trouble list has one answer left.
    let outcome = hub.program(&folder, QUANTIZE).succeed();
    assert!(outcome.stderr.contains("of them are here already"), "{}", outcome.stderr);
    assert!(hub.store.log()[asked..].iter().filter_map(|r| r.headers.get("range")).any(|r| r == "bytes=2000000-"));
    assert_arrived(&folder, &hub);
}

#[test]
fn servers_that_do_not_continue_start_anew() {
    let whole: fn(&Request, &Reply) -> Reply = |_, _| Reply::new(200, Repo::tiny().files[WEIGHTS].clone());
    let refused: fn(&Request, &Reply) -> Reply = |_, _| Reply::new(416, "");
    for answer in [whole, refused] {
        let hub = troubled([|_: &Request, reply: &Reply| reply.clone().on(Way::Cut(700_000)), answer]);
        let folder = Workdir::new();
        hub.program(&folder, QUANTIZE).succeed();
        assert_arrived(&folder, &hub);
    }
}

#[test]
fn wrong_bytes_of_an_earlier_run_are_found_and_replaced() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    std::fs::create_dir_all(shelf(&folder).join("blobs")).unwrap();
    std::fs::write(partial(&folder, &hub), vec![7; 300_000]).unwrap();
    let outcome = hub.program(&folder, QUANTIZE).succeed();
    assert!(outcome.stderr.contains("warning: What an earlier download left of model.safetensors"), "{outcome:?}");
    assert_arrived(&folder, &hub);
}

#[test]
fn wrong_bytes_and_lengths_are_refused_and_not_kept() {
    let flipped: fn(&Request, &Reply) -> Reply = |_, reply| {
        let mut reply = reply.clone();
        reply.body[3_000_000] ^= 1;
        reply
    };
    let short: fn(&Request, &Reply) -> Reply = |_, reply| Reply { body: reply.body[1..].to_vec(), ..reply.clone() };
    let long: fn(&Request, &Reply) -> Reply =
        |_, reply| Reply { body: [&reply.body[..], b"x"].concat(), ..reply.clone() };
    for (answer, words) in [
        (flipped, "arrived with wrong bytes: its checksum is "),
        (short, "but the server sends 3412591 bytes"),
        (long, "but the server sends 3412593 bytes"),
    ] {
        let (folder, hub) = (Workdir::new(), troubled([answer]));
        let outcome = hub.program(&folder, QUANTIZE).run();
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(message(&outcome).contains(words), "{outcome:?}");
        assert!(!blob(&folder, &hub).exists());
        assert_eq!(std::fs::metadata(partial(&folder, &hub)).unwrap().len(), 0);
        hub.program(&folder, QUANTIZE).succeed();
        assert_arrived(&folder, &hub);
    }
}

#[test]
fn small_files_are_verified_too() {
    let spoiled = |request: &Request, reply: &Reply| {
        let config = request.path.ends_with("/config.json");
        config.then(|| Reply { body: reply.body.iter().map(|b| b ^ 1).collect(), ..reply.clone() })
    };
    let (folder, hub) = (Workdir::new(), Hub::meddled(Repo::tiny(), spoiled, |_, _| None));
    let outcome = hub.program(&folder, QUANTIZE).run();
    assert_eq!(outcome.code, 1);
    assert!(message(&outcome).contains("config.json arrived with wrong bytes"), "{outcome:?}");
}

#[test]
fn endless_silence_and_endless_patience_end() {
    let silent = Hub::meddled(Repo::tiny(), |_, reply| Some(reply.clone().on(Way::Stall(0))), |_, _| None);
    let patient = Hub::meddled(Repo::tiny(), |_, _| Some(Reply::new(429, "").with("Retry-After", 4000)), |_, _| None);
    for (hub, words) in [(silent, "fell silent"), (patient, "the server asks to wait 4000 seconds")] {
        let (folder, started) = (Workdir::new(), Instant::now());
        let outcome = hub.program(&folder, QUANTIZE).run();
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(message(&outcome).contains(words), "{outcome:?}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn a_server_that_is_not_there_is_said_so() {
    let (folder, hub) = (Workdir::new(), Hub::start(Repo::tiny()));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = hub.program(&folder, QUANTIZE).env("HF_ENDPOINT", format!("http://{closed}")).run();
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(message(&outcome).contains("given up after 3 attempts"), "{outcome:?}");
}

/// A renamed repository: the Hub sends on to another path of its own, and the token goes along there and no further.
#[test]
fn redirects_within_the_hub_keep_the_token_and_endless_ones_end() {
    let renamed = |request: &Request, _: &Reply| {
        let path = request.path.strip_prefix("/api/models/old/name")?;
        Some(Reply::new(307, "").with("Location", format!("/api/models/org/tiny-model{path}")))
    };
    let (folder, hub) = (Workdir::new(), Hub::meddled(Repo::tiny(), renamed, |_, _| None));
    let _ = hub.program(&folder, "info old/name --format json").env("HF_TOKEN", TOKEN).run();
    let bearer = format!("Bearer {TOKEN}");
    let log = hub.home.log();
    assert!(log.iter().any(|request| request.path.starts_with("/api/models/org/tiny-model/")), "{log:?}");
    assert!(log.iter().all(|request| request.headers.get("authorization") == Some(&bearer)));

    let circle = |request: &Request, _: &Reply| Some(Reply::new(302, "").with("Location", &request.path));
    let (folder, hub) = (Workdir::new(), Hub::meddled(Repo::tiny(), circle, |_, _| None));
    let outcome = hub.program(&folder, QUANTIZE).run();
    assert!(outcome.code == 1 && message(&outcome).contains("redirects more than"), "{outcome:?}");
}

/// A server that lists names only, as mirrors do: length and checksum come from HEAD requests.
#[test]
fn a_bare_list_is_completed_by_asking_for_heads() {
    let bare = |request: &Request, _: &Reply| {
        let mut list = Repo::tiny().list();
        for file in list["siblings"].as_array_mut().unwrap() {
            file.as_object_mut().unwrap().retain(|key, _| key == "rfilename");
        }
        request.path.starts_with("/api/").then(|| Reply::new(200, list.to_string()))
    };
    let (folder, hub) = (Workdir::new(), Hub::meddled(Repo::tiny(), bare, |_, _| None));
    hub.program(&folder, QUANTIZE).succeed();
    assert_arrived(&folder, &hub);
    assert!(hub.store.log().iter().all(|request| request.method == "GET"), "the store was asked for a HEAD");
}

#[cfg(unix)]
#[test]
fn a_stopped_download_ends_at_once_and_goes_on_later() {
    use std::process::Command;
    let (folder, hub) = (
        Workdir::new(),
        troubled(
            [|_: &Request, reply: &Reply| reply.clone().on(Way::Slow(16_384))] as [fn(&Request, &Reply) -> Reply; 1]
        ),
    );
    let child = hub.program(&folder, QUANTIZE).start();
    let started = Instant::now();
    let grown = || std::fs::metadata(partial(&folder, &hub)).is_ok_and(|m| m.len() > 300_000);
    while !grown() {
        assert!(started.elapsed() < Duration::from_secs(60), "the download did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert_eq!((outcome.code, outcome.json()["error_type"].as_str()), (130, Some("InterruptedError")), "{outcome:?}");
    assert!(outcome.stderr.contains("goes on with the download"), "{}", outcome.stderr);
    let kept = std::fs::metadata(partial(&folder, &hub)).unwrap().len();
    assert!(kept > 300_000, "{kept} bytes were kept");
    hub.program(&folder, QUANTIZE).succeed();
    assert_eq!(hub.continued(), [format!("bytes={kept}-")]);
    assert_arrived(&folder, &hub);
}
