//! Calibration without a text: WikiText-2 from the Hub's data sets, and what happens where there is no Hub.

use llmq_tests::hub::{COMMIT, Repo};
use llmq_tests::loopback::{Reply, Server};
use llmq_tests::{Outcome, Program, Workdir, repository};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const FILE: &str = "wikitext-2-raw-v1/train-00000-of-00001.parquet";

fn analyze(work: &Workdir) -> Program {
    let line = ["--format", "json", "analyze", "--calibration-seqlen", "4", "--calibration-samples", "2"];
    work.program(line).args([repository::tiny_model()]).env("HF_HOME", work.join("hf"))
}

/// What the run told of its text.
fn told(outcome: &Outcome) -> (String, String) {
    let warnings = outcome.json()["warnings"].to_string();
    assert!(outcome.stderr.contains("Results are better with text like that which the model will see"), "{outcome:?}");
    (outcome.json()["text"]["name"].as_str().expect("a name").to_owned(), warnings)
}

#[test]
fn wikitext_comes_from_the_hub_once() {
    let parquet = repository::root().join("host/text/tests/data/text-snappy.parquet");
    let repo = Repo { files: [(FILE.to_owned(), std::fs::read(parquet).unwrap())].into() };
    let hub = Server::start(move |request| {
        let path = request.path.split('?').next().unwrap_or_default();
        match path {
            "/api/datasets/Salesforce/wikitext/revision/main" => Reply::new(200, repo.list().to_string()),
            _ if path == format!("/datasets/Salesforce/wikitext/resolve/{COMMIT}/{FILE}") => {
                Reply::ranged(request, &repo.files[FILE]).with("ETag", format!("\"{}\"", repo.etag(FILE)))
            }
            _ => Reply::new(404, "{}"),
        }
    });
    let work = Workdir::new();
    let online = || analyze(&work).env("HF_HUB_OFFLINE", "0").env("HF_ENDPOINT", hub.url());
    let first = online().succeed();
    let (name, warnings) = told(&first);
    assert_eq!(name, "WikiText-2 (train)");
    assert!(warnings.contains("No calibration text was given, so WikiText-2 from the Hub was used"), "{warnings}");
    assert!(work.join("hf/hub/datasets--Salesforce--wikitext/refs/main").is_file(), "the layout of Python's tools");
    let asked = hub.log().len();
    assert_eq!(asked, 2);
    let second = online().succeed();
    assert_eq!(hub.log().len(), asked, "what is in the cache is not asked for");
    assert_eq!(second.json()["text"], first.json()["text"]);
    let offline = analyze(&work).succeed();
    assert_eq!(offline.json()["text"], first.json()["text"]);
}

#[test]
fn where_the_hub_must_not_be_asked_the_bundled_text_stands_in() {
    let work = Workdir::new();
    let (name, warnings) = told(&analyze(&work).succeed());
    assert_eq!(name, "the bundled text");
    assert!(warnings.contains("cannot be had from the Hub") && warnings.contains("HF_HUB_OFFLINE"), "{warnings}");
}

#[test]
fn a_hub_that_does_not_answer_costs_a_few_seconds() {
    let work = Workdir::new();
    let usual = Instant::now();
    analyze(&work).succeed();
    let usual = usual.elapsed();
    // Connections are accepted by the system and never served.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let outcome = analyze(&work).env("HF_HUB_OFFLINE", "0").env("HF_ENDPOINT", &address).succeed();
    let (name, warnings) = told(&outcome);
    assert_eq!(name, "the bundled text");
    assert!(warnings.contains("cannot be had from the Hub"), "{warnings}");
    assert!(started.elapsed() < 2 * usual + Duration::from_secs(6), "{:?} instead of {usual:?}", started.elapsed());
    drop(silent);
    let refused = analyze(&work).env("HF_HUB_OFFLINE", "0").env("HF_ENDPOINT", &address).succeed();
    assert_eq!(told(&refused).0, "the bundled text");
}
