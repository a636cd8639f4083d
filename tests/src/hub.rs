//! A Hub on the loopback interface that serves one repository, large files from a second server as the real one does.

use crate::loopback::{Reply, Request, Server};
use crate::{Program, Workdir, repository};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The repository's name.
pub const ID: &str = "org/tiny-model";
/// Its only commit.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Its large file.
pub const WEIGHTS: &str = "model.safetensors";
/// The token that opens everything.
pub const TOKEN: &str = "hf_SecretThatNobodyMaySee";

/// Files of a repository, and their routes.
#[derive(Clone)]
pub struct Repo {
    /// Name and content.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The two servers.
pub struct Hub {
    /// Answers the Hub's own routes.
    pub home: Server,
    /// Holds the large files.
    pub store: Server,
    /// What they serve.
    pub repo: Repo,
}

impl Repo {
    /// The example model, with files beside it that nobody needs.
    pub fn tiny() -> Repo {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(repository::tiny_model()).expect("the example model is committed") {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            files.insert(name, std::fs::read(path).expect("readable"));
        }
        for (name, content) in [
            ("pytorch_model.bin", "a pickle"),
            ("tiny.gguf", "another format"),
            ("modeling_tiny.py", "a program"),
            ("onnx/model.onnx", "yet another"),
            ("README.md", "# Tiny\n"),
            ("additional_chat_templates/tool.jinja", "{{ messages }}"),
            (".gitattributes", ""),
        ] {
            files.insert(name.to_owned(), content.into());
        }
        Repo { files }
    }

    /// What the Hub calls a content: SHA-256 of large files, the hash of a git blob for others.
    pub fn etag(&self, name: &str) -> String {
        let content = &self.files[name];
        let hexadecimal = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
        match is_large(name) {
            true => hexadecimal(&Sha256::digest(content)),
            false => {
                let sum = Sha1::new_with_prefix(format!("blob {}\0", content.len())).chain_update(content).finalize();
                hexadecimal(&sum)
            }
        }
    }

    /// The Hub's list of the repository.
    pub fn list(&self) -> serde_json::Value {
        let siblings = self.files.iter().map(|(name, content)| {
            let mut file = serde_json::json!({"rfilename": name, "size": content.len(), "blobId": "f".repeat(40)});
            match is_large(name) {
                true => {
                    file["lfs"] =
                        serde_json::json!({"sha256": self.etag(name), "size": content.len(), "pointerSize": 130})
                }
                false => file["blobId"] = self.etag(name).into(),
            }
            file
        });
        let siblings: Vec<_> = siblings.collect();
        serde_json::json!({"id": ID, "sha": COMMIT, "gated": false, "siblings": siblings})
    }

    fn at_home(&self, request: &Request, store: &str) -> Reply {
        let known = request.headers.get("authorization").is_some_and(|word| word == &format!("Bearer {TOKEN}"));
        let missing = |status, code: &str| Reply::new(status, "{}").with("X-Error-Code", code);
        let path = request.path.split('?').next().unwrap_or_default();
        if let Some(revision) = path.strip_prefix(&format!("/api/models/{ID}/revision/")) {
            return match revision {
                "main" | COMMIT | "refs%2Fpr%2F1" => Reply::new(200, self.list().to_string()),
                _ => missing(404, "RevisionNotFound"),
            };
        }
        let Some(name) = path.strip_prefix(&format!("/{ID}/resolve/{COMMIT}/")) else {
            // The real Hub hides from strangers whether a private repository exists.
            return missing(if known { 404 } else { 401 }, "RepoNotFound");
        };
        let Some(content) = self.files.get(name) else { return missing(404, "EntryNotFound") };
        let reply = match is_large(name) {
            true => Reply::new(302, "Found. Redirecting")
                .with("Location", format!("{store}/blobs/{name}?signature=SignedKey"))
                .with("X-Linked-Etag", format!("\"{}\"", self.etag(name)))
                .with("X-Linked-Size", content.len()),
            false => Reply::ranged(request, content).with("ETag", format!("\"{}\"", self.etag(name))),
        };
        reply.with("X-Repo-Commit", COMMIT)
    }

    fn in_store(&self, request: &Request) -> Reply {
        let name = request.path.strip_prefix("/blobs/").and_then(|path| path.split('?').next()).unwrap_or_default();
        match self.files.get(name) {
            // A foreign server's ETag says nothing about the content.
            Some(content) => Reply::ranged(request, content).with("ETag", "\"0123-multipart-7\""),
            None => Reply::new(404, "no such key"),
        }
    }
}

impl Hub {
    /// A Hub that behaves.
    pub fn start(repo: Repo) -> Hub {
        Hub::meddled(repo, |_, _| None, |_, _| None)
    }

    /// A Hub whose answers go through the test's hands, first those of the routes, then those of the store.
    pub fn meddled(
        repo: Repo,
        home: impl Fn(&Request, &Reply) -> Option<Reply> + Send + Sync + 'static,
        store: impl Fn(&Request, &Reply) -> Option<Reply> + Send + Sync + 'static,
    ) -> Hub {
        let shared = Arc::new(repo.clone());
        let (of_home, of_store) = (Arc::clone(&shared), shared);
        let store = Server::start(move |request| {
            let reply = of_store.in_store(request);
            store(request, &reply).unwrap_or(reply)
        });
        let address = store.url();
        let home = Server::start(move |request| {
            let reply = of_home.at_home(request, &address);
            home(request, &reply).unwrap_or(reply)
        });
        Hub { home, store, repo }
    }

    /// A call of the program that knows this Hub, with short patience.
    pub fn program(&self, folder: &Workdir, line: &str) -> Program {
        folder
            .program(line.split_whitespace())
            .env("HF_HUB_OFFLINE", "0")
            .env("HF_ENDPOINT", self.home.url())
            .env("HF_HOME", folder.join("hf"))
            .env("HF_HUB_DOWNLOAD_TIMEOUT", "0.5")
            .env("LLM_QUANTIZE_HUB_ATTEMPTS", "3")
            .env("LLM_QUANTIZE_HUB_BACKOFF", "0.01")
    }

    /// Ranges asked of the store from a byte other than the first, or without an end.
    pub fn continued(&self) -> Vec<String> {
        let ranges = self.store.log().into_iter().filter_map(|request| request.headers.get("range").cloned());
        ranges.filter(|range| range.ends_with('-')).collect()
    }
}

/// The cache's part for the repository.
pub fn shelf(folder: &Workdir) -> std::path::PathBuf {
    folder.join("hf/hub/models--org--tiny-model")
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".bin") || name.ends_with(".gguf")
}
