//! How long it takes to plan ten thousand experiments, and to find that thirty are done.
//!
//! ```text
//! cargo bench --bench startup
//! ```
//!
//! Both are the shipped `ablations/selection.toml`: with a thousand seeds, in an empty store; and run to its end once,
//! with all its images and steps, but a network and crops so small that this takes a minute. Then the program is called
//! nine times; printed is the median in seconds, and the slowest.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const CALLS: usize = 9;

/// Every stage and step of the shipped study, at a fraction of the arithmetic.
const SMALL: [&str; 4] = ["train.batch=2", "train.crop=16", "model.width=0.03", "train.base_lr=0.1"];

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let store = folder.path().join("store");
    let out = folder.path().join("report");
    let seeds: Vec<String> = (0..1000).map(|seed| seed.to_string()).collect();
    let seeds = format!("seeds=[{}]", seeds.join(","));
    let (store, out) = (store.to_string_lossy(), out.to_string_lossy());

    let mut plan = arguments("plan", &store);
    plan.extend(["--set", &seeds]);
    measure("exp plan, 10,000 experiments (at most 2 s)", &plan);

    let mut run = arguments("run", &store);
    run.extend(["--quiet", "--out", &out]);
    run.extend(SMALL.iter().flat_map(|set| ["--set", set]));
    let seconds = call(&run);
    println!("{:<52} {seconds:>7.3}", "exp run, 30 experiments, once");
    measure("exp run, 30 finished experiments (at most 0.3 s)", &run);
}

fn arguments<'a>(command: &'a str, store: &'a str) -> Vec<&'a str> {
    vec!["exp", command, "ablations/selection.toml", "--store", store]
}

fn measure(what: &str, args: &[&str]) {
    let mut seconds: Vec<f64> = (0..CALLS).map(|_| call(args)).collect();
    seconds.sort_by(f64::total_cmp);
    println!("{what:<52} {:>7.3}   slowest {:.3}", seconds[CALLS / 2], seconds[CALLS - 1]);
}

fn call(args: &[&str]) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stpp"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).args(args).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().expect("the program can be started");
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed().as_secs_f64()
}
