//! A real MLflow server, in a folder and a process group of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// From empty it takes half a minute on two busy cores.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Server {
    python: PathBuf,
    folder: TempDir,
    port: u16,
    auth: Option<(String, String)>,
    process: Option<Child>,
}

/// The Python that `setup.sh` installed MLflow for; without it, says that a test is skipped.
pub fn provisioned() -> Option<PathBuf> {
    let python = std::env::var_os("STPP_MLFLOW").map(|folder| PathBuf::from(folder).join("bin/python"));
    let python = python.filter(|python| python.is_file());
    if python.is_none() {
        println!("skipped: STPP_MLFLOW names no folder that tests/mlflow/setup.sh has filled");
    }
    python
}

impl Server {
    pub fn start(python: &Path) -> Self {
        Self::begin(python, None)
    }

    pub fn start_with_auth(python: &Path, user: &str, password: &str) -> Self {
        Self::begin(python, Some((user.to_owned(), password.to_owned())))
    }

    fn begin(python: &Path, auth: Option<(String, String)>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { python: python.to_owned(), folder, port, auth, process: None };
        server.restart();
        server
    }

    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts on the same port and the same database.
    pub fn restart(&mut self) {
        self.launch();
        let end = Instant::now() + PATIENCE;
        while !self.is_healthy() {
            let has_ended = self.process.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some());
            assert!(!has_ended && Instant::now() < end, "the server does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Starts, and does not wait for it.
    pub fn launch(&mut self) {
        self.kill();
        let root = self.folder.path();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(root.join("log")).unwrap();
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"])
            .args(["--port", &self.port.to_string()])
            .args(["--backend-store-uri", &format!("sqlite:///{}/mlflow.db", root.display())])
            .args(["--artifacts-destination", &root.join("artifacts").display().to_string()])
            .current_dir(root)
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env_remove("MLFLOW_TRACKING_URI")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        if let Some((user, password)) = &self.auth {
            let ini = format!(
                "[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{}/auth.db\nadmin_username = {user}\n\
                 admin_password = {password}\nauthorization_function = \
                 mlflow.server.auth:authenticate_request_basic_auth\n",
                root.display()
            );
            std::fs::write(root.join("auth.ini"), ini).unwrap();
            command
                .args(["--app-name", "basic-auth"])
                .env("MLFLOW_AUTH_CONFIG_PATH", root.join("auth.ini"))
                .env("MLFLOW_FLASK_SERVER_SECRET_KEY", "for-tests-alone");
        }
        self.process = Some(command.spawn().expect("the server can be started"));
    }

    /// Ends it at once, with all its children.
    pub fn kill(&mut self) {
        self.signal("KILL");
    }

    fn signal(&mut self, signal: &str) {
        if let Some(mut child) = self.process.take() {
            let group = format!("-{}", child.id());
            drop(Command::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status());
            drop(child.wait());
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn is_healthy(&self) -> bool {
        self.raw("GET", "/health", "").is_some_and(|answer| answer.ends_with("OK"))
    }

    /// A request past the client that is tested.
    pub fn post(&self, call: &str, body: &Value) -> Value {
        let answer = self.raw("POST", &format!("/api/2.0/mlflow/{call}"), &body.to_string());
        let answer = answer.expect("the server answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    fn raw(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("KILL");
    }
}
