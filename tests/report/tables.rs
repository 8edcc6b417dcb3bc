//! The tables of a study, as files, and the study that is read back from them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use stpp::report::restore;
use stpp::report::rows::{self, MetricRow};
use stpp::report::scores::Scores;
use stpp::report::study::{Study, Subset};
use stpp::track::frame;
use stpp::track::table::{LongTable, Table, TableDigest, TableError, Value};

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

fn tables(study: &Study, metrics: &[MetricRow]) -> Result<Vec<Table>, TableError> {
    rows::tables(study, &Scores::new(study), metrics).iter().map(LongTable::table).collect()
}

fn digests(tables: &[Table]) -> Vec<TableDigest> {
    tables.iter().map(Table::cited).collect()
}

fn write(folder: &Path, study: &Study, metrics: &[MetricRow]) -> Vec<TableDigest> {
    frame::write(folder, &rows::tables(study, &Scores::new(study), metrics)).unwrap()
}

fn named<'a>(tables: &'a [Table], name: &str) -> &'a Table {
    tables.iter().find(|table| table.schema().name == name).unwrap()
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
            let digest = table.cited().digest.short();
            let first: String = first.join(" ").chars().take(200).collect();
            format!("{} {} {digest}: {first}", table.schema().name, rows.len())
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
    let rows = |study: &Study| named(&tables(study, &[]).unwrap(), "images").rows().len();
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
    Arc::make_mut(other.selection.as_mut().unwrap()).images[0].score = Some(0.123);
    let error = tables(&study, &[]).unwrap_err().to_string();
    assert!(error.contains("`images`") && error.contains("unlabeled-0"), "{error}");
}

#[test]
fn an_incomplete_run_has_a_row_and_no_numbers() {
    let (mut study, _) = facts();
    study.runs[0].complete = false;
    let found = tables(&study, &[]).unwrap();
    let runs = named(&found, "runs");
    let rows = runs.rows().iter().filter(|row| row[runs.column("complete")] == Value::Flag(false));
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][runs.column("miou")], Value::Null);
}

#[test]
fn a_study_is_read_back_from_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (mut study, mut metrics) = facts();
    study.runs[0].complete = false;
    study.runs[1].evaluations.remove(&Subset::Test);
    study.runs[2].looks.clear();
    let written = write(folder.path(), &study, &metrics);
    let mut read = restore::facts(folder.path()).unwrap();
    let key = |run: &stpp::report::study::RunFacts| (run.arm.clone(), run.split.clone(), run.seed);
    study.runs.sort_by_key(key);
    read.study.runs.sort_by_key(key);
    metrics.sort_by_key(|row| row.step);
    assert_eq!(read.metrics, metrics);
    assert_eq!(read.study, study);
    assert_eq!(written, digests(&tables(&read.study, &read.metrics).unwrap()));
}

#[test]
fn a_table_in_parts_is_the_table_in_one() {
    let (study, metrics) = facts();
    let scores = Scores::new(&study);
    for table in rows::tables(&study, &scores, &metrics) {
        let (bytes, cited) = frame::long_parquet(&table).unwrap();
        let whole = table.table().unwrap();
        assert_eq!(cited, whole.cited());
        assert_eq!(bytes, frame::parquet(&whole).unwrap(), "{}", cited.name);
    }
}

#[test]
fn tables_that_are_damaged_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (study, metrics) = facts();
    write(folder.path(), &study, &metrics);
    let told = || restore::facts(folder.path()).unwrap_err().to_string();
    std::fs::copy(folder.path().join("looks.parquet"), folder.path().join("counts.parquet")).unwrap();
    assert!(restore::facts(folder.path()).is_ok(), "counts follow from the confusion");
    std::fs::copy(folder.path().join("looks.parquet"), folder.path().join("runs.parquet")).unwrap();
    assert!(told().contains("runs.parquet") && told().contains("its columns are not"), "{}", told());
    std::fs::write(folder.path().join("runs.parquet"), "PAR1").unwrap();
    assert!(told().contains("no Parquet file"), "{}", told());
    std::fs::remove_file(folder.path().join("runs.parquet")).unwrap();
    assert!(told().contains("runs.parquet"), "{}", told());
}

#[test]
fn the_tables_open_in_python() {
    let folder = tempfile::tempdir().unwrap();
    let (study, metrics) = facts();
    assert_eq!(write(folder.path(), &study, &metrics).len(), 13);
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
