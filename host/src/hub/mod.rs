//! Models of the Hugging Face Hub: `org/name[@revision]` becomes a folder in the cache that Python's tools share.
//!
//! Of the crate hf-hub 0.5 this uses the layout of the cache (`models--org--name/{blobs,refs,snapshots}`). Its
//! transfers are not used. Measured against a loopback server, they have no read timeout (a stalled connection hangs
//! until it is killed), verify nothing (a stale partial file with wrong bytes is accepted), do not retry unless told,
//! and cannot be stopped. So requests go through an own agent (`Web`): every wait ends, every byte is checked.
//!
//! What decides, first wins:
//! - cache: `LLM_QUANTIZE_CACHE`, `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `$HF_HOME/hub`,
//!   `$XDG_CACHE_HOME/huggingface/hub`, `~/.cache/huggingface/hub`;
//! - token: `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the file `HF_TOKEN_PATH`, the file `token` in `HF_HOME` (or the
//!   folder that stands in for it above);
//! - server: `HF_ENDPOINT`, <https://huggingface.co>. The token goes to this server and to no other one, whatever it
//!   redirects to;
//! - `HF_HUB_OFFLINE=1` (or `TRANSFORMERS_OFFLINE=1`): nothing is asked, the cache alone answers;
//! - `HF_HUB_ETAG_TIMEOUT` (connection and answer, 30 s), `HF_HUB_DOWNLOAD_TIMEOUT` (silence within a body, 30 s),
//!   `LLM_QUANTIZE_HUB_ATTEMPTS` (5 without progress), `LLM_QUANTIZE_HUB_BACKOFF` (first pause, 1 s, then doubled).
//!
//! A data set's file is fetched by the same rules (`file`), with less patience for a server that does not answer at all.
//!
//! A bare `name` is never asked for: every repository of that kind has a home like `openai-community/gpt2` now, and a
//! mistyped folder name must not become a request to a server.

mod cache;
mod checksum;
mod choice;
mod download;
mod fetch;
mod file;
mod headers_only;
mod id;
mod listing;
mod refusal;
mod remote;
mod retry;
mod settings;
mod web;

pub use fetch::{Extent, Fetched, fetch};
pub use file::fetch_file;
pub use id::HubId;
pub use settings::{Settings, Token};
