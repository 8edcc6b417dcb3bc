//! A wrong address, wrong credentials, a server that is none, or too old, or does not let one write: one clear line, the
//! training goes on, and nothing is lost.

use std::net::TcpListener;

use crate::fake::{Fake, Kind, Options};
use crate::specs;
use crate::studies::plain;
use crate::support::{Ran, Test};

const SPEC: &str = "tiny.toml";

fn test() -> Test {
    Test::new().spec(SPEC, &specs::ablation("tiny", "[0]"))
}

/// Runs the study with a server named, and returns what was said of it.
#[track_caller]
fn said(ran: &Ran) -> Vec<String> {
    ran.stderr().lines().filter(|line| line.starts_with("mlflow: ")).map(str::to_owned).collect()
}

/// The run ended well, its tables are there, and at most two lines speak of the server: what is wrong, and what is pending.
/// (A run that is over before the first look at the server says both in one.)
#[track_caller]
fn is_told(test: &Test, ran: Ran, words: &[&str]) {
    let ran = ran.success();
    assert!(ran.stdout().contains("ran ") && test.path(".stpp/tables/tiny/metrics.parquet").is_file());
    let lines = said(&ran);
    assert!((1..=2).contains(&lines.len()), "{}", ran.stderr());
    for word in words {
        assert!(lines[0].contains(word), "{word:?} in {}", lines[0]);
    }
    assert!(lines.len() == 1 || lines[0].contains("training goes on"), "{}", lines[0]);
    let last = lines.last().unwrap();
    assert!(last.contains("sent 0 records") && last.contains("stpp mlflow sync tiny"), "{last}");
}

#[test]
fn an_address_that_is_none_is_told_before_the_training_and_a_sync_is_refused() {
    for uri in ["./mlruns", "sqlite:///mlflow.db", "databricks", "http//lab:5000"] {
        let test = test();
        let ran = test.run(["exp", "run", SPEC, "--mlflow", uri]).success();
        let lines = said(&ran);
        assert!(lines.len() == 1 && lines[0].contains("http://127.0.0.1:5000"), "{}", ran.stderr());
        test.run(["mlflow", "sync", "--to", uri]).code(2).stderr_has("no address of a tracking server");
    }
}

#[test]
fn a_server_that_is_away_costs_no_time_and_is_filled_later() {
    let test = test();
    // A port that nobody listens at.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let uri = format!("http://{free}");
    let ran = test.run(["exp", "run", SPEC, "--mlflow", &uri]);
    is_told(&test, ran, &["can't be reached"]);
    test.run(["mlflow", "sync", "--to", &uri, "--wait", "0.2"])
        .code(5)
        .stderr_has("failed to send everything")
        .stderr_has("the same command goes on")
        .stdout_has("sent 0 records, ");
    let fake = Fake::start();
    test.run(["mlflow", "sync", "--to", &fake.uri()]).success().stdout_has(" 0 pending, 5 runs");
    assert_eq!(plain(&fake.state()).len(), 5);
    test.run(["mlflow", "sync", "--to", &fake.uri(), "--verify"])
        .success()
        .stdout_has(", 0 differ\nsent 0 records, 0 pending, 5 runs");
}

#[test]
fn wrong_credentials_are_told_once_and_right_ones_fill_the_server() {
    let fake = Fake::with(Options { auth: Some(("ada", "p@ss")), ..Options::default() });
    let test = test();
    let ran = test.run(["exp", "run", SPEC, "--mlflow", &fake.uri()]);
    is_told(&test, ran, &["401", "MLFLOW_TRACKING_USERNAME"]);
    let wrong = fake.uri().replace("http://", "http://ada:wr0ng@");
    let ran = test.run(["mlflow", "sync", "--to", &wrong]).code(2).stderr_has("MLFLOW_TRACKING_TOKEN");
    assert!(!(ran.stderr() + &ran.stdout()).contains("wr0ng"), "{}", ran.stderr());
    let right = fake.uri().replace("http://", "http://ada:p%40ss@");
    test.run(["mlflow", "sync", "--to", &right]).success().stdout_has(" 0 pending, 5 runs");

    let fake = Fake::with(Options { bearer: Some("t0ken"), ..Options::default() });
    test.run_with("MLFLOW_TRACKING_TOKEN", "t0ken", ["mlflow", "sync", "--to", &fake.uri()])
        .success()
        .stdout_has(" 0 pending, 5 runs");

    let fake = Fake::start();
    test.run_with("MLFLOW_WORKSPACE", "vision", ["mlflow", "sync", "--to", &fake.uri()]).success();
    let named = |request: &crate::fake::http::Request| request.header("x-mlflow-workspace") == "vision";
    assert!(fake.requests().iter().all(named));
}

#[test]
fn a_server_that_is_none_refuses_a_name_or_lets_nobody_write_is_told_with_the_remedy() {
    let told: [(Kind, &[&str]); 4] = [
        (Kind::Nothing, &["is no MLflow tracking server", "MLFLOW_TRACKING_URI"]),
        (Kind::NotMlflow, &["not as an MLflow tracking server does", "MLFLOW_TRACKING_URI"]),
        (Kind::HostRefusal, &["--allowed-hosts"]),
        (Kind::ReadOnly, &["does not let this user write", "EDIT"]),
    ];
    for (kind, words) in told {
        let fake = Fake::with(Options { kind, ..Options::default() });
        let test = test();
        let ran = test.run(["exp", "run", SPEC, "--mlflow", &fake.uri()]);
        is_told(&test, ran, words);
        let ran = test.run(["mlflow", "sync", "--to", &fake.uri()]).code(2);
        words.iter().for_each(|word| assert!(ran.stderr().contains(word), "{}", ran.stderr()));
        fake.change(|options| options.kind = Kind::MLflow);
        test.run(["mlflow", "sync", "--to", &fake.uri()]).success().stdout_has(" 0 pending, 5 runs");
    }
}

#[test]
fn a_deleted_experiment_of_the_same_name_is_told_and_taken_back_when_asked() {
    let fake = Fake::start();
    let test = test();
    test.run(["exp", "run", SPEC, "--mlflow", &fake.uri()]).success();
    fake.alter(|state| state.experiments.values_mut().for_each(|experiment| experiment.deleted = true));
    let ran = test.run(["exp", "run", SPEC, "--mlflow", &fake.uri()]).success();
    assert!(said(&ran)[0].contains("was deleted on"), "{}", ran.stderr());
    test.run(["mlflow", "open", "--to", &fake.uri()])
        .code(2)
        .stderr_has("has nothing of it, or it was deleted there");
    test.run(["mlflow", "sync", "--to", &fake.uri(), "--restore"]).success();
    test.run(["mlflow", "open", "--to", &fake.uri()]).success().stdout_has("viewStateShareKey=stpp-arm");
}

#[test]
fn commands_without_a_server_or_a_study_say_what_to_do() {
    let test = test();
    test.run(["mlflow", "sync"]).code(2).stderr_has("mlflow server");
    test.run(["mlflow", "sync", "--to", "http://127.0.0.1:1"]).code(2).stderr_has("there is none");
    test.run(["exp", "run", SPEC]).success().stderr_has("stpp mlflow sync");
    let named = ["mlflow", "sync", "tinny", "--to", "http://127.0.0.1:1"];
    test.run(named).code(2).stderr_has("did you mean `tiny`?");
    test.run(["mlflow", "open"]).code(2).stderr_has("MLFLOW_TRACKING_URI");
    test.run(["exp", "run", SPEC, "--mlflow-wait=-1"]).code(2).stderr_has("a number of seconds");
    test.run(["mlflow", "sync", "--to", "http://127.0.0.1:1", "--wait", "NaN"])
        .code(2)
        .stderr_has("a number of seconds");
}
