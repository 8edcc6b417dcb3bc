//! `stpp store gc` removes what nobody needs, and nothing else.

use serde_json::Value;

use crate::folders::{assert_same_files, files};
use crate::formats::with_store;
use crate::specs::{ablation, head};
use crate::store_verify::{guarded, overwrite};
use crate::support::Test;

/// Two ablations that share stages: the second has an arm of the first one and one of its own.
fn two() -> Test {
    let arms = "[arm.st]\nmethod.name = \"st\"\n[arm.plain]\nmethod.name = \"plain\"\n";
    let test = Test::new()
        .spec("tiny.toml", &ablation("tiny", "[0]"))
        .spec("other.toml", &format!("{}\n{arms}", head("other", "[0]")));
    test.run(["exp", "run", "tiny.toml"]).success();
    test.run(["exp", "run", "other.toml"]).success();
    test
}

fn holding<'a>(plan: &'a Value, study: &str) -> &'a Value {
    let holdings = plan["holdings"].as_array().expect("a plan says what each ablation holds");
    holdings.iter().find(|holding| holding["study"] == study).expect("every ablation is listed")
}

#[test]
fn dropping_an_ablation_leaves_the_other_one_whole() {
    let test = two();
    let report = test.text("reports/other/report.md");
    let before = files(&test.path(".stpp"));
    let plan = test.run(["store", "gc", "--drop", "tiny"]).success();
    plan.stdout_has("nothing was removed; this does it")
        .stdout_has("stpp store gc --drop tiny --store .stpp --delete")
        .stdout_has("tiny")
        .stdout_has("dropped");
    assert_same_files(&files(&test.path(".stpp")), &before);

    test.run(["store", "gc", "--drop", "tiny", "--delete"]).success().stdout_has("removed");
    test.run(["store", "verify"]).success();
    test.run(["exp", "ls"]).success().stdout_has("other");
    test.run(["report", "tiny"]).code(2);
    test.run(["report", "other"]).success();
    assert_eq!(test.text("reports/other/report.md"), report);
    let ran = test.run(["exp", "run", "other.toml"]).success();
    ran.stdout_has("nothing was trained");
    assert_eq!(test.text("reports/other/report.md"), report);

    // What both had is there still, and the rest comes back as it was.
    let ran = test.run(["exp", "run", "tiny.toml", "--json"]).success();
    assert_eq!(ran.stages().get("teacher"), None);
    assert!(ran.stages().contains_key("retrain student_1"), "{:?}", ran.stages());
    let after = files(&test.path(".stpp"));
    for (name, bytes) in before.iter().filter(|(name, _)| !name.starts_with("costs-v1/")) {
        assert!(after.get(name) == Some(bytes), "{name} came back with other bytes");
    }
}

#[test]
fn a_plan_says_what_each_ablation_holds() {
    let test = two();
    let plan = test.run(["store", "gc", "--json"]).success().json();
    let bytes = |study: &str, what: &str| holding(&plan, study)[what].as_u64().unwrap();
    for study in ["tiny", "other"] {
        assert!(0 < bytes(study, "only") && bytes(study, "only") < bytes(study, "bytes"), "{plan}");
    }
    // All that one alone needs goes with it, and with the cache that is all.
    let dropped = test.run(["store", "gc", "--drop", "tiny", "--json"]).success().json();
    let removed = dropped["remove"].as_array().unwrap().iter().filter(|one| one["why"] != "cache");
    let removed: u64 = removed.map(|one| one["bytes"].as_u64().unwrap()).sum();
    assert_eq!(removed, bytes("tiny", "only"));
}

#[test]
fn without_a_wish_only_what_nobody_needs_goes() {
    let test = two();
    let report = test.text("reports/tiny/report.md");
    // A replaced ablation leaves stages of nobody behind.
    test.run(["exp", "run", "tiny.toml", "--set", "train.iterations=3", "--replace"]).success();
    test.run(["exp", "run", "tiny.toml", "--replace"]).success().stdout_has("nothing was trained");
    test.write(".stpp/objects-v1/ab/.tmp-half", b"half");
    test.write(".stpp/notes.txt", b"mine");
    test.run(["store", "gc", "--files"]).success().stdout_has("records-v2/teacher/").stdout_has(".tmp-half");
    test.run(["store", "gc", "--delete"]).success();
    test.run(["store", "verify"]).success();
    assert_eq!(test.text(".stpp/notes.txt"), "mine");
    assert!(!test.path(".stpp/objects-v1/ab/.tmp-half").exists());
    for spec in ["tiny.toml", "other.toml"] {
        test.run(["exp", "run", spec]).success().stdout_has("nothing was trained");
    }
    assert_eq!(test.text("reports/tiny/report.md"), report);
    let plan = test.run(["store", "gc", "--json"]).success().json();
    assert!(plan["remove"].as_array().unwrap().iter().all(|one| one["why"] == "cache"), "{plan}");
}

#[test]
fn what_a_process_at_work_may_need_waits() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    let long = ["exp", "run", "study.toml", "--set", "train.iterations=4000"];
    let gc = ["store", "gc", "--drop", "tiny"];
    let ran = test.signalled(long, "INT", |event| {
        if event["event"] != "advanced" || event["stage"]["kind"] != "teacher" {
            return false;
        }
        let delete = [&gc[..], &["--delete"]].concat();
        let told = test.run(delete).success();
        told.stdout_has("kept: a process works on it").stdout_has("left alone while a process works");
        assert!(test.path(".stpp/cache-v1").exists());
        true
    });
    ran.code(5);
    test.run(["store", "verify"]).success().stdout_has("tiny");
    // A process that is gone, however it went, holds nothing.
    let plan = test.run([&gc[..], &["--json"]].concat()).success().json();
    assert_eq!(plan["waiting"], serde_json::json!([]));
    assert!(plan["remove"].as_array().unwrap().iter().any(|one| one["why"] == "record"), "{plan}");
    // What the interrupted stage goes on from stays while its ablation does.
    test.run(["store", "gc", "--delete"]).success();
    assert!(test.path(".stpp/running-v1").exists());
}

#[test]
fn what_cannot_be_read_stops_a_removal() {
    let test = two();
    let record = guarded(&test).into_iter().find(|name| name.starts_with("records-v2/teacher")).unwrap();
    let path = test.path(".stpp").join(&record);
    let good = std::fs::read(&path).unwrap();
    overwrite(&path, &good[1..]);
    let before = files(&test.path(".stpp"));
    let told = test.run(["store", "gc", "--drop", "tiny", "--delete"]).code(4);
    told.stderr_has(&record).stderr_has("nothing is removed");
    assert_same_files(&files(&test.path(".stpp")), &before);
}

#[test]
fn a_name_that_is_not_there_is_not_dropped() {
    let test = with_store("v1");
    test.run(["store", "gc", "--drop", "fist", "--delete"]).code(2).stderr_has("did you mean `first`?");
    test.run(["report", "first"]).success();
}

#[test]
fn a_store_of_the_first_format_is_cleaned_up_as_well() {
    let test = with_store("v1");
    test.run(["store", "gc", "--delete"]).success();
    test.run(["report", "first"]).success();
    assert_eq!(test.text("reports/first/report.md"), test.text("fixture/report.md"));
    test.run(["store", "gc", "--drop", "first", "--delete"]).success();
    let left: Vec<_> = files(&test.path(".stpp")).into_keys().collect();
    assert_eq!(left, ["stpp-store"]);
}
