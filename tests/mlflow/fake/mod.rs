//! A tracking server in this process that fails when it is told to.

pub mod http;
pub mod state;

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
pub use state::State;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed before anything happens.
    DropBefore,
    /// It happens, and then the connection is closed.
    DropAfter,
    /// A page that says 500; nothing happens.
    Html500,
    /// It happens, and then the same page.
    Html500After,
    /// A text that says 503.
    Text503,
    /// Too many requests, with an errand for the next one.
    TooMany,
    /// It happens, late.
    Slow,
    /// It happens, and half of the answer's body comes.
    Truncated,
    /// It happens, and then the connection is torn down.
    ResetAfter,
}

impl Fault {
    pub const ALL: [Self; 9] = [
        Self::DropBefore,
        Self::DropAfter,
        Self::Html500,
        Self::Html500After,
        Self::Text503,
        Self::TooMany,
        Self::Slow,
        Self::Truncated,
        Self::ResetAfter,
    ];
}

/// What kind of server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    #[default]
    MLflow,
    /// Answers everything with a page.
    NotMlflow,
    /// Answers everything with a page that says that there is none.
    Nothing,
    /// Knows no datasets.
    Old,
    /// Keeps artifacts where clients can't write.
    Remote,
    /// Does not know the name that it is called by.
    HostRefusal,
    /// Lets nobody write.
    ReadOnly,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub kind: Kind,
    /// Name and password.
    pub auth: Option<(&'static str, &'static str)>,
    /// A token.
    pub bearer: Option<&'static str>,
    /// A metric that is never accepted.
    pub reject_metric: Option<String>,
    /// The most runs or points of a page.
    pub page: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { kind: Kind::MLflow, auth: None, bearer: None, reject_metric: None, page: 3 }
    }
}

pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    options: Mutex<Options>,
    state: Mutex<State>,
    faults: Mutex<VecDeque<Option<Fault>>>,
    seen: Mutex<Vec<Request>>,
    open: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

impl Fake {
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            options: Mutex::new(options),
            state: Mutex::default(),
            faults: Mutex::default(),
            seen: Mutex::default(),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if theirs.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&theirs);
                shared.open.lock().unwrap().push(stream.try_clone().unwrap());
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One entry per request from now on; then none fails.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        *self.shared.faults.lock().unwrap() = faults.into_iter().collect();
    }

    pub fn change(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.options.lock().unwrap());
    }

    pub fn state(&self) -> State {
        self.shared.state.lock().unwrap().clone()
    }

    pub fn alter(&self, alter: impl FnOnce(&mut State)) {
        alter(&mut self.shared.state.lock().unwrap());
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
        for stream in self.shared.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Ok(Some(request)) = http::read(&mut reader) {
            self.seen.lock().unwrap().push(request.clone());
            let fault = self.faults.lock().unwrap().pop_front().flatten();
            let answer = || self.answer(&request);
            let page = || Response::text(500, "text/html", "<!doctype html><h1>Internal Server Error</h1>");
            let go_on = match fault {
                None => answer().write(&mut stream).is_ok(),
                Some(Fault::Slow) => {
                    std::thread::sleep(Duration::from_millis(30));
                    answer().write(&mut stream).is_ok()
                }
                Some(Fault::DropBefore) => false,
                Some(Fault::DropAfter | Fault::ResetAfter) => {
                    answer();
                    false
                }
                Some(Fault::Html500) => page().write(&mut stream).is_ok(),
                Some(Fault::Html500After) => {
                    answer();
                    page().write(&mut stream).is_ok()
                }
                Some(Fault::Text503) => {
                    Response::text(503, "text/plain", "Service Unavailable").write(&mut stream).is_ok()
                }
                Some(Fault::TooMany) => {
                    let mut answer = Response::text(429, "text/plain", "slow down");
                    answer.headers.push(("Retry-After", "0".to_owned()));
                    answer.write(&mut stream).is_ok()
                }
                Some(Fault::Truncated) => {
                    let bytes = answer().bytes();
                    let _ = stream.write_all(&bytes[..bytes.len() - bytes.len().min(7)]);
                    false
                }
            };
            if !go_on {
                break;
            }
        }
        drop(stream.shutdown(Shutdown::Both));
    }

    fn answer(&self, request: &Request) -> Response {
        let options = self.options.lock().unwrap().clone();
        let refused = |status, words: &str| Response::text(status, "text/plain", words);
        match options.kind {
            Kind::NotMlflow => return Response::text(200, "text/html", "<!doctype html><h1>Welcome</h1>"),
            Kind::Nothing => return Response::text(404, "text/html", "<!doctype html><h1>Not Found</h1>"),
            Kind::HostRefusal => {
                return refused(403, "Invalid Host header - possible DNS rebinding attack detected");
            }
            Kind::ReadOnly if request.method != "GET" && !request.path().ends_with("runs/search") => {
                return refused(403, "Permission denied");
            }
            _ => {}
        }
        let said = request.header("authorization");
        let is_known = match (&options.auth, options.bearer) {
            (Some((name, password)), _) => said == format!("Basic {}", base64(&format!("{name}:{password}"))),
            (None, Some(token)) => said == format!("Bearer {token}"),
            (None, None) => true,
        };
        if !is_known {
            let mut answer = Response::text(401, "text/html", "You are not authenticated.");
            answer.headers.push(("WWW-Authenticate", "Basic realm=\"mlflow\"".to_owned()));
            return answer;
        }
        self.state.lock().unwrap().answer(request, &options)
    }
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut said = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63] as char;
            said.push(if at <= chunk.len() { digit } else { '=' });
        }
    }
    said
}
