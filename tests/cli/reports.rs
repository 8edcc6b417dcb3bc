//! A report says what the store holds, and nothing else.

use crate::folders::{assert_same_files, files};
use crate::specs::{ablation, experiment};
use crate::support::Test;

fn ran() -> Test {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0, 1]"));
    test.run(["exp", "run", "study.toml"]).success();
    test
}

#[test]
fn a_report_that_was_deleted_comes_back_with_the_same_bytes() {
    let test = ran();
    let (report, tables) = (files(&test.path("reports/tiny")), files(&test.path(".stpp/tables/tiny")));
    std::fs::remove_dir_all(test.path("reports")).unwrap();
    std::fs::remove_dir_all(test.path(".stpp/tables")).unwrap();
    test.run(["report", "tiny"]).success().stdout_has("reports/tiny/report.md");
    assert_same_files(&files(&test.path("reports/tiny")), &report);
    assert_same_files(&files(&test.path(".stpp/tables/tiny")), &tables);
    // The spec file stands for its name, and another folder gets the same report.
    test.run(["report", "study.toml", "--out", "paper"]).success();
    assert_same_files(&files(&test.path("paper")), &report);
    // What may be deleted at any time may be.
    std::fs::remove_dir_all(test.path(".stpp/cache-v1")).unwrap();
    std::fs::remove_dir_all(test.path(".stpp/costs-v1")).unwrap();
    test.run(["report", "tiny"]).success();
    assert_same_files(&files(&test.path("reports/tiny")), &report);
    test.run(["exp", "run", "study.toml"]).success().stdout_has("nothing was trained");
    assert_same_files(&files(&test.path("reports/tiny")), &report);
}

#[test]
fn a_report_that_somebody_edited_is_found_with_its_line() {
    let test = ran();
    test.run(["report", "tiny", "--check"]).success();
    let report = test.text("reports/tiny/report.md");
    let edited = report.replacen("## mIoU", "## mIoU, more or less", 1);
    let line = report.lines().position(|line| line == "## mIoU").expect("the report has that heading") + 1;
    test.write("reports/tiny/report.md", edited.as_bytes());
    let ran = test.run(["report", "tiny", "--check"]).code(1);
    ran.stderr_has(&format!("reports/tiny/report.md:{line}")).stderr_has("stpp report tiny");
    assert_eq!(test.text("reports/tiny/report.md"), edited, "a check writes nothing");
    for end in [&report[..report.len() - 1], &format!("{report}more\n"), ""] {
        test.write("reports/tiny/report.md", end.as_bytes());
        test.run(["report", "tiny", "--check"]).code(1).stderr_has("reports/tiny/report.md:");
    }
    test.run(["report", "tiny"]).success();
    test.run(["report", "tiny", "--check"]).success();
}

#[test]
fn a_check_without_a_report_and_a_report_without_a_study_are_explained() {
    let test = ran();
    std::fs::remove_dir_all(test.path("reports")).unwrap();
    test.run(["report", "tiny", "--check"]).code(2).stderr_has("reports/tiny/report.md");
    test.run(["report", "tinny"]).code(2).stderr_has("tinny").stderr_has("did you mean `tiny`?");
    test.run(["report", "nothing-like-it"]).code(2).stderr_has("stpp exp ls");
}

#[test]
fn hours_are_told_apart_from_results() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.run(["exp", "run", "study.toml"]).success();
    let report = test.text("reports/study/report.md");
    test.run(["report", "study", "--costs"]).success().stdout_has("teacher").stdout_has("in all");
    assert_eq!(test.text("reports/study/report.md"), report);
}

#[test]
fn a_report_has_its_answer_tables_and_provenance() {
    let test = ran();
    let report = test.text("reports/tiny/report.md");
    for part in ["# tiny", "Does it go through?", "`st` (baseline)", "`stpp`", "`pixels`", "`supervised`"] {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
    for class in ["background", "ball", "crate", "leaf"] {
        assert!(report.contains(class), "{class} is missing");
    }
    let folder = test.path(".");
    let here = folder.to_str().expect("a temporary folder has a plain name");
    assert!(!report.contains(here), "a report has no paths of the machine");
    let tables = files(&test.path(".stpp/tables/tiny"));
    let names = [
        "calibration",
        "classes",
        "confusion",
        "counts",
        "evaluated",
        "images",
        "looks",
        "metrics",
        "pseudo_confusion",
        "pseudo_labels",
        "run_stages",
        "runs",
        "study",
    ];
    assert_eq!(tables.into_keys().collect::<Vec<_>>(), names.map(|name| format!("{name}.parquet")));
}
