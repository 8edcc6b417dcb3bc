//! Against a real MLflow server.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use stpp::mlflow::client::Client;
use stpp::mlflow::server::Server as Address;
use stpp::mlflow::wire::{
    CreateRun, Key, LogBatch, Metric, MetricValue, Millis, Param, ParamValue, Step, Tag, TagValue,
};

use crate::server::{Server, provisioned};
use crate::specs;
use crate::support::Test;

/// Kills of `kill_after_kill`; more with STPP_MLFLOW_KILLS.
const KILLS: usize = 2;

fn readback(python: &Path, server: &Server, experiment: &str, tables: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mlflow/readback.py");
    let output = Command::new(python)
        .arg(script)
        .args([&server.uri(), experiment])
        .arg(tables)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .output()
        .expect("Python can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// One server for all that needs no other: it takes half a minute to start.
#[test]
fn a_real_server_shows_what_the_store_has() {
    let Some(python) = provisioned() else { return };
    let mut server = Server::start(&python);
    what_was_run_is_read_back_by_the_official_client(&python, &server);
    values_names_and_paths_come_back(&server);
    a_deleted_experiment_is_taken_back_when_asked(&python, &server);
    kill_after_kill(&python, &mut server);
}

fn what_was_run_is_read_back_by_the_official_client(python: &Path, server: &Server) {
    let test = Test::new().spec("tiny.toml", &specs::ablation("tiny", "[0, 1]"));
    test.run(["exp", "run", "tiny.toml", "--mlflow", &server.uri(), "--mlflow-wait", "60"])
        .success()
        .stderr_has(" 0 pending, 9 runs");
    let tables = test.path(".stpp/tables/tiny");
    assert!(readback(python, server, "stpp/tiny", &tables).starts_with("8 runs, "));
    test.run(["mlflow", "sync", "--to", &server.uri(), "--verify"])
        .success()
        .stdout_has(", 0 differ\nsent 0 records, 0 pending, 9 runs");
    test.run(["mlflow", "open", "--to", &server.uri()]).success().stdout_has("/artifacts/report.html?");
    // Everything again, from a store that knows of no server.
    std::fs::remove_dir_all(test.path(".stpp/outbox-v1")).unwrap();
    test.run(["mlflow", "sync", "--to", &server.uri(), "--verify"]).success().stdout_has(", 0 differ\n");
    readback(python, server, "stpp/tiny", &tables);
}

/// What the types of messages promise is what a server keeps.
fn values_names_and_paths_come_back(server: &Server) {
    let client = Client::new(Address::at(&server.uri(), |_| None).unwrap()).unwrap();
    let experiment = client.create_experiment("stpp/Straße ±1 %").unwrap();
    assert!(client.create_experiment("stpp/Straße ±1 %").is_err());
    let run = client
        .create_run(&CreateRun {
            experiment_id: &experiment,
            run_name: "naïve, seed 0",
            start_time: Millis::of(1_700_000_000_000),
            tags: &[],
        })
        .unwrap();
    let id = &run.info.run_id;
    let point = |key: &str, step: u64, value: f64| Metric {
        key: Key::of(key),
        value: MetricValue(value),
        timestamp: Millis::of(1_700_000_000_000 + step),
        step: Step::of(step),
    };
    let curve: Vec<Metric> =
        (0..10_000).map(|step| point("a curve", step, 1.0 / (step + 1) as f64)).collect();
    for _ in 0..2 {
        for metrics in curve.chunks(1000) {
            client.log_batch(&LogBatch { run_id: id, metrics, params: &[], tags: &[] }).unwrap();
        }
    }
    let history = |key: &str| {
        let mut all = Vec::new();
        client.history(id, key, |page| all.extend(page)).unwrap();
        all
    };
    let mut there = history("a curve");
    there.sort_by_key(|metric| metric.step);
    assert_eq!(there, curve, "sent twice, there once, to the last bit");

    let odd =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2, -0.0];
    let metrics: Vec<Metric> =
        odd.iter().enumerate().map(|(at, value)| point("odd", at as u64, *value)).collect();
    let tag = |key: &str, value: &str| Tag { key: Key::of(key), value: TagValue::new(value).unwrap() };
    let tags = [tag("Größe/日本", "naïve ☃"), tag("after", "the odd ones")];
    let params = [
        Param { key: Key::of("a/../b#%"), value: ParamValue::new("x".repeat(6000)).unwrap() },
        Param { key: Key::of("empty"), value: ParamValue::new("").unwrap() },
    ];
    client.log_batch(&LogBatch { run_id: id, metrics: &metrics, params: &params, tags: &tags }).unwrap();
    let mut there = history("odd");
    there.sort_by_key(|metric| metric.step);
    assert!(there[0].value.0.is_nan());
    assert_eq!(
        (there[1].value.0, there[2].value.0),
        (f64::MAX, f64::MIN),
        "an infinity comes back as the last number"
    );
    for (sent, back) in odd.iter().zip(&there).skip(3) {
        // Its database has one zero.
        assert_eq!(back.value.0.to_bits(), (sent + 0.0).to_bits(), "{sent:e}");
    }
    let back = client.runs(&experiment, None).unwrap().remove(0);
    assert_eq!(back.data.tag("Größe/日本"), Some("naïve ☃"));
    assert_eq!(back.data.tag("after"), Some("the odd ones"), "what follows a NaN is there");
    assert_eq!(back.data.params()[params[0].key.as_str()].len(), 6000);
    let other = Param { key: Key::of("empty"), value: ParamValue::new("not empty").unwrap() };
    let refused = client.log_batch(&LogBatch { run_id: id, metrics: &[], params: &[other], tags: &[] });
    assert!(refused.unwrap_err().to_string().contains("Changing param values is not allowed"));

    let root = stpp::mlflow::client::ArtifactRoot::of(&run.info.artifact_uri).unwrap();
    for (path, bytes) in [("a b/ä+1?.png", &b"picture"[..]), ("empty", &b""[..])] {
        client.put_artifact(&root, path, bytes.to_vec()).unwrap();
        assert_eq!(client.artifact_bytes(&root, path).unwrap().as_deref(), Some(bytes));
    }
    assert_eq!(client.artifact_bytes(&root, "nothing").unwrap(), None);
    let refused = client.put_artifact(&root, "a#1.png", b"picture".to_vec()).unwrap_err();
    assert!(matches!(refused, stpp::mlflow::fault::Fault::Rejected { .. }), "{refused:?}");
}

fn a_deleted_experiment_is_taken_back_when_asked(python: &Path, server: &Server) {
    let test = Test::new().spec("gone.toml", &specs::ablation("gone", "[0]"));
    test.run(["exp", "run", "gone.toml", "--mlflow", &server.uri(), "--mlflow-wait", "60"]).success();
    let found = server.post("experiments/search", &json!({ "max_results": 100 }));
    let all = found["experiments"].as_array().unwrap();
    let id = &all.iter().find(|experiment| experiment["name"] == "stpp/gone").unwrap()["experiment_id"];
    server.post("experiments/delete", &json!({ "experiment_id": id }));
    test.run(["mlflow", "sync", "--to", &server.uri(), "--again"]).code(2).stderr_has("--restore");
    test.run(["mlflow", "sync", "--to", &server.uri(), "--again", "--restore", "--verify"])
        .success()
        .stdout_has(", 0 differ\n");
    readback(python, server, "stpp/gone", &test.path(".stpp/tables/gone"));
}

/// The server is killed in the middle of a run, or the run is, at other moments each time; at the end the server has the
/// journal's points, once, in one run per experiment.
fn kill_after_kill(python: &Path, server: &mut Server) {
    let kills = std::env::var("STPP_MLFLOW_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let spec = specs::ablation("killed", "[0]").replace("iterations = 4", "iterations = 400");
    for kill in 0..kills {
        let test = Test::new().spec("killed.toml", &spec);
        let name = format!("killed-{kill}");
        test.write("killed.toml", spec.replace("\"killed\"", &format!("{name:?}")).as_bytes());
        let uri = server.uri();
        let args = ["exp", "run", "killed.toml", "--mlflow", &uri, "--mlflow-wait", "0"];
        let quiet = Stdio::null;
        let mut child =
            test.command(args).stdout(quiet()).stderr(quiet()).spawn().expect("it can be started");
        // 0.5 s, 1.7 s, 2.9 s, … of a run that takes about 7.
        std::thread::sleep(Duration::from_millis(500 + 1200 * (kill as u64 % 5) + 130 * (kill as u64 / 5)));
        if kill % 2 == 0 {
            server.kill();
            std::thread::sleep(Duration::from_millis(700));
            server.launch();
        } else {
            child.kill().expect("a process of ours can be killed");
        }
        child.wait().expect("a process of ours ends");
        if kill % 2 == 0 {
            server.restart();
        }
        test.run(args).success();
        test.run(["mlflow", "sync", "--to", &uri, "--verify", "--wait", "120"])
            .success()
            .stdout_has(" 0 pending, 5 runs");
        let said =
            readback(python, server, &format!("stpp/{name}"), &test.path(&format!(".stpp/tables/{name}")));
        assert!(said.starts_with("4 runs, "), "{said}");
    }
}

#[test]
fn a_real_server_with_users_is_filled_with_the_right_password_alone() {
    let Some(python) = provisioned() else { return };
    let server = Server::start_with_auth(&python, "ada", "a-long-password");
    let test = Test::new().spec("tiny.toml", &specs::ablation("tiny", "[0]"));
    let named = |user: &str| server.uri().replace("http://", &format!("http://{user}@"));
    test.run(["exp", "run", "tiny.toml", "--mlflow", &server.uri()]).success().stderr_has("401");
    test.run(["mlflow", "sync", "--to", &named("ada:wrong")]).code(2).stderr_has("MLFLOW_TRACKING_USERNAME");
    test.run(["mlflow", "sync", "--to", &named("ada:a-long-password"), "--verify"])
        .success()
        .stdout_has(", 0 differ\n")
        .stdout_has(" 0 pending, 5 runs");
}
