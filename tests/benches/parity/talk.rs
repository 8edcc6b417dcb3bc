//! Conductor and worker: one line asks, one line answers.
//!
//! ```text
//! worker                         conductor
//! ready BYTES VERSION      →                  built; BYTES were resident before the network was
//!                          ←     go N
//! done SECONDS CPU         →                  N repetitions: on the clock, and on all cores together
//!                          ←     peak
//! peak BYTES               →                  the largest resident set so far
//! ```
//! The end of its input ends a worker.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::Failure;
use crate::case::Case;

/// One repetition of a case.
pub type Repetition = Box<dyn FnMut() -> Result<(), Failure> + Send>;

/// What a repetition took, on average over a turn.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Turn {
    /// On the clock.
    pub seconds: f64,
    /// Of all threads, user and system.
    pub cpu_seconds: f64,
    /// What all other processes had of the machine's cores meanwhile, from 0 to 1.
    pub others: f64,
}

/// Bytes in memory.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Memory {
    /// Before the network was built: program and libraries.
    pub before: u64,
    /// At most.
    pub peak: u64,
}

impl Memory {
    /// What the work took.
    pub fn of_work(self) -> f64 {
        self.peak.saturating_sub(self.before) as f64
    }
}

/// A worker process, from the conductor's side.
pub struct Worker {
    side: &'static str,
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    before: u64,
    /// What it calls itself.
    pub version: String,
}

impl Worker {
    /// This program, as a worker.
    pub fn ours(case: &Case, threads: usize) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--worker", case.name, "--threads", &threads.to_string()]);
        Self::start("stpp", command)
    }

    /// PyTorch.
    pub fn pytorch(case: &Case, python: &Path, threads: usize) -> Result<Self, Failure> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/benches/pytorch.py");
        let mut command = Command::new(python);
        command.arg(script).arg(serde_json::to_string(&case.work)?).arg(threads.to_string());
        command.env("OMP_NUM_THREADS", threads.to_string()).env("MKL_NUM_THREADS", threads.to_string());
        Self::start("PyTorch", command)
    }

    fn start(side: &'static str, mut command: Command) -> Result<Self, Failure> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| {
                format!("start the worker of {side}, {:?}: {error}", command.get_program())
            })?;
        let asks = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut worker = Self { side, child, asks, answers, before: 0, version: String::new() };
        let ready = worker.answer("ready")?;
        let (before, version) = ready.split_once(' ').unwrap_or((&ready, ""));
        worker.before = before.parse()?;
        worker.version = version.to_owned();
        Ok(worker)
    }

    /// So many repetitions.
    pub fn turn(&mut self, repetitions: u32) -> Result<Turn, Failure> {
        let before = Machine::now()?;
        writeln!(self.asks, "go {repetitions}")?;
        let done = self.answer("done")?;
        let after = Machine::now()?;
        let (seconds, cpu) = done.split_once(' ').ok_or("a turn has two times")?;
        let (seconds, cpu) = (seconds.parse::<f64>()?, cpu.parse::<f64>()?);
        let each = |total: f64| total / f64::from(repetitions);
        let others = after.busy_since(before, cpu);
        Ok(Turn { seconds: each(seconds), cpu_seconds: each(cpu), others })
    }

    /// Asks for the memory it took, and lets it end.
    pub fn finish(mut self) -> Result<Memory, Failure> {
        writeln!(self.asks, "peak")?;
        Ok(Memory { before: self.before, peak: self.answer("peak")?.parse()? })
    }

    /// The rest of the next line, which begins with `word`.
    fn answer(&mut self, word: &str) -> Result<String, Failure> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let rest = line.trim_end().strip_prefix(word).map(|rest| rest.trim_start().to_owned());
        rest.ok_or_else(|| format!("the worker of {} ended, or said {line:?} for `{word}`", self.side).into())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time that the cores of the machine have spent, in hundredths of a second.
#[derive(Clone, Copy)]
struct Machine {
    busy: f64,
    idle: f64,
}

impl Machine {
    fn now() -> Result<Self, Failure> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().ok_or("/proc/stat is empty")?;
        // user nice system idle iowait irq softirq steal; what follows is part of user and nice.
        let times: Vec<f64> =
            line.split_whitespace().skip(1).take(8).map(str::parse).collect::<Result<_, _>>()?;
        let idle = times[3] + times[4];
        Ok(Self { busy: times.iter().sum::<f64>() - idle, idle })
    }

    /// The share that went to anything but `own` CPU seconds.
    fn busy_since(self, before: Self, own: f64) -> f64 {
        let (busy, idle) = (self.busy - before.busy, self.idle - before.idle);
        ((busy - own * 100.0) / (busy + idle).max(1.0)).clamp(0.0, 1.0)
    }
}

/// The interpreter that has PyTorch: `PYTHON`, or what `setup.sh` made.
pub fn python() -> Result<PathBuf, Failure> {
    if let Some(python) = env::var_os("PYTHON") {
        return Ok(python.into());
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/python/bin/python");
    if python.exists() {
        return Ok(python);
    }
    Err("there is no PyTorch to compare with; run `bash tests/benches/setup.sh` once, or let PYTHON name an interpreter \
         that has torch and torchvision"
        .into())
}

/// Serves the conductor at the other end of the standard streams.
pub fn serve(
    threads: usize,
    build: impl FnOnce() -> Result<Repetition, Failure> + Send,
) -> Result<(), Failure> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let before = resident("VmRSS")?;
    // As in a run: on one of the threads that the kernels share.
    let mut repetition = rayon::scope(|_| build())?;
    println!("ready {before} stpp {}", env!("CARGO_PKG_VERSION"));
    for line in io::stdin().lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("go", count)) => {
                let count: u32 = count.parse()?;
                let (start, cpu) = (Instant::now(), cpu_seconds());
                rayon::scope(|_| (0..count).try_for_each(|_| repetition()))?;
                println!("done {} {}", start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
            }
            _ => println!("peak {}", resident("VmHWM")?),
        }
    }
    Ok(())
}

/// A line of `/proc/self/status`, in bytes.
fn resident(name: &str) -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes: u64 = line.ok_or("no such line")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// CPU time of all threads of this process.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and the time is ours to write.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
