//! What is wrong with a spec or a command is said before anything trains: where, what, and what to do.

use crate::specs::{ablation, experiment};
use crate::support::Test;

/// A change to the spec of an ST++ experiment, and what is said of it.
struct Case {
    /// What the spec has.
    right: &'static str,
    /// What it has now.
    wrong: &'static str,
    /// The part of it that a caret points at.
    at: &'static str,
    /// Parts of the message.
    said: &'static [&'static str],
}

const fn case(
    right: &'static str,
    wrong: &'static str,
    at: &'static str,
    said: &'static [&'static str],
) -> Case {
    Case { right, wrong, at, said }
}

const CASES: &[Case] = &[
    case("iterations = 4", "iteration = 4", "iteration", &["unknown key", "did you mean `iterations`?"]),
    case("[train]", "[trian]", "trian", &["unknown key", "did you mean `train`?"]),
    case("\"stpp\"", "\"st++\"", "\"st++\"", &["method.name", "did you mean `stpp`?"]),
    case("batch = 4", "batch = \"four\"", "\"four\"", &["train.batch", "whole number"]),
    case("batch = 4", "batch = 0", "0", &["train.batch"]),
    case("base_lr = 0.02", "base_lr = -0.02", "-0.02", &["train.base_lr"]),
    case("base_lr = 0.02", "base_lr = nan", "nan", &["train.base_lr"]),
    case("labeled = 4", "labeled = 13", "13", &["split.labeled", "12"]),
    case("labeled = 4", "fraction = 0.05", "0.05", &["split.fraction", "12 images", "no image"]),
    case(
        "labeled = 4",
        "lists = \"split\"",
        "\"split\"",
        &["synthetic data have no list files", "labeled = 24"],
    ),
    case("points = 2", "points = 5", "5", &["evaluate.points", "at most 4"]),
    case("crop = 32", "crop = 15", "15", &["train.crop", "less than the output stride", "at least 16"]),
    case("output_stride = 16", "output_stride = 4", "4", &["model.output_stride", "8 or 16"]),
    case("\"resnet18\"", "\"resnet19\"", "\"resnet19\"", &["did you mean `resnet18`?"]),
    case("classes = 4", "classes = 1", "1", &["data.classes", "at least 2"]),
    case("scales = [1.0]", "scales = []", "[]", &["method.tta.scales", "at least one scale"]),
    case("[evaluate]", "[[evaluate]]", "[[evaluate]]", &["evaluate"]),
    case("width = 32", "width = wide", "wide", &["not TOML"]),
    case("\n[data]", "extends = \"none.toml\"\n[data]", "\"none.toml\"", &["none.toml"]),
    case("\n[data]", "extends = \"study.toml\"\n[data]", "\"study.toml\"", &["itself"]),
    case("\"stpp\"", "\"stpp\"\ncheckpoints = 5", "5", &["method.checkpoints", "length is 4", "at most 4"]),
];

/// `study.toml:20:1`, for the place of a caret.
fn place(text: &str, offset: usize) -> String {
    let before = &text[..offset];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    format!("study.toml:{}:{}", before.matches('\n').count() + 1, before.len() - start + 1)
}

#[test]
fn every_problem_of_a_spec_is_named_with_its_place() {
    let right = experiment("stpp");
    let test = Test::new();
    for Case { right: from, wrong: to, at, said } in CASES {
        let wrong = right.replacen(from, to, 1);
        assert_ne!(wrong, right, "{from}");
        test.write("study.toml", wrong.as_bytes());
        let offset = right.find(from).expect("it was replaced") + to.find(at).expect("it is a part");
        let mut ran = test.run(["exp", "run", "study.toml"]).code(2).stderr_has("error");
        for said in said.iter().copied().chain([place(&wrong, offset).as_str()]) {
            ran = ran.stderr_has(said);
        }
        assert_eq!(ran.stdout(), "");
        assert!(!test.path("reports").exists() && !test.path(".stpp").exists());
    }
}

#[test]
fn values_out_of_range_are_refused_wherever_they_are_written() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    let pixel = "method.select={ level = \"pixel\", rule = \"threshold\", threshold = 1.5 }";
    for (set, said) in [
        ("seed=9007199254740992", "9007199254740991"),
        ("seed=-1", "seed"),
        ("seed=1.5", "seed"),
        ("data.seed=9007199254740992", "data.seed"),
        (pixel, "method.select.threshold"),
        ("data.difficulty=1.01", "data.difficulty"),
        ("split.fraction=1.5", "split.fraction"),
        ("train.momentum=1.0", "train.momentum"),
        ("model.width=0", "model.width"),
        ("method.checkpoints=1", "method.checkpoints"),
        ("train.iterations=0", "train.iterations"),
        ("train.iteratons=4", "did you mean `iterations`?"),
        ("train", "--set"),
        ("run.threads=-1", "run.threads"),
    ] {
        test.run(["exp", "plan", "study.toml", "--set", set]).code(2).stderr_has("--set").stderr_has(said);
    }
    test.run(["exp", "plan", "study.toml", "--set", "seed=9007199254740991"]).success();
}

#[test]
fn all_problems_of_a_spec_are_named_at_once() {
    let wrong =
        experiment("st").replace("batch = 4", "batsh = 4").replace("crop = 32", "crop = -1") + "naem = 1\n";
    let test = Test::new().spec("study.toml", &wrong);
    let ran = test.run(["exp", "plan", "study.toml", "--set", "seed=-1"]).code(2);
    ran.stderr_has("batsh").stderr_has("train.crop").stderr_has("naem").stderr_has("seed=-1");
}

#[test]
fn an_ablation_says_what_it_lacks() {
    let right = ablation("tiny", "[0]");
    for (from, to, said) in [
        ("baseline = \"st\"", "baseline = \"ts\"", "no arm \"ts\""),
        ("factors = [\"method\", ", "factors = [", "factors"),
        ("seeds = [0]", "seeds = []", "seeds"),
        ("seeds = [0]", "seeds = [0, 0]", "twice"),
        ("seeds = [0]", "seeds = [9007199254740992]", "9007199254740991"),
        ("threshold = 0.3", "threshold = -0.1", "threshold"),
        ("[arm.supervised]", "[arm.Supervised]", "Supervised"),
        ("[arm.supervised]", "[arm.supervised]\ntrain.crop = 16", "train.crop"),
        (
            "[arm.supervised]\nmethod.name = \"supervised\"",
            "[arm.supervised]\nmethod.name = \"st\"",
            "supervised",
        ),
    ] {
        let wrong = right.replace(from, to);
        assert_ne!(wrong, right, "{from}");
        let test = Test::new().spec("study.toml", &wrong);
        test.run(["exp", "plan", "study.toml"]).code(2).stderr_has("study.toml:").stderr_has(said);
    }
}

#[test]
fn a_training_that_could_not_make_a_step_is_refused() {
    // Four labeled images, seen twice, make no batch of nine; four unlabeled ones would.
    let test = Test::new().spec("study.toml", &experiment("st").replace("iterations = 4", "epochs = 4"));
    let ran = test.run(["exp", "run", "study.toml", "--set", "train.batch=9"]).code(2);
    ran.stderr_has("teacher").stderr_has("drop_last").stderr_has("0 steps").stderr_has("seed 0");
    test.run(["exp", "plan", "study.toml", "--set", "train.batch=9", "--set", "train.drop_last=false"])
        .success();
    // Every image labeled leaves nothing to learn from.
    test.run(["exp", "run", "study.toml", "--set", "split.labeled=12"]).code(2).stderr_has("unlabeled");
    // A tenth of eight images is none.
    let none = ["--set", "method.name=\"stpp\"", "--set", "method.select.fraction=0.1"];
    let ran = test.run([&["exp", "run", "study.toml"][..], &none].concat()).code(2);
    ran.stderr_has("method.select.fraction");
    assert!(!test.path(".stpp/records-v2").exists(), "nothing was trained");
}

#[test]
fn a_spec_that_is_no_text_or_not_there_is_named() {
    let test = Test::new();
    test.write("binary.toml", &[0xff, 0xfe, 0x00, 0x01]);
    test.write("folder.toml/file", b"");
    test.write("empty.toml", b"");
    for name in ["binary.toml", "folder.toml", "missing.toml"] {
        test.run(["exp", "run", name]).code(2).stderr_has(name);
    }
    test.run(["exp", "run", "empty.toml"]).code(2).stderr_has("[data]").stderr_has("kind = \"synthetic\"");
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.run(["exp", "run", "study.toml", "--device", "gpu"])
        .code(2)
        .stderr_has("`gpu`")
        .stderr_has("cuda:0");
    for name in ["tpu", "cuda", "cuda:", "cuda:-1", "cuda:0.5", "cuda:99999999999999999999", ""] {
        test.run(["doctor", "--device", name]).code(2).stderr_has(&format!("`{name}`")).stderr_has("cuda:N");
    }
    let set = ["exp", "run", "study.toml", "--set", "run.device=\"quantum\""];
    test.run(set).code(2).stderr_has("quantum");
    if cfg!(not(feature = "cuda")) {
        for name in ["cuda:0", "cuda:7"] {
            let ran = test.run(["exp", "run", "study.toml", "--device", name]).code(2);
            ran.stderr_has(name).stderr_has("--features cuda,cudnn").stderr_has("--device cpu");
        }
    }
    assert!(!test.path("reports").exists());
}
