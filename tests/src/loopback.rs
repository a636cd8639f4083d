//! A tiny HTTP server on the loopback interface: every answer is the test's to shape, damage, slow down or cut.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` or `HEAD`.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers; Content-Length is added unless it is here.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What happens to the body on its way.
    pub way: Way,
}

/// How a body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As it should.
    Smooth,
    /// The connection closes after so many bytes.
    Cut(usize),
    /// After so many bytes nothing more comes, and the connection stays open.
    Stall(usize),
    /// A piece of so many bytes every 20 milliseconds.
    Slow(usize),
}

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Reply {
    /// An answer with a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, headers: Vec::new(), body: body.into(), way: Way::Smooth }
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: impl ToString) -> Reply {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Lets the body travel in another way.
    pub fn on(mut self, way: Way) -> Reply {
        self.way = way;
        self
    }

    /// `body`, or the part of it that the request's Range header names.
    pub fn ranged(request: &Request, body: &[u8]) -> Reply {
        let Some(range) = request.headers.get("range") else { return Reply::new(200, body) };
        let (first, last) = range.strip_prefix("bytes=").and_then(|r| r.split_once('-')).expect("a range of bytes");
        let first: usize = first.parse().expect("a number");
        let last: usize = last.parse().unwrap_or(usize::MAX).min(body.len().saturating_sub(1));
        if first >= body.len() {
            return Reply::new(416, "").with("Content-Range", format!("bytes */{}", body.len()));
        }
        let range = format!("bytes {first}-{last}/{}", body.len());
        Reply::new(206, &body[first..=last]).with("Content-Range", range)
    }
}

impl Server {
    /// Starts a server whose every answer `answer` makes.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface");
        let address = listener.local_addr().expect("bound");
        let (log, stop) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<AtomicBool>::default());
        let (seen, stopped, answer) = (Arc::clone(&log), Arc::clone(&stop), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, stopped, answer) = (Arc::clone(&seen), Arc::clone(&stopped), Arc::clone(&answer));
                std::thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        seen.lock().expect("no test panics here").push(request.clone());
                        // A client that went away is the client's business.
                        let _ = write(stream, &request, &answer(&request), &stopped);
                    }
                });
            }
        });
        Server { address, log, stop }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything asked so far.
    pub fn log(&self) -> Vec<Request> {
        self.log.lock().expect("no test panics here").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the loop, so that it sees the flag and frees the port.
        let _ = TcpStream::connect(self.address);
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).take(64 << 10).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            return Some(Request { method, path, headers });
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    None
}

fn write(mut stream: TcpStream, request: &Request, reply: &Reply, stopped: &AtomicBool) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Whatever\r\nConnection: close\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method == "HEAD" {
        return Ok(());
    }
    match reply.way {
        Way::Smooth => stream.write_all(&reply.body),
        Way::Cut(bytes) => stream.write_all(&reply.body[..bytes]),
        Way::Stall(bytes) => {
            stream.write_all(&reply.body[..bytes])?;
            for _ in 0..1000 {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        Way::Slow(bytes) => reply.body.chunks(bytes).try_for_each(|piece| {
            std::thread::sleep(Duration::from_millis(20));
            stream.write_all(piece)
        }),
    }
}
