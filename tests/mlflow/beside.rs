//! A study that is brought to a server while it is run.

use crate::fake::{Fake, Fault};
use crate::specs;
use crate::studies::plain;
use crate::support::Test;

#[test]
fn a_run_brings_its_study_and_a_server_that_fails_now_and_then_gets_all_of_it() {
    let steady = Fake::start();
    let test = Test::new().spec("tiny.toml", &specs::ablation("tiny", "[0, 1]"));
    test.run(["exp", "run", "tiny.toml", "--mlflow", &steady.uri()])
        .success()
        .stderr_has("0 pending, 9 runs");
    let unsteady = Fake::start();
    let faults = Fault::ALL.into_iter().cycle().take(60).enumerate();
    unsteady.fail_next(faults.map(|(at, fault)| (at % 4 == 3).then_some(fault)));
    let again = Test::new().spec("tiny.toml", &specs::ablation("tiny", "[0, 1]"));
    again.run(["exp", "run", "tiny.toml", "--mlflow", &unsteady.uri(), "--mlflow-wait", "60"]).success();
    again
        .run(["mlflow", "sync", "--to", &unsteady.uri(), "--verify"])
        .success()
        .stdout_has(" 0 pending, 9 runs");
    let (first, second) = (plain(&steady.state()), plain(&unsteady.state()));
    assert!(first == second, "two machines show the same, to the byte");
    let report = &first.values().find(|run| run.tags["stpp.kind"] == "report").unwrap();
    assert_eq!(report.artifacts["report.md"], std::fs::read(test.path("reports/tiny/report.md")).unwrap());
    let pictures = first.values().filter(|run| run.tags.contains_key("mlflow.loggedImages")).count();
    assert_eq!(pictures, 6, "three arms with pseudo labels, two seeds");
}

#[test]
fn a_run_that_does_not_wait_says_how_much_is_pending() {
    let fake = Fake::start();
    let test = Test::new().spec("tiny.toml", &specs::ablation("tiny", "[0]"));
    let ran = test.run(["exp", "run", "tiny.toml", "--mlflow", &fake.uri(), "--mlflow-wait", "0"]).success();
    let said = ran.stderr();
    let line =
        said.lines().find(|line| line.starts_with("mlflow: sent ")).unwrap_or_else(|| panic!("{said}"));
    assert!(
        line.contains("0 s were not enough") && line.contains("`stpp mlflow sync tiny --to http://127.0.0.1"),
        "{line}"
    );
    test.run(["mlflow", "sync", "--to", &fake.uri(), "--verify"]).success().stdout_has(" 0 pending, 5 runs");
}

#[test]
fn a_training_that_fails_says_why_there() {
    let fake = Fake::start();
    let spec = specs::experiment("supervised").replace("base_lr = 0.02", "base_lr = 1e30");
    let test = Test::new().spec("wild.toml", &spec);
    test.run(["exp", "run", "wild.toml", "--mlflow", &fake.uri()]).code(3);
    let state = fake.state();
    let run = state.runs.values().next().unwrap();
    assert_eq!(run.status, "FAILED");
    assert!(run.tags["stpp.failure"].starts_with("failed to "), "{:?}", run.tags);
    let id = &run.tags["stpp.run_uid"][..12];
    test.run(["exp", "show", id]).success().stdout_has("failed to ");
}

#[test]
fn an_interrupted_run_is_killed_there_and_finished_by_the_next_call() {
    let fake = Fake::start();
    let test = Test::new().spec("tiny.toml", &specs::ablation("tiny", "[0, 1]"));
    let uri = fake.uri();
    let args = ["exp", "run", "tiny.toml", "--mlflow", &uri];
    // In the second seed: the first one is complete, and there is an interim report.
    let is_second_seed = |event: &serde_json::Value| {
        event["event"] == "started"
            && event["stage"]["serves"].as_str().unwrap().contains("/1/")
            && event["stage"]["kind"] == "retrain"
    };
    test.signalled(args, "INT", is_second_seed).code(5).stdout_has("mlflow: sent ");
    let statuses = |status: &str| plain(&fake.state()).values().filter(|run| run.status == status).count();
    assert!(statuses("KILLED") >= 1 && statuses("RUNNING") == 0, "{:?}", fake.state().runs.values());
    test.run(args).success().stderr_has("0 pending, 9 runs");
    assert_eq!((statuses("FINISHED"), fake.state().runs.len()), (9, 9));
    test.run(["mlflow", "sync", "--to", &uri, "--verify"]).success().stdout_has(", 0 differ\n");
}
