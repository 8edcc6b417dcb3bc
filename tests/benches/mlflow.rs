//! How fast points reach a real MLflow server, and how much memory their sender needs.
//!
//! ```console
//! $ tests/mlflow/setup.sh target/mlflow
//! $ STPP_MLFLOW=target/mlflow cargo bench --bench mlflow
//! $ STPP_MLFLOW=target/mlflow cargo bench --bench mlflow -- memory
//! $ cargo bench --bench mlflow -- away
//! ```
//!
//! The first sends the same points three ways, in turns: as requests of 1000 points that were written beforehand, over one
//! connection; by `stpp`, from a store, with all that belongs to a run; and by the official Python client in its default
//! asynchronous mode. The second lets `stpp mlflow sync` send ten million points for a minute. The third times runs whose
//! server is away against runs without one.

#[allow(dead_code)]
#[path = "../mlflow/server.rs"]
mod server;
#[allow(dead_code)]
#[path = "../cli/specs.rs"]
mod specs;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use stpp::mlflow::client::Client;
use stpp::mlflow::server::Server as Address;
use stpp::mlflow::sync::{Options, Sync};
use stpp::mlflow::view::AtWork;
use stpp::plan::Kind;
use stpp::store::{Artifact, Store, StoredStudy};

use server::{Server, provisioned};

/// Points of one turn.
const POINTS: usize = 120_000;
/// Turns.
const TURNS: usize = 6;
/// Points of the Python client, which takes a second for thirty.
const POINTS_OF_PYTHON: usize = 1500;

fn main() {
    match std::env::args().find(|arg| ["memory", "away"].contains(&arg.as_str())).as_deref() {
        Some("memory") => memory(),
        Some(_) => away(),
        None => throughput(),
    }
}

/// A study of one run whose teacher measured so many points.
fn stored(folder: &Path, points: usize) -> (Store, StoredStudy) {
    std::fs::write(folder.join("one.toml"), specs::experiment("supervised")).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_stpp"))
        .args(["exp", "run", "one.toml", "--quiet", "--mlflow", ""])
        .current_dir(folder)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(run.success());
    let store = Store::open(&folder.join(".stpp")).unwrap();
    let name = store.study_names().unwrap().remove(0);
    let study = store.studies(&name).unwrap().remove(0);
    let teacher = *study.members[0].chain.steps.iter().find(|step| step.kind == Kind::Teacher).unwrap();
    let mut record = store.record(teacher.kind, teacher.key).unwrap().unwrap();
    let mut lines = Vec::with_capacity(points * 50);
    for key in ["loss", "lr"] {
        for step in 1..=points / 2 {
            writeln!(lines, "{{\"key\":\"{key}\",\"step\":{step},\"value\":{:?}}}", 1.0 / step as f64)
                .unwrap();
        }
    }
    let digest = store.put(&lines).unwrap();
    record.outputs.insert("metrics".to_owned(), Artifact { digest, bytes: lines.len() as u64 });
    store.commit(&record).unwrap();
    (store, study)
}

fn throughput() {
    let Some(python) = provisioned() else { return };
    let server = Server::start(&python);
    let folder = tempfile::tempdir().unwrap();
    let (store, study) = stored(folder.path(), POINTS);
    let mut ratios = Vec::new();
    let mut fastest = 0.0f64;
    let client = Client::new(Address::at(&server.uri(), |_| None).unwrap()).unwrap();
    let of_stpp = |turn: usize| {
        let mut study = study.clone();
        study.ablation.name = format!("turn-{turn}");
        let watch = Instant::now();
        Sync::new(&client, &store, &study, Options::default()).so_far(&AtWork::default()).unwrap();
        watch.elapsed().as_secs_f64()
    };
    for turn in 0..TURNS {
        // A database that grows gets slower: each comes first as often.
        let (mut of_raw, mut of_ours) = (0.0, 0.0);
        for raw_now in [turn % 2 == 0, turn % 2 != 0] {
            if raw_now {
                of_raw = raw(&server, turn);
            } else {
                of_ours = of_stpp(turn);
            }
        }
        let (raw, ours) = (POINTS as f64 / of_raw, POINTS as f64 / of_ours);
        println!("turn {turn}: raw requests {raw:.0} points/s, stpp {ours:.0}, ratio {:.3}", ours / raw);
        ratios.push(ours / raw);
        fastest = fastest.max(ours);
    }
    ratios.sort_by(f64::total_cmp);
    let python = POINTS_OF_PYTHON as f64 / of_python(&python, &server);
    println!(
        "median ratio {:.3}; Python's asynchronous mode {python:.1} points/s, {:.0} times less",
        f64::midpoint(ratios[TURNS / 2 - 1], ratios[TURNS / 2]),
        fastest / python
    );
}

/// Seconds for requests that were written beforehand, over one connection.
fn raw(server: &Server, turn: usize) -> f64 {
    let experiment = server.post("experiments/create", &json!({ "name": format!("raw-{turn}") }));
    let run = server.post(
        "runs/create",
        &json!({ "experiment_id": experiment["experiment_id"], "start_time": 1, "run_name": "raw" }),
    );
    let id = &run["run"]["info"]["run_id"];
    let mut requests = Vec::new();
    for key in ["teacher/loss", "teacher/lr"] {
        for batch in 0..POINTS / 2000 {
            let metrics: Vec<_> = (1..=1000)
                .map(|at| {
                    let step = 1000 * batch + at;
                    json!({ "key": key, "value": 1.0 / step as f64, "timestamp": 1 + step, "step": step })
                })
                .collect();
            let body = json!({ "run_id": id, "metrics": metrics }).to_string();
            requests.push(format!(
                "POST /api/2.0/mlflow/runs/log-batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    }
    let address = server.uri().trim_start_matches("http://").to_owned();
    let watch = Instant::now();
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    for request in requests {
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        stream.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{line}");
        while line.trim() != "" {
            line.clear();
            stream.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
    }
    watch.elapsed().as_secs_f64()
}

/// Seconds of the official client, with the flush at its end.
fn of_python(python: &Path, server: &Server) -> f64 {
    let script = format!(
        "import mlflow, time\nmlflow.set_tracking_uri('{}')\nmlflow.set_experiment('python')\nwith mlflow.start_run():\n    \
         begin = time.monotonic()\n    for step in range({POINTS_OF_PYTHON}):\n        \
         mlflow.log_metric('loss', 1.0 / (step + 1), step=step, synchronous=False)\n    mlflow.flush_async_logging()\n    \
         print(time.monotonic() - begin)\n",
        server.uri()
    );
    let output =
        Command::new(python).args(["-c", &script]).env("MLFLOW_DISABLE_TELEMETRY", "true").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let seconds = said.lines().find_map(|line| line.parse().ok());
    seconds.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

fn memory() {
    const MILLIONS: usize = 10;
    let Some(python) = provisioned() else { return };
    let server = Server::start(&python);
    let folder = tempfile::tempdir().unwrap();
    drop(stored(folder.path(), MILLIONS * 1_000_000));
    let mut child = Command::new(env!("CARGO_BIN_EXE_stpp"))
        .args(["mlflow", "sync", "--to", &server.uri()])
        .current_dir(folder.path())
        .spawn()
        .unwrap();
    let watch = Instant::now();
    let mut most = [0.0f64; 2];
    while watch.elapsed() < Duration::from_secs(60) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        for (most, name) in most.iter_mut().zip(["VmHWM:", "RssAnon:"]) {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes: f64 = line.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
            *most = most.max(kilobytes * 1024.0 / 1e6);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let [all, own] = most;
    let found = server.post("runs/search", &json!({ "experiment_ids": ["1"], "max_results": 10 }));
    let metrics = found["runs"][0]["data"]["metrics"].as_array().cloned().unwrap_or_default();
    let sent: i64 = metrics
        .iter()
        .filter(|metric| ["teacher/loss", "teacher/lr"].iter().any(|key| metric["key"] == *key))
        .filter_map(|metric| metric["step"].as_i64())
        .sum();
    println!("{sent} points were sent");
    assert!(sent > 10_000, "{found}");
    println!(
        "{MILLIONS} million points pending, 60 s of sending: at most {all:.0} MB resident, {own:.0} MB of them its own"
    );
}

fn away() {
    let folder = tempfile::tempdir().unwrap();
    let spec = specs::ablation("away", "[0]").replace("iterations = 4", "iterations = 400");
    std::fs::write(folder.path().join("away.toml"), spec).unwrap();
    let run = |uri: &str| {
        drop(std::fs::remove_dir_all(folder.path().join(".stpp")));
        let watch = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_stpp"))
            .args(["exp", "run", "away.toml", "--quiet", "--mlflow", uri])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        watch.elapsed().as_secs_f64()
    };
    run("");
    let mut ratios: Vec<f64> = (0..9)
        .map(|turn| {
            // Each comes first as often.
            let (mut none, mut gone) = (0.0, 0.0);
            for first in [turn % 2 == 0, turn % 2 != 0] {
                if first {
                    none = run("");
                } else {
                    gone = run("http://127.0.0.1:9");
                }
            }
            println!(
                "without a server {none:.2} s, with one that is away {gone:.2} s, ratio {:.3}",
                gone / none
            );
            gone / none
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.3}", ratios[ratios.len() / 2]);
}
