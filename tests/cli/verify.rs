//! `stpp exp verify`: anyone can check that the same bits come again.

use std::path::PathBuf;

use candle_core::Device;
use stpp::base::digest::Digest;
use stpp::plan::Kind;
use stpp::run::signal::Stop;
use stpp::run::{Event, Executor, PlannedStudy, Settings, Sink};
use stpp::spec::{Process, Spec, load};
use stpp::store::{Artifact, Record, Store};

use crate::specs::{ablation, experiment};
use crate::support::Test;

fn finished() -> Test {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(["exp", "run", "study.toml"]).success();
    test
}

fn store(test: &Test) -> Store {
    Store::open(&test.path(".stpp")).unwrap()
}

/// The teacher that was trained, of its one setting.
fn teacher(store: &Store) -> Record {
    let mut records = store.records().unwrap();
    records.retain(|record| record.kind == Kind::Teacher);
    records.remove(0)
}

fn object(store: &Store, digest: Digest) -> PathBuf {
    store.object_path(digest).unwrap()
}

/// Writes other bytes in the place of an artifact, as a failing disk would.
fn overwrite(store: &Store, digest: Digest, bytes: &[u8]) {
    let path = object(store, digest);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Changes an artifact and all that names it, so that the store itself is in order.
fn forge(store: &Store, mut record: Record, output: &str, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = store.get(record.output(output).unwrap()).unwrap();
    change(&mut bytes);
    let artifact = Artifact { digest: store.put(&bytes).unwrap(), bytes: bytes.len() as u64 };
    record.outputs.insert(output.to_owned(), artifact);
    store.commit(&record).unwrap();
}

#[test]
fn a_finished_study_is_identical_by_spec_name_and_run_with_any_number_of_threads() {
    let test = finished();
    let before = crate::folders::files(&test.path(".stpp"));
    for threads in ["1", "2"] {
        let ran = test.run(["exp", "verify", "study.toml", "--threads", threads]).success();
        ran.stdout_has("identical: 20 of 20 stages").stdout_has("4 of 4 steps");
    }
    test.run(["exp", "verify", "tiny", "--stage", "teacher"]).success().stdout_has("identical: 1 of 1 stage");
    let shown = test.run(["exp", "show", "tiny"]).success().stdout();
    let run = shown.lines().find(|line| line.contains("supervised")).unwrap();
    let run = run.split_whitespace().next().unwrap();
    test.run(["exp", "verify", run]).success().stdout_has("identical: 4 of 4 stages");
    test.run(["exp", "verify", "tiny", "--stage", "student_1"]).success().stdout_has("retrain student_1");
    assert_eq!(crate::folders::files(&test.path(".stpp")), before, "nothing is left in the store");
}

#[test]
fn the_first_steps_can_be_verified_alone() {
    let test = finished();
    let ran = test.run(["exp", "verify", "tiny", "--stage", "retrain", "--steps", "2"]).success();
    ran.stdout_has("2 of 4 steps");
    test.run(["exp", "verify", "tiny", "--steps", "0"]).code(2).stderr_has("--steps");
}

#[test]
fn one_bit_of_one_weight_is_named_with_its_tensor() {
    let test = finished();
    let store = store(&test);
    let record = teacher(&store);
    let model = record.output("model@4").unwrap();
    let mut bytes = store.get(model).unwrap();
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    overwrite(&store, model, &bytes);
    let key = record.key.to_string();
    let ran = test.run(["exp", "verify", "tiny", "--stage", &key]).code(4);
    let ran = ran
        .stdout_has("`model@4` is damaged in the store: the tensor `")
        .stdout_has("1 of its values differ");
    ran.stderr_has("1 of 1 stage differ").stderr_has("tensor");
}

#[test]
fn a_forgery_that_the_store_cannot_see_is_named() {
    let test = finished();
    let store = store(&test);
    forge(&store, teacher(&store), "model@4", |bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
    });
    test.run(["store", "verify"]).success();
    let ran = test.run(["exp", "verify", "tiny", "--stage", "teacher"]).code(4);
    ran.stdout_has("`model@4` is another one: the tensor `");

    forge(&store, teacher(&store), "metrics", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let line = text.lines().find(|line| line.contains("\"loss\",\"step\":3")).unwrap();
        *bytes = text.replace(line, r#"{"key":"loss","step":3,"value":0.125}"#).into_bytes();
    });
    let ran = test.run(["exp", "verify", "tiny", "--stage", "teacher"]).code(4);
    ran.stdout_has("step 3 is the first that differs: `loss` is 0.125 in the store");
}

#[test]
fn where_the_points_are_gone_the_trace_says_where() {
    let test = finished();
    let store = store(&test);
    let mut record = teacher(&store);
    overwrite(&store, record.output("metrics").unwrap(), b"gone");
    record.marks[2].trace = Digest::of(b"another");
    store.commit(&record).unwrap();
    let ran = test.run(["exp", "verify", "tiny", "--stage", "teacher"]).code(4);
    ran.stdout_has("the first step that differs is one of 3 to 3").stdout_has("`metrics`");
}

#[test]
fn what_is_not_done_or_not_there_is_told() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.run(["exp", "verify", "study.toml"]).code(2).stderr_has("there is none");
    test.run(["exp", "run", "study.toml"]).success();
    for wrong in [
        &[""][..],
        &["study", "--stage", ""],
        &["study", "--tolerance", "nan"],
        &["study", "--set", "seed=1"],
    ] {
        test.run([&["exp", "verify"][..], wrong].concat()).code(2).stderr_has("failed to verify");
    }
    test.run(["exp", "verify", "nobody"]).code(2).stderr_has("nobody");
    let other = ["exp", "verify", "study.toml", "--stage", "teacher", "--set", "seed=7"];
    test.run(other).code(2).stderr_has("none of these stages is in the store");
    test.run(["exp", "verify", "study", "--stage", "selekt"]).code(2).stderr_has("selekt");
}

/// Sees nothing.
struct Silent;

impl Sink for Silent {
    fn take(&mut self, _: &Event) {}
}

#[test]
fn another_numerics_class_is_held_against_a_tolerance() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    let Spec::Ablation(ablation) = load(&test.path("study.toml"), &[], &Process).unwrap().spec else {
        panic!("it is an ablation")
    };
    // A store as another kind of machine would leave it: here, with the same bits.
    let store = Store::open(&test.path(".stpp")).unwrap();
    let mut study = PlannedStudy::new(*ablation, "cpu-elsewhere-f32-engine2", &store.cache()).unwrap();
    study.register(&store, false).unwrap();
    let (device, settings) = (Device::Cpu, Settings::default());
    Executor { store: &store, device, sink: &mut Silent, stop: Stop::default(), settings }
        .run(&study)
        .unwrap();
    let ran = test.run(["exp", "verify", "tiny", "--stage", "teacher", "--stage", "evaluate"]).success();
    ran.stdout_has("another numerics class (cpu-elsewhere-f32-engine2 in the store")
        .stdout_has("within the tolerance");

    forge(&store, teacher(&store), "metrics", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let line = text.lines().find(|line| line.contains("\"loss\",\"step\":2")).unwrap();
        *bytes = text.replace(line, r#"{"key":"loss","step":2,"value":0.125}"#).into_bytes();
    });
    let ran = test.run(["exp", "verify", "tiny", "--stage", "teacher"]).code(4);
    ran.stdout_has("at step 2 (tolerance 1.0e-3)");
}
