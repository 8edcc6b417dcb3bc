//! Drives the program: a folder of its own for every test, and one line per thing that is expected.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A call that takes longer hangs: the longest of these tests' own takes some seconds.
const LIMIT: Duration = Duration::from_secs(240);

/// A user's folder, and the program in it.
pub struct Test {
    folder: TempDir,
    data: Option<PathBuf>,
}

/// What a call of the program left.
pub struct Ran {
    words: String,
    output: Output,
}

impl Test {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made"), data: None }
    }

    /// Lets the program see `STPP_DATA`.
    pub fn data(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// Writes a text file, such as a spec.
    pub fn spec(self, name: &str, text: &str) -> Self {
        self.write(name, text.as_bytes());
        self
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A text in the folder.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Calls the program in the folder, with a store there, and waits for its end.
    pub fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Ran {
        Ran::of(self.command(args), |_, _| ())
    }

    /// Calls the program with a variable set.
    pub fn run_with<I: AsRef<OsStr>>(
        &self,
        name: &str,
        value: &str,
        args: impl IntoIterator<Item = I>,
    ) -> Ran {
        let mut command = self.command(args);
        command.env(name, value);
        Ran::of(command, |_, _| ())
    }

    /// Calls the program with `--json` and sends it a signal as soon as an event is as wanted.
    pub fn signalled<I: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = I>,
        signal: &str,
        when: impl Fn(&Value) -> bool,
    ) -> Ran {
        let mut command = self.command(args);
        command.arg("--json");
        let mut sent = false;
        let ran = Ran::of(command, |id, line| {
            if !sent && when(&serde_json::from_str(line).expect("an event is a line of JSON")) {
                let kill = Command::new("kill").args(["-s", signal, &id.to_string()]).status();
                sent = kill.expect("there is a kill command").success();
            }
        });
        assert!(sent, "{}: the event to wait for never came\n{}", ran.words, ran.stdout());
        ran
    }

    /// A call of the program in the folder, that has not begun.
    pub fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stpp"));
        command.current_dir(self.folder.path()).args(args);
        command
            .env_remove("STPP_STORE")
            .env_remove("STPP_DATA")
            .env_remove("MLFLOW_TRACKING_URI")
            .env("COLUMNS", "200");
        if let Some(data) = &self.data {
            command.env("STPP_DATA", data);
        }
        command
    }
}

impl Ran {
    /// Waits for the end of a call; `hear` is told every line of standard output as it comes, and the process's id.
    /// A call that takes too long is ended.
    fn of(mut command: Command, mut hear: impl FnMut(u32, &str)) -> Self {
        let words = format!("{command:?}");
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("the program can be started");
        let id = child.id();
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut err = child.stderr.take().expect("it is piped");
        let (sender, lines) = channel();
        let heard = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            err.read_to_end(&mut bytes).map(|_| bytes)
        });
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut stdout = String::new();
        let end = Instant::now() + LIMIT;
        let in_time = loop {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    hear(id, &line);
                    stdout.push_str(&line);
                    stdout.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break true,
                Err(RecvTimeoutError::Timeout) => break false,
            }
        };
        if !in_time {
            child.kill().expect("a process of ours can be ended");
        }
        let status = child.wait().expect("a process of ours ends");
        let stderr = heard.join().expect("reading does not panic").expect("a pipe can be read");
        let ran = Self { words, output: Output { status, stdout: stdout.into_bytes(), stderr } };
        assert!(in_time, "{} took more than {LIMIT:?}\n{}{}", ran.words, ran.stdout(), ran.stderr());
        ran
    }

    /// Ended with 0.
    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// Ended with a code, and without a panic.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        let found = self.output.status.code();
        assert_eq!(found, Some(code), "{}\nstdout: {}\nstderr: {}", self.words, self.stdout(), self.stderr());
        assert!(!self.stderr().contains("panicked"), "{}\n{}", self.words, self.stderr());
        self
    }

    /// Said something on standard error. Where lines are broken does not matter.
    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        let (said, text) = (one_line(&self.stderr()), one_line(text));
        assert!(said.contains(&text), "{}\nexpected {text:?} in\n{}", self.words, self.stderr());
        self
    }

    /// Said something on standard output.
    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        assert!(self.stdout().contains(text), "{}\nexpected {text:?} in\n{}", self.words, self.stdout());
        self
    }

    /// The exit code; none after a signal that nobody catches.
    pub fn exit_code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Standard output.
    pub fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).expect("it is UTF-8")
    }

    /// Standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8(self.output.stderr.clone()).expect("it is UTF-8")
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|error| panic!("{error} in {}", self.stdout()))
    }

    /// Standard output as a JSON value per line.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let read =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.stdout().lines().map(read).collect()
    }

    /// How many stages of every kind were run, from the events of `--json`.
    #[track_caller]
    pub fn stages(&self) -> BTreeMap<String, usize> {
        let mut stages = BTreeMap::new();
        for event in self.events() {
            if event["event"] == "finished" {
                *stages.entry(words(&event["stage"])).or_default() += 1;
            }
        }
        stages
    }

    /// How many stages of every kind are to run, from the plan's JSON.
    #[track_caller]
    pub fn to_run(&self) -> BTreeMap<String, u64> {
        self.column("to_run").into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// How many distinct stages of every kind there are, from the plan's JSON.
    #[track_caller]
    pub fn distinct(&self) -> BTreeMap<String, u64> {
        self.column("distinct")
    }

    fn column(&self, name: &str) -> BTreeMap<String, u64> {
        let plan = self.json();
        let rows = plan["stages"].as_array().expect("a plan has stages");
        rows.iter().map(|row| (words(row), row[name].as_u64().expect("a count"))).collect()
    }
}

/// `retrain student_1`, `teacher`, `prepare`.
fn words(stage: &Value) -> String {
    let kind = stage["kind"].as_str().expect("a stage has a kind");
    match stage["role"].as_str() {
        Some(role) if role != kind => format!("{kind} {role}"),
        _ => kind.to_owned(),
    }
}

/// The folder with real images that `STPP_DATA` names; without it, says that a test is skipped.
pub fn real_data() -> Option<PathBuf> {
    let data = std::env::var_os("STPP_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if data.is_none() {
        println!("skipped: STPP_DATA names no folder with datasets");
    }
    data
}

/// A count per name, to compare with.
pub fn counts<N: From<u8>>(rows: &[(&str, u8)]) -> BTreeMap<String, N> {
    rows.iter().map(|(name, count)| ((*name).to_owned(), N::from(*count))).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
