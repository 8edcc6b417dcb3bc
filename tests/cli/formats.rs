//! Stores of every format that was ever written: `tests/fixtures/store/<format>` holds one, the spec it was made from, and
//! the report that the program of that time wrote.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::folders::{assert_same_files, copy, files};
use crate::support::Test;

/// The numerics class of the fixtures: on others their stages are other stages.
const CLASS: &str = "cpu-x86_64-avx2+fma-f32-engine2";

fn fixture(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store").join(format)
}

/// A user's folder with a store of that format.
pub fn with_store(format: &str) -> Test {
    let test = Test::new();
    copy(&fixture(format).join("store"), &test.path(".stpp"));
    copy(&fixture(format), &test.path("fixture"));
    std::fs::copy(fixture(format).join("study.toml"), test.path("study.toml")).unwrap();
    test
}

/// Whether stages that are planned here are those of the fixtures.
fn same_class(test: &Test) -> bool {
    let plan = test.run(["exp", "plan", "study.toml", "--json"]).success().json();
    let same = plan["numerics"] == CLASS;
    if !same {
        println!("skipped: the fixture was made on {CLASS}, and this is {}", plan["numerics"]);
    }
    same
}

#[test]
fn a_store_of_the_first_format_gives_the_same_report() {
    let test = with_store("v1");
    let listed = test.run(["exp", "ls", "--json"]).success().json();
    assert_eq!((&listed[0]["name"], &listed[0]["done"]), (&Value::from("first"), &Value::from(2)));
    test.run(["exp", "show", "first"]).success().stdout_has("selecting").stdout_has("test mIoU 5.62");
    test.run(["report", "first"]).success();
    assert_eq!(test.text("reports/first/report.md"), test.text("fixture/report.md"));
    assert_same_files(&files(&test.path(".stpp/tables")), &files(&test.path("fixture/store/tables")));
}

#[test]
fn a_store_of_the_first_format_is_used_by_a_run_and_raised() {
    let test = with_store("v1");
    if !same_class(&test) {
        return;
    }
    let before = files(&test.path(".stpp"));
    // `label` has a later version now; what does not read its output is used as it is.
    let ran = test.run(["exp", "run", "study.toml", "--json"]).success();
    assert_eq!((ran.stages().get("teacher"), ran.stages().get("label teacher")), (None, Some(&1)));
    assert_eq!(test.text(".stpp/stpp-store"), "stpp-store 2\n");
    let after = files(&test.path(".stpp"));
    for (name, bytes) in
        before.iter().filter(|(name, _)| !name.starts_with("tables/") && *name != "stpp-store")
    {
        assert!(after.get(name) == Some(bytes), "{name} was changed");
    }
    // Another arm goes on from what the first format holds, and writes the present one.
    let more = format!("{}\n[arm.st]\nmethod.name = \"st\"\n", test.text("study.toml"));
    let test = test.spec("more.toml", &more.replace("\"first\"", "\"second\""));
    let ran = test.run(["exp", "run", "more.toml", "--json"]).success();
    assert_eq!(ran.stages().get("teacher"), None, "{:?}", ran.stages());
    assert_eq!(ran.stages().get("retrain student"), Some(&1));
    assert!(test.path(".stpp/records-v2/retrain").exists());
    assert_eq!(files(&test.path(".stpp/studies-v2/second")).len(), 1);
}

/// `v2` is the store of a run that was killed after the third step of its second training: with its journal, a resume
/// point, and an archive of what the run came to.
#[test]
fn a_run_that_was_interrupted_in_the_second_format_goes_on() {
    let test = with_store("v2");
    if !same_class(&test) {
        return;
    }
    let ran = test.run(["exp", "run", "study.toml"]).success();
    ran.stderr_has("retrain student: goes on after step 2 of 4").stdout_has("ran 3 of 8 stages");
    assert_eq!(test.text("reports/present/report.md"), test.text("fixture/report.md"));
}

#[test]
fn an_archive_of_the_second_format_is_read() {
    let test = with_store("v2");
    std::fs::remove_dir_all(test.path(".stpp")).unwrap();
    test.run(["store", "import", "fixture/archive.stpp"]).success().stdout_has("`present`");
    test.run(["report", "present"]).success();
    assert_eq!(test.text("reports/present/report.md"), test.text("fixture/report.md"));
    test.run(["store", "verify"]).success();
}

#[test]
fn looking_at_a_store_changes_nothing_in_it() {
    let test = with_store("v1");
    let before = files(&test.path(".stpp"));
    let looks: [&[&str]; 6] = [
        &["exp", "ls"],
        &["exp", "show", "first"],
        &["report", "first", "--costs"],
        &["report", "first", "--check"],
        &["report", "secnd"],
        &["exp", "ls", "--json"],
    ];
    for look in looks {
        test.run(look);
    }
    assert_same_files(&files(&test.path(".stpp")), &before);
}

#[test]
fn a_store_that_lost_its_marker_is_damaged_and_nothing_is_written_into_it() {
    let test = with_store("v1");
    std::fs::remove_file(test.path(".stpp/stpp-store")).unwrap();
    let before = files(&test.path(".stpp"));
    for args in [
        &["exp", "run", "study.toml"][..],
        &["exp", "plan", "study.toml"],
        &["report", "first"],
        &["exp", "ls"],
    ] {
        test.run(args)
            .code(4)
            .stderr_has("no stpp-store file")
            .stderr_has(".stpp")
            .stderr_has("stpp-store 2");
    }
    assert_same_files(&files(&test.path(".stpp")), &before);
    test.write(".stpp/stpp-store", b"stpp-store 2\n");
    test.run(["report", "first"]).success();
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking_for_it() {
    let test = Test::new();
    test.run(["report", "first"]).code(2).stderr_has("there is none").stderr_has("stpp exp run");
    test.run(["exp", "show", "first"]).code(2).stderr_has("no store at .stpp");
    test.run(["exp", "weights", "3f2a", "--to", "model.safetensors"]).code(2).stderr_has("there is none");
    test.run(["exp", "ls"]).success();
    assert!(!test.path(".stpp").exists());
}
