//! Looking at what is there.

use crate::specs::{ablation, experiment};
use crate::support::Test;

#[test]
fn what_the_store_has_can_be_listed_and_shown() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]")).spec("one.toml", &experiment("st"));
    test.run(["exp", "ls"]).success().stderr_has("the store has no ablation yet");
    assert_eq!(test.run(["exp", "ls", "--json"]).success().json(), serde_json::json!([]));
    test.run(["exp", "run", "study.toml"]).success();
    test.run(["exp", "run", "one.toml"]).success();

    let listed = test.run(["exp", "ls"]).success();
    listed.stdout_has("tiny").stdout_has("one").stdout_has("Does it go through?");
    let json = test.run(["exp", "ls", "--json"]).success().json();
    assert_eq!(
        (&json[0]["name"], &json[0]["experiments"], &json[0]["done"]),
        (&"one".into(), &1.into(), &1.into())
    );
    assert_eq!(
        (&json[1]["name"], &json[1]["experiments"], &json[1]["done"]),
        (&"tiny".into(), &4.into(), &4.into())
    );

    let shown = test.run(["exp", "show", "tiny"]).success();
    let runs: Vec<_> =
        shown.stdout().lines().filter(|line| line.contains("test mIoU")).map(str::to_owned).collect();
    assert_eq!(runs.len(), 4, "{}", shown.stdout());
    let stpp = runs.iter().find(|line| line.contains("stpp")).expect("a line per arm");
    let run = stpp.split_whitespace().next().expect("it starts with the run id");

    let run = test.run(["exp", "show", &run[..8]]).success();
    run.stdout_has("ablation tiny, arm stpp, seed 0, split 0")
        .stdout_has("retrain   student_1")
        .stdout_has("score");
}

#[test]
fn a_spec_is_shown_with_where_its_values_come_from() {
    let test = Test::new()
        .spec("base.toml", &experiment("st"))
        .spec("mine.toml", "extends = \"base.toml\"\nseed = 7\n");
    let shown = test.run(["exp", "show", "mine.toml", "--set", "train.batch=2"]).success();
    let has = |key: &str, origin: &str| {
        let line = |line: &str| line.starts_with(key) && line.ends_with(origin);
        assert!(shown.stdout().lines().any(line), "{key} … {origin} is missing in\n{}", shown.stdout());
    };
    has("seed = 7", "# mine.toml:2");
    has("momentum = 0.9", "# default");
    has("batch = 2", "--set train.batch=2");
    assert!(!test.path(".stpp").exists(), "looking at a file makes no store");
    // What is shown is a spec itself.
    let test = test.spec("resolved.toml", &shown.stdout());
    let key = |spec: &str, more: &[&str]| {
        let all = [&["exp", "plan", spec, "--stages"][..], more].concat();
        let text = test.run(all).success().stdout();
        text.lines()
            .filter(|line| line.contains("to run"))
            .map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(key("resolved.toml", &[])[1..], key("mine.toml", &["--set", "train.batch=2"])[1..]);
}

#[test]
fn what_is_not_there_is_not_guessed() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(["exp", "show", "tiny"]).code(2).stderr_has("no spec file, ablation or run");
    test.run(["exp", "show", "tiny.toml"]).code(2).stderr_has("tiny.toml");
    test.run(["exp", "run", "stuty.toml"]).code(2).stderr_has("stuty.toml");
}
