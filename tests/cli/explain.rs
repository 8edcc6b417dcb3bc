//! Why a stage is to run: the value that was changed, and the line that it stands in.

use serde_json::Value;

use crate::specs::{ablation, experiment};
use crate::support::{Ran, Test};

/// A study that was run.
fn finished() -> Test {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(["exp", "run", "study.toml", "-q"]).success();
    test
}

/// The study with one text in the place of another, which it has once.
fn changed(test: &Test, from: &str, to: &str) {
    let text = test.text("study.toml");
    assert_eq!(text.matches(from).count(), 1, "{from:?} is in the study once");
    test.write("study.toml", text.replace(from, to).as_bytes());
}

/// The line of a text in the study, as an explanation names it.
fn line(test: &Test, text: &str) -> String {
    let study = test.text("study.toml");
    let at = study.lines().position(|line| line.contains(text)).expect("the study has the line");
    format!("study.toml:{}", at + 1)
}

fn explain(test: &Test, more: &[&str]) -> Ran {
    test.run([&["exp", "explain", "study.toml"][..], more].concat()).success()
}

/// The causes of an explanation: what, value, values of the nearest, places.
fn causes(test: &Test, more: &[&str]) -> Vec<(String, String, String, String)> {
    let json = explain(test, &[&["--json"][..], more].concat()).json();
    let list = |value: &Value| {
        let items = value.as_array().into_iter().flatten();
        items.map(|item| item.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>().join(" | ")
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let causes = json["causes"].as_array().expect("an explanation has causes").iter();
    causes
        .map(|cause| {
            let value = format!("{}{}", text(&cause["value"]), list(&cause["listed"]));
            (text(&cause["what"]), value, list(&cause["nearest"]), list(&cause["from"]))
        })
        .collect()
}

fn cause(what: &str, new: &str, old: &str, from: &str) -> (String, String, String, String) {
    (what.to_owned(), new.to_owned(), old.to_owned(), from.to_owned())
}

/// An explanation without what differs between machines: digests, and the numerics class.
fn stable(text: &str) -> String {
    let mut out = Vec::new();
    for line in text.lines() {
        let words = line.split(' ').map(|word| {
            let is_digest = word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_digest { "(digest)" } else { word }
        });
        let line = words.collect::<Vec<_>>().join(" ");
        out.push(match line.split_once(" on cpu-") {
            Some((name, rest)) => {
                format!("{name} on (class){}", rest.split_once(':').map_or("", |(_, rest)| rest))
            }
            None => line,
        });
    }
    out.join("\n")
}

#[test]
fn a_changed_value_is_named_with_its_line() {
    let test = finished();
    changed(&test, "base_lr = 0.02", "base_lr = 0.03");
    let place = line(&test, "base_lr");
    assert_eq!(causes(&test, &[]), [cause("train.base_lr", "0.03", "0.02", &place)]);
    let text = explain(&test, &[]).stdout();
    let first = text.lines().find(|line| line.contains("base_lr")).expect("it is named");
    assert_eq!(first, format!("{place}: train.base_lr = 0.03, not 0.02"));
    insta::assert_snapshot!(stable(&text));
}

#[test]
fn a_changed_arm_is_named_with_its_own_line_and_only_what_follows_from_it() {
    let test = finished();
    changed(&test, "threshold = 0.3", "threshold = 0.6");
    let place = line(&test, "threshold = 0.6");
    assert_eq!(causes(&test, &[]), [cause("method.select.threshold", "0.6", "0.3", &place)]);
    insta::assert_snapshot!(stable(&explain(&test, &[]).stdout()));
}

#[test]
fn a_value_from_the_command_line_is_named_as_such() {
    let test = finished();
    let set = "arm.pixels.method.select.threshold=0.7";
    let found = causes(&test, &["--set", set]);
    assert_eq!(found, [cause("method.select.threshold", "0.7", "0.3", &format!("--set {set}"))]);
    // What `retrain` leaves out stands in `train`; what it says itself does not.
    let found = causes(&test, &["--set", "retrain.momentum=0.8", "--set", "train.power=1.0"]);
    let expected = [
        cause("train.power", "1.0", "0.9", "--set train.power=1.0"),
        cause("retrain.momentum", "0.8", "0.9", "--set retrain.momentum=0.8"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_added_seed_is_the_one_cause() {
    let test = finished();
    changed(&test, "seeds = [0]", "seeds = [0, 5]");
    assert_eq!(causes(&test, &[]), [cause("seed", "5", "0", &line(&test, "seeds ="))]);
    let found = causes(&test, &["--set", "seeds=[0,6,7]"]);
    assert_eq!(found, [cause("seed", "6 | 7", "0", "--set seeds=[0,6,7]")]);
    let text = explain(&test, &[]).stdout();
    assert!(text.contains("supervised/0/0"), "those of the other seed are there: {text}");
}

#[test]
fn an_added_split_and_other_data_are_named_by_their_keys() {
    let test = finished();
    changed(&test, "difficulty = 0.3", "difficulty = 0.4");
    assert_eq!(causes(&test, &[]), [cause("data.difficulty", "0.4", "0.3", &line(&test, "difficulty"))]);
    changed(&test, "difficulty = 0.4", "difficulty = 0.3");
    changed(&test, "seeds = [0]", "seeds = [0]\nsplits = [0, 3]");
    assert_eq!(causes(&test, &[]), [cause("split.seed", "3", "0", &line(&test, "splits ="))]);
}

#[test]
fn another_length_is_told_as_it_is_written() {
    let test = finished();
    changed(&test, "iterations = 4", "epochs = 6");
    let place = line(&test, "epochs = 6");
    let found = causes(&test, &[]);
    assert!(found.iter().any(|cause| cause.0 == "train.epochs" && cause.3 == place), "{found:?}");
    assert!(found.iter().all(|cause| cause.0.starts_with("train.")), "{found:?}");
}

#[test]
fn an_output_that_is_wanted_now_is_told_with_the_key_that_wants_it() {
    let test = finished();
    let found = causes(&test, &["--set", "evaluate.points=4"]);
    assert_eq!(found, [cause("evaluate.points", "4", "", "--set evaluate.points=4")]);
    let found = causes(&test, &["--set", "method.teacher=best"]);
    assert!(!found.is_empty() && found.iter().all(|cause| cause.0 == "method.teacher"), "{found:?}");
    let found = causes(&test, &["--set", "method.checkpoints=4"]);
    assert!(!found.is_empty() && found.iter().all(|cause| cause.0 == "method.checkpoints"), "{found:?}");
    let text = explain(&test, &["--set", "evaluate.points=4"]).stdout();
    assert!(
        text.contains("evaluate.points = 4, for which records lack validation@1, validation@3"),
        "{text}"
    );
}

#[test]
fn an_experiment_is_explained_as_an_ablation_is() {
    let test = Test::new().spec("one.toml", &experiment("st"));
    test.run(["exp", "run", "one.toml", "-q"]).success();
    let text = test.run(["exp", "explain", "one.toml", "--set", "seed=3"]).success().stdout();
    assert!(text.contains("--set seed=3: seed = 3, not 0"), "{text}");
    let text = test.run(["exp", "explain", "one.toml", "--set", "model.width=0.25"]).success().stdout();
    assert!(text.contains("--set model.width=0.25: model.width = 0.25, not 0.125"), "{text}");
}

#[test]
fn an_empty_store_has_nothing_to_be_near_to() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    let text = explain(&test, &[]).stdout();
    assert!(text.contains("no prepare is in the store"), "{text}");
    insta::assert_snapshot!(stable(&text));
}

#[test]
fn what_is_there_is_told_with_whose_work_it_is() {
    let test = finished();
    assert_eq!(causes(&test, &[]), []);
    let text = explain(&test, &[]).stdout();
    assert!(text.contains("are in the store"), "{text}");
    insta::assert_snapshot!(stable(&text));
    let json = explain(&test, &["--json"]).json();
    let stages = json["stages"].as_array().expect("it has stages");
    assert_eq!(json["missing"], 0);
    assert!(stages.iter().all(|stage| stage["stored"]["tiny"] == stage["serves"]), "{json}");
}

#[test]
fn an_artifact_that_is_gone_is_damage() {
    let test = finished();
    let shown = explain(&test, &["--json"]).json();
    let teacher = shown["stages"].as_array().expect("it has stages").iter().find(|s| s["kind"] == "teacher");
    let key = teacher.and_then(|stage| stage["key"].as_str()).expect("a study has a teacher").to_owned();
    let record = std::fs::read_to_string(find(&test, "records-v", &format!("teacher/{key}.json"))).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let content = record.get("content").unwrap_or(&record);
    let digest = content["outputs"]["model@4"]["digest"].as_str().expect("a teacher leaves a model");
    std::fs::remove_file(find(&test, "objects-v", &digest[2..])).unwrap();
    let ran = test.run(["exp", "explain", "study.toml"]).code(4);
    ran.stdout_has("`model@4` of teacher").stderr_has("the store is damaged");
}

/// The file of a bucket whose path ends so.
fn find(test: &Test, bucket: &str, end: &str) -> std::path::PathBuf {
    let mut folders = vec![test.path(".stpp")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let path = entry.to_string_lossy();
            if path.contains(bucket) && path.ends_with(end) {
                return entry;
            }
            if entry.is_dir() {
                folders.push(entry);
            }
        }
    }
    panic!("{bucket}…{end} is not there");
}
