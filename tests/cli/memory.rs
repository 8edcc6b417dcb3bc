//! What is done is not done again, and what changed is all that is done anew.

use crate::folders::{assert_same_files, files};
use crate::specs::{ablation, experiment};
use crate::support::{Test, counts};

const RUN: [&str; 3] = ["exp", "run", "study.toml"];
const RUN_JSON: [&str; 4] = ["exp", "run", "study.toml", "--json"];
const PLAN_JSON: [&str; 4] = ["exp", "plan", "study.toml", "--json"];

#[test]
fn a_second_call_trains_nothing_says_so_and_changes_no_file() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(RUN).success().stdout_has("optimiser steps").stdout_has("report: reports/tiny/report.md");
    let (reports, store) = (files(&test.path("reports")), files(&test.path(".stpp")));
    test.run(RUN).success().stdout_has("nothing was trained").stdout_has("report: reports/tiny/report.md");
    assert_same_files(&files(&test.path("reports")), &reports);
    assert_same_files(&files(&test.path(".stpp")), &store);
    assert_eq!(test.run(RUN_JSON).success().stages(), counts(&[]));
}

#[test]
fn a_new_arm_trains_that_arm_only() {
    let study = ablation("tiny", "[0]");
    let test = Test::new().spec("study.toml", &study);
    test.run(RUN).success();
    let more = format!("{study}\n[arm.plain]\nmethod.name = \"plain\"\n");
    let test = test.spec("study.toml", &more);
    let expected = [("retrain student", 1), ("evaluate student", 2)];
    assert_eq!(test.run(PLAN_JSON).success().to_run(), counts(&expected));
    // The name now stands for another question, and the program does not guess that this is meant.
    test.run(RUN).code(2).stderr_has("another ablation of that name").stderr_has("--replace");
    let ran = test.run([&RUN_JSON[..], &["--replace"]].concat()).success();
    assert_eq!(ran.stages(), counts(&expected));
}

#[test]
fn a_changed_threshold_retrains_that_arm_only() {
    let study = ablation("tiny", "[0]");
    let test = Test::new().spec("study.toml", &study);
    test.run(RUN).success();
    let changed = study.replace("threshold = 0.3", "threshold = 0.9");
    assert_ne!(changed, study);
    let test = test.spec("study.toml", &changed);
    let ran = test.run([&RUN_JSON[..], &["--replace"]].concat()).success();
    let expected = [("select teacher", 1), ("retrain student", 1), ("evaluate student", 2)];
    assert_eq!(ran.stages(), counts(&expected));
    // And the way back costs nothing: the first study is still there.
    let test = test.spec("study.toml", &study);
    let ran = test.run([&RUN_JSON[..], &["--replace"]].concat()).success();
    assert_eq!(ran.stages(), counts(&[]));
}

#[test]
fn a_new_seed_trains_that_seed_only() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    let first = test.run(RUN_JSON).success().stages();
    let test = test.spec("study.toml", &ablation("tiny", "[0, 1]"));
    let mut second = test.run([&RUN_JSON[..], &["--replace"]].concat()).success().stages();
    // The images are the same for every seed.
    second.insert("prepare".to_owned(), 1);
    assert_eq!(second, first);
}

#[test]
fn checkpoints_and_looks_that_are_there_retrain_no_teacher() {
    let with = |checkpoints: u64, points: u64| {
        experiment("stpp").replace("points = 2", &format!("points = {points}"))
            + &format!("checkpoints = {checkpoints}\n")
    };
    let test = Test::new().spec("study.toml", &with(4, 4));
    test.run(RUN).success();
    // Looking less often is a matter of the report.
    let test = test.spec("study.toml", &with(4, 2));
    assert_eq!(test.run(PLAN_JSON).success().to_run(), counts(&[]));
    // The second and the last of four checkpoints are those of K = 2; the images are ranked anew.
    let test = test.spec("study.toml", &with(2, 4));
    let to_run = test.run(PLAN_JSON).success().to_run();
    assert_eq!(to_run.get("teacher"), None, "{to_run:?}");
    assert_eq!(to_run.get("score teacher"), Some(&1));
    let ran = test.run([&RUN_JSON[..], &["--replace"]].concat()).success();
    assert_eq!(ran.stages().get("teacher"), None);
}

#[test]
fn a_teacher_that_must_keep_more_is_the_same_teacher() {
    let with = |checkpoints: u64| experiment("stpp") + &format!("checkpoints = {checkpoints}\n");
    let test = Test::new().spec("study.toml", &with(2)).spec("more.toml", &with(4));
    test.run(RUN).success();
    let report = test.text("reports/study/report.md");
    // Steps 1 and 3 were not kept, so the teacher is trained again, and must leave the same bits.
    let ran = test.run(["exp", "run", "more.toml", "--json"]).success();
    assert_eq!(ran.stages().get("teacher"), Some(&1));
    test.run(["report", "study", "--check"]).success();
    test.run(["report", "study"]).success();
    assert_eq!(test.text("reports/study/report.md"), report);
    assert_eq!(test.run(RUN_JSON).success().stages(), counts(&[]));
}

#[test]
fn words_devices_and_threads_retrain_nothing() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.run(RUN).success();
    let words = "description = \"in other words\"\ntags = [\"a\", \"b\"]\n";
    let run = "[run]\ndevice = \"cpu\"\nthreads = 1\n";
    let test = test.spec("study.toml", &format!("{words}{}{run}", experiment("st")));
    for more in [&[][..], &["--device", "cpu"], &["--threads", "2"], &["--set", "description=\"again\""]] {
        let ran = test.run([&RUN_JSON[..], more].concat()).success();
        assert_eq!(ran.stages(), counts(&[]), "{more:?}");
    }
    test.run(RUN).success().stdout_has("nothing was trained");
}

#[test]
fn an_experiment_finds_what_an_ablation_left() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(RUN).success();
    for method in ["supervised", "st", "stpp"] {
        test.write("one.toml", experiment(method).as_bytes());
        test.run(["exp", "run", "one.toml", "--replace"]).success().stdout_has("nothing was trained");
    }
}
