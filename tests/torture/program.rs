//! The program, called with faults.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A call that takes longer hangs: an undisturbed one takes two seconds.
const LIMIT: Duration = Duration::from_secs(120);

const SIGKILL: i32 = 9;

/// A call that was not made yet.
pub struct Call {
    command: Command,
    folder: PathBuf,
}

/// A call that was made.
pub struct Running {
    child: Child,
    words: String,
    said: PathBuf,
    complained: PathBuf,
}

/// A call that ended.
pub struct Ended {
    words: String,
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Call {
    /// Calls the program in a folder; its words go to files beside that folder's own.
    pub fn new<'a>(folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stpp"));
        command.current_dir(folder).args(args).env("COLUMNS", "200");
        for name in ["STPP_STORE", "STPP_DATA", "STPP_FAILPOINT", "STPP_FAILPOINT_LOG", "STPP_CLOCK_OFFSET"] {
            command.env_remove(name);
        }
        Self { command, folder: folder.to_owned() }
    }

    /// With another argument.
    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// With a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With a fault, as `STPP_FAILPOINT` takes it.
    pub fn fault(self, fault: &str) -> Self {
        self.env("STPP_FAILPOINT", fault)
    }

    /// Begins.
    pub fn start(mut self) -> Running {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let calls = self.folder.join("calls");
        std::fs::create_dir_all(&calls).unwrap();
        let number = CALLS.fetch_add(1, Ordering::Relaxed);
        let (said, complained) = (calls.join(format!("{number}.out")), calls.join(format!("{number}.err")));
        let file = |path: &Path| std::fs::File::create(path).unwrap();
        let set: Vec<String> = self
            .command
            .get_envs()
            .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())))
            .collect();
        let args: Vec<_> = self.command.get_args().map(|arg| arg.to_string_lossy()).collect();
        let words = format!("{} stpp {}", set.join(" "), args.join(" "));
        let command = self.command.stdin(Stdio::null()).stdout(file(&said)).stderr(file(&complained));
        let child = command.spawn().expect("the program can be started");
        Running { child, words, said, complained }
    }

    /// Begins and waits for the end.
    pub fn end(self) -> Ended {
        self.start().end()
    }
}

impl Running {
    /// Waits for the end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let from = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return self.ended(status);
            }
            assert!(from.elapsed() < LIMIT, "{} hangs\n{}", self.words, self.words_so_far());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether a word was written to standard output so far.
    pub fn has_said(&self, word: &str) -> bool {
        read(&self.said).contains(word)
    }

    /// Waits until something is so; a call that ends before fails.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&str) -> bool) {
        let from = Instant::now();
        while !is_so(&read(&self.said)) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended without {what}\n{}", self.words, self.words_so_far());
            assert!(from.elapsed() < LIMIT, "{} hangs without {what}\n{}", self.words, self.words_so_far());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits a while, or to the end, and ends it as `kill -9` does.
    pub fn kill_after(mut self, delay: Duration) -> Ended {
        let from = Instant::now();
        while from.elapsed() < delay && self.child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.child.kill().expect("a process of ours can be ended");
        let status = self.child.wait().unwrap();
        self.ended(status)
    }

    fn ended(&self, status: ExitStatus) -> Ended {
        let (stdout, stderr) = (read(&self.said), read(&self.complained));
        Ended { words: self.words.clone(), status, stdout, stderr }
    }

    fn words_so_far(&self) -> String {
        format!("{}\n{}", read(&self.said), read(&self.complained))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ended {
    /// Ended with a code, and without a panic.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        self.one_of(&[code])
    }

    /// Ended with one of some codes, and without a panic.
    #[track_caller]
    pub fn one_of(self, codes: &[i32]) -> Self {
        let is_expected = self.status.code().is_some_and(|code| codes.contains(&code));
        assert!(is_expected && !self.stderr.contains("panicked"), "expected {codes:?}: {}", self.all());
        self
    }

    /// Ended by SIGKILL.
    #[track_caller]
    pub fn killed(self) -> Self {
        assert!(self.was_killed(), "expected to be killed: {}", self.all());
        self
    }

    /// Whether it ended by SIGKILL.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(SIGKILL)
    }

    /// The exit code; none after a signal that nobody catches.
    pub fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Said something somewhere. Where lines are broken does not matter.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        let joined = all.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(text), "expected {text:?}: {}", self.all());
        self
    }

    /// How often each stage was finished, by key, from the events of `--json`.
    pub fn finished(&self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for line in self.stdout.lines() {
            // The last line of a process that was killed may be torn.
            let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
            if event["event"] == "finished" {
                let key = event["stage"]["key"].as_str().expect("a stage has a key");
                *count.entry(key.to_owned()).or_default() += 1;
            }
        }
        count
    }

    /// All there is to tell.
    pub fn all(&self) -> String {
        let last: Vec<&str> = self.stdout.lines().rev().take(5).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
        format!("{}: {}\n{last}\n{}", self.words, self.status, self.stderr)
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
