//! The same study is the same bytes: in another store, with other numbers of threads, in other places.

use std::collections::BTreeMap;

use crate::folders::{assert_same, assert_same_files, files};
use crate::images;
use crate::specs::{ablation, head};
use crate::support::Test;

/// Every kind of stage, strong augmentation and test-time augmentation; a seed each for drawing and training.
fn study() -> String {
    let arms = r#"
[arm.st]
method.name = "st"

[arm.stpp]
method.name = "stpp"

[arm.matched]
method.name = "st"
method.select = { level = "pixel", rule = "matched" }
"#;
    let tta = ("scales = [1.0]\nflip = false", "scales = [0.75, 1.0]\nflip = true");
    format!("{}{arms}", head("bits", "[3]")).replace(tta.0, tta.1)
}

/// What a store remembers, without what it may measure or forget.
fn remembered(test: &Test, store: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = files(&test.path(store));
    found.retain(|name, _| !name.starts_with("costs-v1/") && !name.starts_with("cache-v1/"));
    found
}

#[test]
fn empty_stores_and_any_number_of_threads_give_the_same_bytes() {
    let test = Test::new().spec("bits.toml", &study());
    let run = |name: &str, more: &[&str]| {
        let (store, out) = (format!("{name}/store"), format!("{name}/report"));
        test.run([&["exp", "run", "bits.toml", "--store", &store, "--out", &out], more].concat()).success();
    };
    run("first", &[]);
    run("again", &[]);
    assert_same(&test.path("first/report"), &test.path("again/report"));
    assert_same(&test.path("first/store/tables"), &test.path("again/store/tables"));
    for threads in ["1", "2", "3"] {
        let name = format!("threads-{threads}");
        run(&name, &["--threads", threads]);
        assert_same(&test.path("first/report"), &test.path(&format!("{name}/report")));
        // Not the tables alone: every weight, mask and record, too.
        assert_same_files(&remembered(&test, "first/store"), &remembered(&test, &format!("{name}/store")));
    }
}

#[test]
fn stages_that_run_at_once_leave_what_they_leave_one_by_one() {
    let test = Test::new().spec("bits.toml", &study());
    let run = |name: &str, jobs: &str| {
        let (store, out) = (format!("{name}/store"), format!("{name}/report"));
        let more = ["--store", &store, "--out", &out, "--jobs", jobs, "--threads", "4"];
        test.run([&["exp", "run", "bits.toml"][..], &more].concat()).success();
    };
    run("alone", "1");
    for jobs in ["2", "4"] {
        let name = format!("jobs-{jobs}");
        run(&name, jobs);
        assert_same(&test.path("alone/report"), &test.path(&format!("{name}/report")));
        assert_same_files(&remembered(&test, "alone/store"), &remembered(&test, &format!("{name}/store")));
    }
    test.run(["exp", "run", "bits.toml", "--jobs", "0"]).code(2).stderr_has("--jobs 0");
}

#[test]
fn two_calls_at_once_leave_what_one_leaves() {
    let test = Test::new().spec("bits.toml", &study());
    let run = |store: &str, out: &str| {
        test.run(["exp", "run", "bits.toml", "--store", store, "--out", out]).success();
    };
    run("alone", "alone-report");
    std::thread::scope(|scope| {
        scope.spawn(|| run("shared", "one"));
        scope.spawn(|| run("shared", "other"));
    });
    assert_same(&test.path("one"), &test.path("alone-report"));
    assert_same(&test.path("other"), &test.path("alone-report"));
    assert_same(&test.path("shared/tables"), &test.path("alone/tables"));
    assert_same_files(&remembered(&test, "shared"), &remembered(&test, "alone"));
}

#[test]
fn neither_the_place_of_data_nor_that_of_a_spec_changes_an_id() {
    let test = images::dataset(images::dataset(Test::new(), "here/pictures"), "over/there/photos")
        .spec("study.toml", &images::spec("here/pictures", "st"))
        .spec("elsewhere/study.toml", &images::spec("../over/there/photos", "st"));
    test.run(["exp", "run", "study.toml"]).success();
    let ran = test.run(["exp", "run", "elsewhere/study.toml", "--json"]).success();
    assert!(ran.stages().is_empty(), "{:?}", ran.stages());
    let runs = |name: &str| {
        let shown = test.run(["exp", "show", name]).success().stdout();
        let line = shown.lines().find(|line| line.contains("mIoU")).expect("a line per run").to_owned();
        line.split_whitespace().next().expect("it starts with the run").to_owned()
    };
    assert_eq!(runs("study"), runs("elsewhere-study"));
}

#[test]
fn the_palette_is_for_people_and_changes_no_byte() {
    let test = images::dataset(Test::new(), "pictures").spec("study.toml", &images::spec("pictures", "st"));
    test.run(["exp", "run", "study.toml"]).success();
    let set = "data.palette=[[1, 2, 3], [4, 5, 6], [7, 8, 9]]";
    let again = ["exp", "run", "study.toml", "--set", set];
    test.run(again).success().stdout_has("nothing was trained");
    test.run(["exp", "verify", "study.toml", "--set", set]).success().stdout_has("identical");
}

#[test]
fn a_pixel_more_is_another_dataset() {
    let test =
        images::dataset(Test::new(), "pictures").spec("study.toml", &images::spec("pictures", "supervised"));
    test.run(["exp", "run", "study.toml"]).success();
    let (mut image, _) = images::picture(0);
    image.data[0] ^= 1;
    test.write("pictures/images/0.png", &stpp::data::decode::encode_png_rgb(&image));
    let plan = test.run(["exp", "plan", "study.toml", "--json"]).success();
    assert_eq!(plan.to_run().get("teacher"), Some(&1));
    test.run(["exp", "run", "study.toml"]).success().stdout_has("ran 3 of 3 stages");
}

#[test]
fn the_order_of_keys_comments_and_numbers_of_another_form_change_nothing() {
    let study = ablation("tiny", "[0]");
    let test = Test::new().spec("study.toml", &study);
    test.run(["exp", "run", "study.toml"]).success();
    let rewritten = study
        .replace("head_lr = 1.0\ncrop = 32\n", "crop = 32 # as large as the images\nhead_lr = 1\n")
        .replace("base_lr = 0.02", "base_lr = 2e-2");
    assert_ne!(rewritten, study);
    let test = test.spec("other.toml", &rewritten);
    test.run(["exp", "run", "other.toml"]).success().stdout_has("nothing was trained");
}
