//! A report as it leaves the house: every form of it, the same bytes anywhere, checked without a store.

use std::process::Command;

use crate::folders::{assert_same_files, files};
use crate::specs::ablation;
use crate::support::Test;

fn ran(seeds: &str) -> Test {
    let test = Test::new().spec("study.toml", &ablation("tiny", seeds));
    test.run(["exp", "run", "study.toml"]).success();
    test.run(["report", "tiny", "--tables"]).success();
    test
}

#[test]
fn every_form_has_the_same_bytes_in_another_folder_locale_time_zone_and_number_of_threads() {
    let one = ran("[0, 1]");
    let here = files(&one.path("reports/tiny"));
    for form in ["report.md", "report.html", "report.json", "results.csv", "results.tex", "figures/graph.svg"]
    {
        assert!(here.contains_key(form), "{form} is missing among {:?}", here.keys());
    }
    let other = Test::new().spec("elsewhere/study.toml", &ablation("tiny", "[0, 1]"));
    let mut command =
        other.command(["exp", "run", "elsewhere/study.toml", "--threads", "1", "--out", "there"]);
    command.env("LC_ALL", "tr_TR.UTF-8").env("LANG", "de_DE.UTF-8").env("TZ", "Asia/Kathmandu");
    assert!(command.status().unwrap().success());
    let mut command = other.command(["report", "tiny", "--tables", "--out", "there"]);
    command.env("LC_ALL", "tr_TR.UTF-8").env("TZ", "America/St_Johns").env("RAYON_NUM_THREADS", "1");
    assert!(command.status().unwrap().success());
    assert_same_files(&files(&other.path("there")), &here);
}

#[test]
fn a_report_is_checked_from_its_tables_alone() {
    let test = ran("[0, 1]");
    std::fs::remove_dir_all(test.path(".stpp")).unwrap();
    let checked = || test.run(["report", "study.toml", "--check"]);
    checked().success().stdout_has("files are what the tables in reports/tiny/tables say");
    assert!(!test.path(".stpp").exists(), "a check makes no store");
    for file in ["report.html", "report.json", "results.csv", "results.tex", "figures/graph.svg"] {
        let path = format!("reports/tiny/{file}");
        let text = test.text(&path);
        test.write(&path, format!("{text} ").as_bytes());
        checked().code(1).stderr_has(&path);
        std::fs::remove_file(test.path(&path)).unwrap();
        checked().code(1).stderr_has(&path).stderr_has("is missing");
        test.write(&path, text.as_bytes());
    }
    test.write("reports/tiny/figures/mine.svg", b"<svg/>");
    test.write("reports/tiny/figures/mine.png", b"a photograph");
    checked().success();
    let ours = test.text("reports/tiny/figures/graph.svg");
    test.write("reports/tiny/figures/old.svg", ours.as_bytes());
    checked().code(1).stderr_has("figures/old.svg is of an earlier report");
    std::fs::remove_file(test.path("reports/tiny/figures/old.svg")).unwrap();
    checked().success();
    // Another number in a table is another report; a file that is no table is damage.
    let looks = std::fs::read(test.path("reports/tiny/tables/looks.parquet")).unwrap();
    std::fs::remove_file(test.path("reports/tiny/tables/looks.parquet")).unwrap();
    checked().code(4).stderr_has("looks.parquet");
    test.write("reports/tiny/tables/looks.parquet", &looks[..looks.len() / 2]);
    checked().code(4).stderr_has("looks.parquet");
    test.write("reports/tiny/tables/looks.parquet", &looks);
    // A table that nothing is read from must say what follows from the others all the same.
    let counts = std::fs::read(test.path("reports/tiny/tables/counts.parquet")).unwrap();
    let mut flipped = counts.clone();
    flipped[counts.len() / 2] ^= 1;
    test.write("reports/tiny/tables/counts.parquet", &flipped);
    checked().code(4).stderr_has("counts.parquet");
    test.write("reports/tiny/tables/counts.parquet", &counts);
    checked().success();
}

#[test]
fn the_committed_report_is_what_its_tables_say() {
    let test = Test::new();
    let mut command = test.command(["report", "ablations/selection.toml", "--check"]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn tables_beside_a_report_are_kept_as_new_as_it_is() {
    let test = ran("[0]");
    test.write("study.toml", ablation("tiny", "[0, 1]").as_bytes());
    test.run(["exp", "run", "study.toml", "--replace"]).success();
    test.run(["report", "tiny", "--check"]).success();
    assert_same_files(&files(&test.path("reports/tiny/tables")), &files(&test.path(".stpp/tables/tiny")));
}

#[test]
fn numbers_for_programs_are_those_of_the_page() {
    let test = ran("[0, 1]");
    let json: serde_json::Value = serde_json::from_str(&test.text("reports/tiny/report.json")).unwrap();
    assert_eq!(json["format"], "stpp report 1");
    assert_eq!(json["runs"].as_array().unwrap().len(), 8);
    let report = test.text("reports/tiny/report.md");
    for arm in json["arms"].as_array().unwrap() {
        let mean = arm["miou"]["test"]["mean"].as_f64().unwrap() * 100.0;
        assert!(report.contains(&format!("{mean:.2} ±")), "{mean} is not on the page");
    }
    let rows = test.text("reports/tiny/results.csv");
    let differences = json["differences"][0]["arms"].as_array().unwrap();
    for found in differences {
        let mean = found["mean"].as_f64().unwrap().to_string();
        assert!(rows.contains(&mean), "{mean} is not in the rows for a spreadsheet");
    }
}

#[test]
fn latex_compiles_the_tables() {
    if Command::new("pdflatex").arg("--version").output().is_err() {
        println!("skipped: there is no pdflatex here");
        return;
    }
    let test = ran("[0, 1]");
    let document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\input{reports/tiny/results}\\end{document}";
    test.write("paper.tex", document.as_bytes());
    let output = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", "paper.tex"])
        .current_dir(test.path("."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(test.path("paper.pdf").exists());
}

#[test]
fn panels_show_what_each_arm_made_of_an_image() {
    let test = ran("[0, 1]");
    test.run(["report", "study.toml", "--panels"]).success().stdout_has("reports/tiny/panels.html");
    let page = test.text("reports/tiny/panels.html");
    for part in ["Predictions", "Pseudo labels", "data:image/png;base64,", "truth of ", "pixels"] {
        assert!(page.contains(part), "{part} is missing");
    }
    test.run(["report", "study.toml", "--panels", "--out", "again"]).success();
    assert!(test.text("again/panels.html") == page, "the same store and data draw the same page");
    test.run(["report", "tiny", "--check"]).success();
    test.run(["report", "tiny", "--panels"]).code(2).stderr_has("spec file");
    let other = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    other.run(["report", "study.toml", "--panels"]).code(2).stderr_has("there is none");
}

#[test]
fn ablations_are_compared_where_they_may_be() {
    let test = ran("[0, 1]");
    test.write("other.toml", ablation("other", "[1, 2]").as_bytes());
    test.run(["exp", "run", "other.toml"]).success();
    test.run(["report", "tiny", "other.toml"]).success().stdout_has("reports/tiny+other/report.md");
    let report = test.text("reports/tiny+other/report.md");
    for part in
        ["`tiny/st` (baseline)", "`other/stpp`", "## Not in every ablation", "- `tiny/st`: seed 2 split `0`"]
    {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
    assert!(!report.contains("Missing runs"), "{report}");
    test.run(["report", "tiny", "other", "--check"]).success();
    test.run(["report", "tiny", "other", "--check-claims"]).code(2).stderr_has("one ablation at a time");
    test.run(["report", "tiny", "tiny"]).code(2).stderr_has("with itself");
    test.run(["report", "other", "--check", "--out", "reports/tiny"])
        .code(2)
        .stderr_has("something of `tiny`");
    // Other images are another protocol.
    let elsewhere = ablation("elsewhere", "[0]").replace("difficulty = 0.3", "difficulty = 0.4");
    test.write("elsewhere.toml", elsewhere.as_bytes());
    test.run(["exp", "run", "elsewhere.toml"]).success();
    let ran = test.run(["report", "tiny", "elsewhere"]).code(2);
    ran.stderr_has("they differ in the images and masks").stderr_has("not put into one table");
    assert!(!test.path("reports/tiny+elsewhere").exists());
}

#[test]
fn two_experiments_are_shown_side_by_side() {
    let test = ran("[0, 1]");
    let ran = test.run(["exp", "diff", "tiny/st/0/0", "tiny/stpp/0"]).success();
    let parts = ["method.retrainings", "shared", "only A", "only B", "test mIoU", "these models"];
    parts.iter().fold(ran, |ran, part| ran.stdout_has(part));
    let json = test.run(["exp", "diff", "tiny/st/0", "tiny/st/0", "--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&json.stdout()).unwrap();
    assert_eq!(json["spec"], serde_json::json!({}));
    assert!(json["stages"].as_array().unwrap().iter().all(|stage| stage["a"] == true && stage["b"] == true));
    test.run(["exp", "diff", "tiny/st/0", "tiny/sttp/0"]).code(2).stderr_has("did you mean");
    test.run(["exp", "diff", "tiny/st", "tiny/stpp/0"])
        .code(2)
        .stderr_has("2 runs fit")
        .stderr_has("tiny/st/0/0");
    test.run(["exp", "diff", "tiny", "tiny/stpp/0"]).code(2).stderr_has("an ablation of 8 runs");
    test.run(["exp", "diff", "", "tiny/stpp/0"]).code(2).stderr_has("8 runs begin so");
}
