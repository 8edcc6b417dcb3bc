//! What the README says exists: commands, specs, keys, defaults, outputs.
//!
//! `STPP_BLESS=1 cargo test --release --test readme` writes the outputs in it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use polars::prelude::*;
use stpp::cli::args::Args;
use stpp::run::numerics;
use stpp::spec::{Elsewhere, load, schema};
use stpp::track::frame;
use stpp::track::schema::RUNS;
use stpp::track::table::{LongTable, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The code blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let start = format!("\n```{language}\n");
    let bodies = text.split(&start).skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default());
    bodies.map(|body| format!("{body}\n")).collect()
}

/// The commands of this program, as their arguments.
fn commands() -> Vec<Vec<String>> {
    let text = readme();
    let lines = blocks(&text, "console").concat();
    let ours = |line: &str| {
        let command = line.strip_prefix("$ ")?;
        let prefixes = ["cargo run --release -- ", "target/release/stpp ", "stpp "];
        prefixes.iter().find_map(|prefix| command.strip_prefix(prefix)).map(str::to_owned)
    };
    lines.lines().filter_map(ours).map(|args| args.split(' ').map(str::to_owned).collect()).collect()
}

#[test]
fn the_two_commands_are_there() {
    let commands = blocks(&readme(), "console");
    let first = commands.first().expect("the README has commands");
    assert_eq!(first, "$ cargo run --release -- exp run ablations/selection.toml\n$ cargo test --release\n");
}

#[test]
fn every_command_is_one_that_the_program_knows() {
    let mut helped = BTreeSet::new();
    for args in commands() {
        let line = args.join(" ");
        if let Err(error) =
            Args::try_parse_from(std::iter::once("stpp").chain(args.iter().map(String::as_str)))
        {
            panic!("`stpp {line}`: {error}");
        }
        for spec in args.iter().filter(|arg| arg.ends_with(".toml")) {
            assert!(root().join(spec).is_file(), "`stpp {line}`: there is no {spec}");
        }
        let words = args.iter().take_while(|arg| !arg.starts_with('-') && !arg.contains(['/', '.']));
        let names: Vec<&str> =
            words.map(String::as_str).take(2).filter(|word| *word != "selection").collect();
        helped.insert(names.join(" "));
    }
    assert!(helped.len() > 4, "{helped:?}");
    for names in helped {
        let program = env!("CARGO_BIN_EXE_stpp");
        let output = Command::new(program).args(names.split(' ')).arg("--help").output().unwrap();
        assert!(output.status.success(), "`stpp {names} --help`");
    }
}

#[test]
fn the_example_of_a_spec_reads_without_a_problem() {
    let example = blocks(&readme(), "toml").into_iter().find(|text| text.contains("/data/leaves"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leaves.toml");
    std::fs::write(&path, example.expect("the README has an example")).unwrap();
    load(&path, &[], &Elsewhere).unwrap_or_else(|problems| panic!("{problems}"));
}

/// The rows of the reference: key and default.
fn reference() -> BTreeMap<String, String> {
    let text = readme();
    let section = text.split("\n## Spec reference\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let mut rows = BTreeMap::new();
    let mut tables = vec![""];
    for line in section.expect("the README has a reference").lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            let named = heading.split(['[', ']']).skip(1).step_by(2).collect::<Vec<_>>();
            tables = if named.is_empty() { vec![""] } else { named };
        }
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim_matches([' ', '`', '*'])).collect();
        if line.starts_with("| `") {
            for table in &tables {
                let key =
                    if table.is_empty() { cells[1].to_owned() } else { format!("{table}.{}", cells[1]) };
                assert_eq!(rows.insert(key.clone(), cells[2].to_owned()), None, "{key} is there twice");
            }
        }
    }
    rows
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let known: BTreeSet<&str> = schema::KEYS.iter().copied().collect();
    let rows = reference();
    let told: BTreeSet<&str> = rows.keys().map(String::as_str).collect();
    let missing: Vec<_> = known.difference(&told).collect();
    let invented: Vec<_> = told.difference(&known).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:?}, invented: {invented:?}");
}

#[test]
fn the_defaults_of_the_reference_are_those_of_the_program() {
    let common = "split.labeled = 24\ntrain.iterations = 100\n";
    let synthetic = format!("data.kind = \"synthetic\"\n{common}");
    let listed = format!(
        "data.kind = \"listed\"\ndata.root = \"/nowhere\"\ndata.train = \"t\"\ndata.val = \"v\"\n\
         data.classes = [\"a\", \"b\"]\n{common}"
    );
    let pixel = |rule: &str| {
        format!(
            "{synthetic}method.retrainings = 1\nmethod.select.level = \"pixel\"\nmethod.select.rule = \"{rule}\"\n"
        )
    };
    let specs = [
        format!("{synthetic}method.retrainings = 0\n"),
        format!("{synthetic}method.name = \"stpp\"\n"),
        format!("{synthetic}method.retrainings = 2\nmethod.select.level = \"image\"\n"),
        format!("{listed}method.name = \"st\"\n"),
        pixel("threshold"),
        pixel("entropy"),
        pixel("matched"),
        format!(
            "name = \"a\"\nbaseline = \"a\"\nfactors = [\"method\", \"augment.strong.on\"]\n{synthetic}[arm.a]\nmethod.name = \"st\"\n\
             [arm.b]\nmethod.name = \"plain\"\n[[claim]]\nbetter = \"a\"\nthan = \"b\"\n"
        ),
    ];
    let rows = reference();
    let mut seen = BTreeSet::new();
    for spec in specs {
        for (key, value) in defaults(&spec) {
            let told = &rows[&key];
            let optional = told.is_empty() && ["data.palette", "retrain.iterations"].contains(&key.as_str());
            assert!(optional || *told == value, "{key}: the README says {told}, the program {value}");
            seen.insert(key);
        }
    }
    let unseen: Vec<_> = rows
        .iter()
        .filter(|(key, told)| !told.is_empty() && !seen.contains(*key) && !key.starts_with("retrain."))
        .map(|(key, _)| key.as_str())
        .collect();
    assert!(unseen.is_empty(), "these defaults were not compared: {unseen:?}");
}

/// What the resolved form of a spec calls a default.
fn defaults(spec: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.toml");
    std::fs::write(&path, spec).unwrap();
    let loaded = load(&path, &[], &Elsewhere).unwrap_or_else(|problems| panic!("{problems}"));
    let mut table = String::new();
    let mut found = Vec::new();
    for line in loaded.to_toml().lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_matches(['[', ']']));
        }
        if let Some((key, value)) = line.strip_suffix("# default").and_then(|pair| pair.split_once(" = ")) {
            found.push((format!("{table}{key}"), value.trim_end().to_owned()));
        }
    }
    found
}

#[test]
fn outputs_are_what_the_program_says() {
    if numerics::simd() != "avx2+fma" {
        println!("skipped: the README shows the output of an x86-64 machine with AVX2");
        return;
    }
    let mut text = readme();
    for mark in marks(&text, "OUTPUT") {
        let (args, most) = match mark.split_once(" | ") {
            Some((args, lines)) => (args, lines.parse().unwrap()),
            None => (mark.as_str(), usize::MAX),
        };
        let store = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_stpp"))
            .args(args.split(' '))
            .arg("--store")
            .arg(store.path())
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "`stpp {args}`: {}", String::from_utf8_lossy(&output.stderr));
        let output = String::from_utf8(output.stdout).unwrap();
        let shown: Vec<&str> = output.lines().take(most).map(str::trim_end).collect();
        text = with_block(&text, &format!("<!-- OUTPUT: {mark} -->"), &shown.join("\n"));
    }
    if std::env::var_os("STPP_BLESS").is_some() {
        std::fs::write(root().join("README.md"), text).unwrap();
    } else {
        assert!(text == readme(), "the README shows old outputs: write them anew with STPP_BLESS=1");
    }
}

/// The text behind every `<!-- NAME: … -->`.
fn marks(text: &str, name: &str) -> Vec<String> {
    let start = format!("<!-- {name}: ");
    text.split(&start).skip(1).filter_map(|rest| Some(rest.split_once(" -->")?.0.to_owned())).collect()
}

/// Puts an output into the block below a mark; a first line that shows the command stays.
fn with_block(text: &str, mark: &str, output: &str) -> String {
    let (before, rest) = text.split_once(mark).expect("the mark is there");
    let (fence, rest) = rest.trim_start().split_once('\n').expect("a block is below the mark");
    let (body, after) = rest.split_once("```").expect("the block ends");
    let command = body.lines().next().filter(|line| line.starts_with("$ "));
    let command = command.map_or_else(String::new, |line| format!("{line}\n"));
    format!("{before}{mark}\n{fence}\n{command}{output}\n```{after}")
}

#[test]
fn excerpts_are_part_of_what_they_are_taken_from() {
    let text = readme();
    for file in marks(&text, "EXCERPT") {
        let mark = format!("<!-- EXCERPT: {file} -->");
        let excerpt =
            text.split(&mark).nth(1).and_then(|rest| rest.split("<!-- END -->").next()).unwrap_or_default();
        let Ok(whole) = std::fs::read_to_string(root().join(&file)) else {
            println!("skipped: there is no {file} here");
            continue;
        };
        for line in excerpt.lines().map(|line| line.trim_start_matches("> ")).filter(|line| line.len() > 1) {
            assert!(whole.contains(line), "{file} does not say: {line}");
        }
    }
}

#[test]
fn the_snippet_in_rust_opens_a_table() {
    let source = include_str!("readme.rs");
    for block in blocks(&readme(), "rust") {
        assert!(source.contains(&block), "this is not compiled here:\n{block}");
    }
    let row = RUNS.columns.iter().map(|column| match column.name {
        "seed" => Value::count(0),
        "oracle" | "complete" => Value::Flag(false),
        name if name.starts_with("miou") => Value::real(0.5),
        "best_step" | "looks" | "select_stage" | "test_stage" | "val_stage" => Value::Null,
        name => Value::text(name),
    });
    let folder = tempfile::tempdir().unwrap();
    let row: Vec<Value> = row.collect();
    frame::write(folder.path(), &[LongTable::whole(&RUNS, || vec![row.clone()])]).unwrap();
    assert_eq!(miou_by_run(folder.path()).unwrap().shape(), (1, 4));
}

fn miou_by_run(tables: &Path) -> PolarsResult<DataFrame> {
    let runs = ParquetReader::new(File::open(tables.join("runs.parquet"))?).finish()?;
    runs.select(["arm", "split", "seed", "miou"])?.sort(["arm"], SortMultipleOptions::default())
}
