//! The tables of a study, as files.

use std::path::Path;
use std::process::Command;

use stpp::report::rows::{MetricRow, digests, tables};
use stpp::report::study::Study;
use stpp::track::frame;
use stpp::track::table::{Table, Value};

use crate::studies::{digest, selection_study, sound_lanes};

fn facts() -> (Study, Vec<MetricRow>) {
    let metric = |step| MetricRow {
        stage: digest("teacher 0 0"),
        key: "loss".to_owned(),
        step,
        value: 1.0 / step as f64,
    };
    (selection_study(&sound_lanes(), &[0, 1, 2]), [3, 1, 2].map(metric).to_vec())
}

fn parquet(tables: &[Table]) -> Vec<Vec<u8>> {
    tables.iter().map(|table| frame::parquet(table).unwrap()).collect()
}

#[test]
fn every_fact_has_its_row() {
    let (study, metrics) = facts();
    let shown: Vec<String> = tables(&study, &metrics)
        .unwrap()
        .iter()
        .map(|table| {
            let rows = table.rows();
            let first: Vec<String> = rows[0].iter().map(Value::to_string).collect();
            let digest = table.logical_digest().short();
            format!("{} {} {digest}: {}", table.schema().name, rows.len(), first.join(" "))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn the_same_study_in_another_order_gives_the_same_bytes() {
    let (mut study, mut metrics) = facts();
    let here = tables(&study, &metrics).unwrap();
    study.runs.reverse();
    metrics.rotate_left(1);
    let there = tables(&study, &metrics).unwrap();
    assert_eq!(digests(&here), digests(&there));
    assert_eq!(parquet(&here), parquet(&there));
}

#[test]
fn a_shared_stage_has_its_rows_once() {
    let (mut study, _) = facts();
    let rows = |study: &Study| tables(study, &[]).unwrap()[3].rows().len();
    let before = rows(&study);
    // `image-stability` now selects as `stpp` does, in the same stage.
    let shared =
        |arm: &str, study: &Study| study.runs.iter().find(|run| run.arm == arm).unwrap().selection.clone();
    let selection = shared("stpp", &study);
    study.runs.iter_mut().find(|run| run.arm == "image-stability").unwrap().selection = selection;
    assert_eq!(rows(&study), before - 6);
}

#[test]
fn facts_that_contradict_each_other_are_refused() {
    let (mut study, _) = facts();
    let selection = study.runs.iter().find(|run| run.arm == "stpp").unwrap().selection.clone();
    let other = study.runs.iter_mut().find(|run| run.arm == "image-stability").unwrap();
    other.selection = selection;
    other.selection.as_mut().unwrap().images[0].score = Some(0.123);
    let error = tables(&study, &[]).unwrap_err().to_string();
    assert!(error.contains("`images`") && error.contains("unlabeled-0"), "{error}");
}

#[test]
fn an_incomplete_run_has_a_row_and_no_numbers() {
    let (mut study, _) = facts();
    study.runs[0].complete = false;
    let found = tables(&study, &[]).unwrap();
    let column =
        |name: &str| found[0].schema().columns.iter().position(|column| column.name == name).unwrap();
    let rows = found[0].rows().iter().filter(|row| row[column("complete")] == Value::Flag(false));
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][column("miou")], Value::Null);
}

#[test]
fn the_tables_open_in_python() {
    let folder = tempfile::tempdir().unwrap();
    let (study, metrics) = facts();
    let written = frame::write(folder.path(), &tables(&study, &metrics).unwrap()).unwrap();
    assert_eq!(written.len(), 6);
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_polars = Command::new(&python).args(["-c", "import polars"]).output();
    if !has_polars.is_ok_and(|output| output.status.success()) {
        println!("skipped: no `{python}` with polars; set PYTHON to one");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/open.py");
    let output = Command::new(&python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}
