//! stpp against PyTorch on this machine's CPU, in the same run: time, CPU time and peak memory.
//!
//! ```text
//! bash tests/benches/setup.sh                       # once: PyTorch in target/bench/python (several GB)
//! cargo bench --bench parity                        # every case, a table at the end
//! cargo bench --bench parity -- train/r50 pipeline  # the cases whose names contain one of these
//! cargo bench --bench parity -- --threads 1 --pairs 9 --json parity.json
//! ```
//! `PYTHON` names another interpreter with torch and torchvision. The case `pipeline` reads CamVid from
//! `${STPP_DATA}/camvid` and is skipped without it.
//!
//! **How it measures.** This program conducts. For each case it starts two long-lived workers, itself and
//! `pytorch.py`, each with the same number of threads, and has them take turns: ours, theirs, theirs, ours, … after a
//! warm-up. A turn lasts at least half a second, of as many repetitions as PyTorch needs for that. The ratio of a case is
//! the median over the pairs, since whatever else a machine does disturbs both halves of a pair alike.
//!
//! **On a busy machine** it does not disturb them alike: threads of PyTorch wait for each other by spinning, and one that
//! has lost its core to a stranger makes the others burn theirs. The column `others` says what share of the cores went to
//! other processes; above some percent, believe `--threads 1` and the ratio of CPU times, or nothing.
//!
//! **Memory.** What is judged is the largest resident set of each process, which is what a machine must have. Python and
//! libtorch are a good part of theirs, the more so in builds for CUDA. So each worker also says what it held before it
//! built the network, and the column `of the work` compares what came on top: weights, which both must have, activations
//! and gradients.
//!
//! **What is compared.** Networks of the same shapes and the same work, each as its own users run it: ours through the
//! functions the stages call, theirs as the official code of ST++ writes it. [`case`] has the list.

mod case;
mod ours;
mod report;
mod talk;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use case::Case;
use report::{Measured, Pair, Row};
use talk::{Worker, serve};

/// Any error, said once at the end.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A turn lasts at least this long.
const TURN: f64 = 0.5;

/// Between two turns: threads that spin for work of the last one go to sleep.
const REST: Duration = Duration::from_millis(50);

/// stpp against PyTorch on the CPU, interleaved.
#[derive(Parser)]
struct Arguments {
    /// Only the cases whose names contain one of these.
    filter: Vec<String>,
    /// Threads of either side, except in `pipeline`, which has one.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Pairs of turns per case.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// Also write everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// List the cases and stop.
    #[arg(long)]
    list: bool,
    /// Serve one case: the other end of a conductor's pipe.
    #[arg(long, hide = true)]
    worker: Option<String>,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    // SAFETY: this is the first statement of the program; no other thread runs yet.
    unsafe { stpp::nn::threads::keep_candle_single_threaded() };
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(name) = &arguments.worker {
        let case = case::all().into_iter().find(|case| case.name == name).ok_or("no such case")?;
        return serve(arguments.threads, || ours::work(&case.work));
    }
    let chosen: Vec<Case> = case::all().into_iter().filter(|case| wanted(case, &arguments.filter)).collect();
    if arguments.list {
        chosen.iter().for_each(|case| println!("{}", case.name));
        return Ok(());
    }
    if chosen.is_empty() {
        return Err(format!("no case is called like {:?}; --list names them", arguments.filter).into());
    }
    let python = talk::python()?;
    let mut rows = Vec::new();
    for case in &chosen {
        let measured = match ours::missing(&case.work) {
            Some(reason) => Measured::Skipped { reason },
            None => measure(case, &python, arguments)?,
        };
        rows.push(Row { name: case.name, target: case.target, measured });
    }
    println!("{}", report::markdown(&rows, arguments.threads));
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)? + "\n")
            .map_err(|error| format!("write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn wanted(case: &Case, filter: &[String]) -> bool {
    filter.is_empty() || filter.iter().any(|part| case.name.contains(part.as_str()))
}

/// Starts both workers, lets them take turns, and sends them home.
fn measure(case: &Case, python: &Path, arguments: &Arguments) -> Result<Measured, Failure> {
    let threads = case.work.threads(arguments.threads);
    let mut ours = Worker::ours(case, threads)?;
    let mut theirs = Worker::pytorch(case, python, threads)?;
    ours.turn(1)?;
    theirs.turn(1)?;
    let once = theirs.turn(1)?.seconds;
    let repetitions = (TURN / once).ceil().max(1.0) as u32;
    ours.turn(repetitions)?;
    let mut pairs = Vec::new();
    for number in 0..arguments.pairs.max(1) {
        std::thread::sleep(REST);
        let pair = if number % 2 == 0 {
            let first = ours.turn(repetitions)?;
            std::thread::sleep(REST);
            Pair { ours: first, theirs: theirs.turn(repetitions)? }
        } else {
            let first = theirs.turn(repetitions)?;
            std::thread::sleep(REST);
            Pair { ours: ours.turn(repetitions)?, theirs: first }
        };
        eprintln!("{}: pair {} of {}: {:.3}", case.name, number + 1, arguments.pairs, pair.ratio());
        pairs.push(pair);
    }
    let versions = [ours.version.clone(), theirs.version.clone()];
    Ok(Measured::Pairs { threads, repetitions, versions, pairs, memory: [ours.finish()?, theirs.finish()?] })
}
