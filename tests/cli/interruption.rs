//! Stopping at any moment loses nothing: the next call goes on within the stage at hand.
#![cfg(unix)]

use serde_json::Value;

use crate::folders::{assert_same, files};
use crate::specs::ablation;
use crate::support::{Ran, Test};

/// Long enough to be stopped in the middle of it.
const STEPS: u64 = 40;

fn study() -> String {
    ablation("tiny", "[0]").replace("iterations = 4", &format!("iterations = {STEPS}"))
}

/// The fifth step of a kind of training.
fn in_the_middle_of(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "advanced" && event["stage"]["kind"] == kind && event["done"] == 5
}

/// The first step that is trained after a message of this form.
fn first_step_after(ran: &Ran, message: &str) -> u64 {
    let events = ran.events();
    let at = events.iter().position(|event| event["message"].as_str().is_some_and(|m| m.contains(message)));
    let at = at.unwrap_or_else(|| panic!("no `{message}` in {}", ran.stdout()));
    let advanced = events[at..].iter().find(|event| event["event"] == "advanced");
    advanced.expect("it went on")["done"].as_u64().expect("a step")
}

fn is_resumed_after(signals: &[(&str, &'static str)]) {
    let test = Test::new().spec("study.toml", &study());
    let whole = ["exp", "run", "study.toml", "--store", "whole", "--out", "whole-report"];
    let stages = test.run([&whole[..], &["--json"]].concat()).success().stages();
    let count: usize = stages.values().sum();
    let mut done = 0;
    for (signal, kind) in signals {
        let ended = test.signalled(["exp", "run", "study.toml"], signal, in_the_middle_of(kind)).code(5);
        let ended = ended.stderr_has("interrupted").stderr_has("run the same command again");
        let last = ended.events().pop().expect("there were events");
        assert_eq!(last["event"], "advanced", "nothing was finished after the signal: {last}");
        assert!(last["done"].as_u64().unwrap() < STEPS, "it ends before the stage does: {last}");
        done += ended.stages().values().sum::<usize>();
        let plan = test.run(["exp", "plan", "study.toml", "--json"]).success();
        assert_eq!(plan.json()["missing"].as_u64(), Some((count - done) as u64), "what was finished stays");
        // The interim report says what it is.
        assert!(test.text("reports/tiny/report.md").to_lowercase().contains("incomplete"));
    }
    let rest = test.run(["exp", "run", "study.toml", "--json"]).success();
    assert_eq!(rest.stages().values().sum::<usize>(), count - done, "only the rest is done");
    let resumed = first_step_after(&rest, "goes on after step");
    assert!(resumed > 5, "it goes on where it was stopped: {resumed}");
    let running = std::fs::read_dir(test.path(".stpp/running-v1")).unwrap();
    assert_eq!(running.count(), 0, "what a resume needs goes with its stage");
    assert_same(&test.path("reports/tiny"), &test.path("whole-report"));
    assert_same(&test.path(".stpp/tables"), &test.path("whole/tables"));
    let stored = |store: &str| {
        let mut found = files(&test.path(store));
        found.retain(|name, _| name.starts_with("records-v2/"));
        found
    };
    crate::folders::assert_same_files(&stored(".stpp"), &stored("whole"));
}

#[test]
fn ctrl_c_ends_soon_and_the_next_call_goes_on_to_the_same_bytes() {
    is_resumed_after(&[("INT", "teacher"), ("INT", "retrain")]);
}

#[test]
fn a_schedulers_signal_is_heard_too() {
    is_resumed_after(&[("TERM", "retrain")]);
    is_resumed_after(&[("USR1", "teacher")]);
}

#[test]
fn a_killed_training_goes_on_from_its_last_resume_point() {
    let test = Test::new().spec("study.toml", &study());
    let run = ["exp", "run", "study.toml", "--resume-every", "0"];
    for kind in ["teacher", "retrain"] {
        let killed = test.signalled(run, "KILL", in_the_middle_of(kind));
        assert_eq!(killed.exit_code(), None, "nobody can catch that one");
    }
    let rest = test.run([&run[..], &["--json"]].concat()).success();
    assert!(first_step_after(&rest, "goes on after step") >= 5);
    test.run(["exp", "run", "study.toml", "--store", "whole", "--out", "whole-report"]).success();
    assert_same(&test.path("reports/tiny"), &test.path("whole-report"));
    assert_same(&test.path(".stpp/tables"), &test.path("whole/tables"));
}

#[test]
fn fewer_wishes_after_an_interruption_leave_nothing_of_the_others() {
    let test = Test::new().spec("study.toml", &study().replace("points = 2", "points = 20"));
    test.signalled(["exp", "run", "study.toml"], "INT", in_the_middle_of("teacher")).code(5);
    let test = test.spec("study.toml", &study());
    test.run(["exp", "run", "study.toml", "--replace"]).success();
    test.run(["exp", "run", "study.toml", "--store", "whole", "--out", "whole-report"]).success();
    assert_same(&test.path("reports/tiny"), &test.path("whole-report"));
    assert_same(&test.path(".stpp/tables"), &test.path("whole/tables"));
}

#[test]
fn what_another_study_wants_of_a_finished_stage_is_not_cleared_away() {
    let more = study().replace("points = 2", "points = 20").replace("\"tiny\"", "\"more\"");
    let test = Test::new().spec("study.toml", &study()).spec("more.toml", &more);
    test.run(["exp", "run", "study.toml"]).success();
    test.signalled(["exp", "run", "more.toml"], "INT", in_the_middle_of("teacher")).code(5);
    test.run(["exp", "run", "study.toml"]).success().stdout_has("nothing was trained");
    let rest = test.run(["exp", "run", "more.toml", "--json"]).success();
    assert!(first_step_after(&rest, "goes on after step") > 5);
}

#[test]
fn damage_that_an_interrupted_run_met_is_told_by_the_one_that_comes_to_the_end() {
    let test = Test::new().spec("study.toml", &study());
    test.run(["exp", "run", "study.toml"]).success();
    let teacher = files(&test.path(".stpp")).into_keys().find(|name| name.starts_with("records-v2/teacher/"));
    let teacher = format!(".stpp/{}", teacher.expect("there is a teacher"));
    test.write(&teacher, b"{}");
    test.signalled(["exp", "run", "study.toml"], "INT", in_the_middle_of("teacher")).code(5);
    test.run(["exp", "run", "study.toml"]).code(4).stderr_has("and yet").stderr_has(&teacher);
    test.run(["exp", "run", "study.toml"]).success();
}

#[test]
fn other_wishes_after_an_interruption_are_all_fulfilled() {
    let test = Test::new().spec("study.toml", &study());
    test.signalled(["exp", "run", "study.toml"], "INT", in_the_middle_of("teacher")).code(5);
    // Now looks and checkpoints are wanted of steps that the interrupted training has passed.
    let more = study().replace("points = 2", "points = 20");
    assert_ne!(more, study());
    let test = test.spec("study.toml", &more);
    test.run(["exp", "run", "study.toml", "--replace"]).success();
    test.run(["exp", "run", "study.toml", "--store", "whole", "--out", "whole-report"]).success();
    assert_same(&test.path("reports/tiny"), &test.path("whole-report"));
    assert_same(&test.path(".stpp/tables"), &test.path("whole/tables"));
}

#[test]
fn a_killed_run_leaves_a_store_that_goes_on() {
    let test = Test::new().spec("study.toml", &study());
    let mut killed = test.signalled(["exp", "run", "study.toml"], "KILL", in_the_middle_of("retrain"));
    assert_eq!(killed.exit_code(), None, "nobody can catch that one");
    killed = test.run(["exp", "run", "study.toml", "--json"]).success();
    assert_eq!(killed.stages().get("teacher"), None, "the teacher was committed");
    test.run(["exp", "run", "study.toml", "--store", "whole", "--out", "whole-report"]).success();
    assert_same(&test.path("reports/tiny"), &test.path("whole-report"));
    assert_same(&test.path(".stpp/tables"), &test.path("whole/tables"));
}
