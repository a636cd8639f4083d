//! Requests that always end: redirects followed by hand, every wait bounded, Ctrl-C heard in the middle of silence.
//!
//! Each request runs on a thread of its own, which hands over what arrives through a short queue. The caller looks for
//! a cancellation while the thread sits in a system call, and hashes and writes while the next bytes travel.

use super::retry::{Trouble, stopped};
use super::settings::{Settings, Token};
use crate::cancel::Cancel;
use crate::failure::{Class, Failure};
use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use ureq::http::{HeaderMap, Uri};
use ureq::{Agent, Timeout};

/// Most redirects in a row. The Hub needs one, two after a renaming.
const REDIRECTS: usize = 6;
/// Bytes handed over at once, and how many such pieces may wait.
const PIECE: usize = 256 << 10;
const QUEUE: usize = 8;
/// How often a wait looks whether it was cancelled.
const TICK: Duration = Duration::from_millis(50);

/// The way to one server.
pub struct Web {
    agent: Agent,
    endpoint: String,
    token: Option<Token>,
    cancel: Cancel,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub enum Ask {
    /// The head of the answer only; redirects to other servers are not followed.
    Head,
    /// Everything.
    All,
    /// Everything from a byte on.
    From(u64),
    /// The bytes of a range, both ends counted.
    Between(u64, u64),
}

/// The head of an answer, with its body on the way.
pub struct Answer {
    /// Status of the last answer.
    pub status: u16,
    /// Headers of the last answer that our own server gave: a foreign server's word on checksums counts for nothing.
    pub own: HeaderMap,
    /// Headers of the answer that has the body.
    pub last: HeaderMap,
    body: Receiver<Arrived>,
    cancel: Cancel,
}

enum Arrived {
    Head(u16, HeaderMap, HeaderMap),
    Piece(Vec<u8>),
    End,
    Broken(Trouble),
}

impl Web {
    /// An agent for the settings.
    pub fn new(settings: &Settings, cancel: &Cancel) -> Web {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("llm-quantize/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(settings.answer_timeout))
            .timeout_connect(Some(settings.answer_timeout))
            .timeout_send_request(Some(settings.answer_timeout))
            .timeout_recv_response(Some(settings.answer_timeout))
            .timeout_per_read(Some(settings.stall_timeout))
            .build()
            .new_agent();
        Web { agent, endpoint: settings.endpoint.clone(), token: settings.token.clone(), cancel: cancel.clone() }
    }

    /// Sends a request for a path of our server, and waits for the head of the answer.
    pub fn ask(&self, path: &str, ask: Ask) -> Result<Answer, Trouble> {
        let (sender, body) = sync_channel(QUEUE);
        let errand = Errand {
            agent: self.agent.clone(),
            home: origin(&self.endpoint.parse().map_err(|_| address(&self.endpoint))?),
            token: self.token.clone(),
            ask,
        };
        let url = format!("{}{path}", self.endpoint);
        std::thread::spawn(move || {
            if let Err(trouble) = errand.run(url, &sender) {
                // Nobody listens any more if the caller was cancelled.
                let _ = sender.send(Arrived::Broken(trouble));
            }
        });
        let mut answer =
            Answer { status: 0, own: HeaderMap::new(), last: HeaderMap::new(), body, cancel: self.cancel.clone() };
        match answer.wait()? {
            Arrived::Head(status, own, last) => (answer.status, answer.own, answer.last) = (status, own, last),
            Arrived::Broken(trouble) => return Err(trouble),
            Arrived::Piece(_) | Arrived::End => return Err(Trouble::passing("the answer has no head")),
        }
        Ok(answer)
    }

    /// Whether requests carry a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }
}

impl Answer {
    /// The next bytes of the body; `None` at its end.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        match self.wait()? {
            Arrived::Piece(bytes) => Ok(Some(bytes)),
            Arrived::Broken(trouble) => Err(trouble),
            Arrived::End | Arrived::Head(..) => Ok(None),
        }
    }

    /// The body, of at most `limit` bytes; whatever is longer is cut there.
    pub fn first(mut self, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut whole = Vec::new();
        while whole.len() < limit
            && let Some(bytes) = self.next()?
        {
            whole.extend_from_slice(&bytes);
        }
        whole.truncate(limit);
        Ok(whole)
    }

    /// A header of our own server.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.own.get(name)?.to_str().ok()
    }

    fn wait(&mut self) -> Result<Arrived, Trouble> {
        loop {
            if self.cancel.requested() {
                return Err(stopped().into());
            }
            match self.body.recv_timeout(TICK) {
                Ok(arrived) => return Ok(arrived),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Trouble::passing("the connection broke")),
            }
        }
    }
}

/// One request with its redirects.
struct Errand {
    agent: Agent,
    home: (String, String, u16),
    token: Option<Token>,
    ask: Ask,
}

impl Errand {
    fn run(&self, mut url: String, to: &SyncSender<Arrived>) -> Result<(), Trouble> {
        let mut own = HeaderMap::new();
        for _ in 0..=REDIRECTS {
            let uri: Uri = url.parse().map_err(|_| address(&url))?;
            let at_home = origin(&uri) == self.home;
            let mut response = self.send(&uri, at_home).map_err(|error| passing(&error))?;
            let status = response.status().as_u16();
            if at_home {
                // What the server said before it sent us on to another path of its own still holds, unless said anew.
                for (name, value) in response.headers() {
                    own.insert(name.clone(), value.clone());
                }
            }
            if let (301 | 302 | 303 | 307 | 308, Some(to)) = (status, response.headers().get("location")) {
                let next = to.to_str().ok().and_then(|to| resolve(&uri, to)).ok_or_else(|| address("a redirect"))?;
                if !matches!(self.ask, Ask::Head) || origin(&next) == self.home {
                    url = next.to_string();
                    continue;
                }
            }
            let last = response.headers().clone();
            if to.send(Arrived::Head(status, own, last)).is_err() || matches!(self.ask, Ask::Head) {
                return Ok(());
            }
            let mut body = response.body_mut().as_reader();
            let mut piece = vec![0; PIECE];
            loop {
                let count = match body.read(&mut piece) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(passing(&ureq::Error::from(error))),
                };
                if to.send(Arrived::Piece(piece[..count].to_vec())).is_err() {
                    return Ok(());
                }
            }
            let _ = to.send(Arrived::End);
            return Ok(());
        }
        let message = format!("The server redirects more than {REDIRECTS} times");
        Err(Failure::new(Class::General, message)
            .suggest("Check HF_ENDPOINT and the proxy settings, if any are set")
            .into())
    }

    fn send(&self, uri: &Uri, at_home: bool) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let mut request = match self.ask {
            Ask::Head => self.agent.head(uri),
            Ask::All | Ask::From(_) | Ask::Between(..) => self.agent.get(uri),
        };
        match self.ask {
            Ask::From(first) => request = request.header("range", format!("bytes={first}-")),
            Ask::Between(first, last) => request = request.header("range", format!("bytes={first}-{last}")),
            Ask::Head | Ask::All => {}
        }
        if let Some(token) = self.token.as_ref().filter(|_| at_home) {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        request.call()
    }
}

/// Scheme, host and port: what must be equal for a token to go along.
fn origin(uri: &Uri) -> (String, String, u16) {
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    (scheme, uri.host().unwrap_or_default().to_ascii_lowercase(), port)
}

/// Where a Location header leads. Never from https to http, never to anything but a web server.
fn resolve(from: &Uri, to: &str) -> Option<Uri> {
    let scheme = from.scheme_str()?;
    let to = to.split('#').next()?;
    let absolute = match to {
        _ if to.starts_with("//") => format!("{scheme}:{to}"),
        _ if to.starts_with('/') => format!("{scheme}://{}{to}", from.authority()?),
        _ => to.to_owned(),
    };
    let uri: Uri = absolute.parse().ok()?;
    let allowed = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && scheme == "http");
    (allowed && uri.host().is_some()).then_some(uri)
}

fn address(what: &str) -> Failure {
    Failure::new(Class::General, format!("The server's address is unusable: {what}")).suggest("Check HF_ENDPOINT")
}

/// Everything that goes wrong below HTTP may go away by itself. Addresses stay out of the words: signed ones are keys.
fn passing(error: &ureq::Error) -> Trouble {
    Trouble::passing(match error {
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => "no connection in time".to_owned(),
        ureq::Error::Timeout(Timeout::RecvResponse | Timeout::SendRequest) => "no answer in time".to_owned(),
        ureq::Error::Timeout(Timeout::PerRead) => "the connection fell silent".to_owned(),
        ureq::Error::HostNotFound => "the server's name is not known".to_owned(),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            Some(inner) => return passing(inner),
            None => error.to_string(),
        },
        ureq::Error::BadUri(_) => "the server's address is unusable".to_owned(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_web_servers_and_never_from_https_to_http() {
        let led = |from: &str, to: &str| resolve(&from.parse().unwrap(), to).map(|uri| uri.to_string());
        assert_eq!(led("https://a/x", "/y?z=1#f").unwrap(), "https://a/y?z=1");
        assert_eq!(led("https://a:8/x", "//b/y").unwrap(), "https://b/y");
        assert_eq!(led("http://a/x", "https://b/y").unwrap(), "https://b/y");
        for bad in ["http://a/y", "file:///etc/passwd", "ftp://a/b", "y", "", "https://"] {
            assert_eq!(led("https://a/x", bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_goes_to_one_origin_only() {
        let home = origin(&"https://hub".parse().unwrap());
        assert_eq!(origin(&"https://HUB:443/x".parse().unwrap()), home);
        for other in ["http://hub/", "https://hub:8443/", "https://cdn.hub/", "https://hub.evil/"] {
            assert_ne!(origin(&other.parse().unwrap()), home, "{other}");
        }
    }
}
