//! Law 9: a stage has a VERSION. Its outputs on a tiny study are known by digest, so bytes that move without a new
//! version are found before somebody's store mixes old and new ones.
//!
//! `STPP_BLESS=1 cargo test --release --test stages` writes the known digests anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use candle_core::Device;
use serde::{Deserialize, Serialize};
use stpp::data::decode::{encode_png_mask, encode_png_rgb};
use stpp::data::subset::Subset;
use stpp::data::synthetic;
use stpp::plan::work::Work;
use stpp::plan::{Kind, Node, StageKey};
use stpp::run::signal::Stop;
use stpp::run::{Event, Executor, PlannedStudy, Settings, Sink, numerics};
use stpp::spec::data::Synthetic;
use stpp::spec::{Environment, Spec, load};
use stpp::store::{Record, Store};

/// What is known of a numerics class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Golden {
    numerics: String,
    stage: BTreeMap<String, Known>,
}

/// What is known of one kind of stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    version: u32,
    /// By arm, role and name of the output: digests of bytes, and small values as they are.
    outputs: BTreeMap<String, String>,
}

/// One stage that was run.
struct Ran {
    node: Node,
    /// As [`Known::outputs`].
    outputs: BTreeMap<String, String>,
}

/// The study is run once; both tests look at it.
static RAN: LazyLock<(String, Vec<Ran>)> = LazyLock::new(|| {
    let class = numerics::class(&Device::Cpu);
    let ran = run(&class);
    (class, ran)
});

#[test]
fn outputs_move_only_with_the_version_of_their_stage() {
    let (class, ran) = &*RAN;
    let kinds: BTreeSet<Kind> = ran.iter().map(|stage| stage.node.kind).collect();
    assert_eq!(kinds, Kind::ALL.into(), "the study misses a kind of stage");

    let found = golden(class, ran);
    if std::env::var_os("STPP_BLESS").is_some() {
        std::fs::write(path("golden.toml"), to_toml(&found)).unwrap();
        return;
    }
    let known: Golden = toml::from_str(&std::fs::read_to_string(path("golden.toml")).unwrap()).unwrap();
    if without_engine(&known.numerics) != without_engine(class) {
        println!("skipped: the digests are those of {}, and this machine is {class}", known.numerics);
        return;
    }
    assert_eq!(
        &known.numerics, class,
        "ENGINE_VERSION moved: bless the new digests (STPP_BLESS=1) and say in CHANGELOG.md what rounds differently"
    );
    let complaints = complaints(&known, ran);
    assert!(complaints.is_empty(), "\n{complaints}");
    assert_eq!(known, found, "the study's stages or outputs have other names now: bless them (STPP_BLESS=1)");
}

#[test]
fn a_moved_output_is_blamed_on_the_first_stage_that_moved() {
    let (class, ran) = &*RAN;
    let mut known = golden(class, ran);
    assert_eq!(complaints(&known, ran), "");

    // What if labels had been other ones, and all that is made of them too?
    for kind in [Kind::Label, Kind::Retrain, Kind::Evaluate] {
        for (name, digest) in &mut known.stage.get_mut(kind.word()).unwrap().outputs {
            if !name.starts_with("supervised") {
                *digest = "another".to_owned();
            }
        }
    }
    let text = complaints(&known, ran);
    assert!(text.contains("the output of `label` moved and its VERSION did not"), "{text}");
    assert!(!text.contains("`retrain`") && !text.contains("`evaluate`"), "{text}");

    known.stage.get_mut("label").unwrap().version = 0;
    let text = complaints(&known, ran);
    let version = Kind::Label.version();
    assert!(text.contains(&format!("`label` is at version {version} now: bless")), "{text}");
}

/// Says which stages are at fault: those whose outputs moved although their inputs did not.
fn complaints(known: &Golden, ran: &[Ran]) -> String {
    let mut moved: BTreeSet<StageKey> = BTreeSet::new();
    let mut blamed: BTreeMap<Kind, Vec<&str>> = BTreeMap::new();
    for stage in ran {
        let known = known.stage.get(stage.node.kind.word()).cloned().unwrap_or_default();
        let differs =
            |(name, value): &(&String, &String)| known.outputs.get(*name).is_some_and(|k| k != *value);
        let names: Vec<&str> = stage.outputs.iter().filter(differs).map(|(name, _)| name.as_str()).collect();
        let inherited = stage.node.inputs.iter().any(|input| moved.contains(input));
        if inherited || !names.is_empty() {
            moved.insert(stage.node.key);
        }
        if !inherited && !names.is_empty() {
            blamed.entry(stage.node.kind).or_default().extend(names);
        }
    }
    let mut text = String::new();
    for (kind, names) in blamed {
        let names = names.join(", ");
        if known.stage[kind.word()].version == kind.version() {
            let _ = writeln!(
                text,
                "the output of `{kind}` moved and its VERSION did not: bump the version in plan/kind.rs or revert \
                 (or raise ENGINE_VERSION in run/numerics.rs, where the network itself rounds differently)\n  {names}"
            );
        } else {
            let _ = writeln!(
                text,
                "`{kind}` is at version {} now: bless its outputs with STPP_BLESS=1\n  {names}",
                kind.version()
            );
        }
    }
    text
}

/// Runs the study in an empty store.
fn run(class: &str) -> Vec<Ran> {
    let folder = tempfile::tempdir().unwrap();
    draw(folder.path());
    let store = Store::open(&folder.path().join("store")).unwrap();
    let loaded = load(&path("ablation.toml"), &[], &Scenes(folder.path()))
        .unwrap_or_else(|problems| panic!("{problems}"));
    let Spec::Ablation(ablation) = loaded.spec else { panic!("the fixture is an ablation") };
    let study = PlannedStudy::new(*ablation, class, &store.cache()).unwrap();
    let mut executor = Executor {
        store: &store,
        device: Device::Cpu,
        sink: &mut Silent,
        stop: Stop::default(),
        settings: Settings::default(),
    };
    executor.run(&study).unwrap();
    let nodes = study.graph.nodes().iter();
    nodes
        .map(|node| {
            let record = store.done(node).unwrap().expect("every stage was run");
            let arm = study.serves[&node.key][0].split('/').next().unwrap();
            Ran { node: node.clone(), outputs: outputs(arm, node, &record) }
        })
        .collect()
}

fn outputs(arm: &str, node: &Node, record: &Record) -> BTreeMap<String, String> {
    let role = node.role.map_or_else(String::new, |role| format!(" {role}"));
    let subset = match &node.work {
        Work::Evaluate(work) => format!(" {}", work.subset),
        _ => String::new(),
    };
    let mut outputs = BTreeMap::new();
    let mut add = |name: &str, value: String| outputs.insert(format!("{arm}{role}{subset} {name}"), value);
    for (name, artifact) in &record.outputs {
        add(name, artifact.digest.to_string());
    }
    for (name, value) in &record.values {
        add(&format!("value {name}"), value.to_string());
    }
    if let Some(trace) = record.trace {
        add("trace", trace.to_string());
    }
    outputs
}

fn golden(class: &str, ran: &[Ran]) -> Golden {
    let mut stage: BTreeMap<String, Known> = BTreeMap::new();
    for one in ran {
        let kind = one.node.kind;
        let known = stage.entry(kind.to_string()).or_default();
        known.version = kind.version();
        for (name, value) in &one.outputs {
            let other = known.outputs.insert(name.clone(), value.clone());
            assert_eq!(other, None, "two stages `{kind}` have an output `{name}`: give the arms other names");
        }
    }
    Golden { numerics: class.to_owned(), stage }
}

fn to_toml(golden: &Golden) -> String {
    format!(
        "# What every stage of ablation.toml leaves. Written by STPP_BLESS=1 cargo test --release --test stages\n\n{}",
        toml::to_string(golden).unwrap()
    )
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stages").join(name)
}

fn without_engine(class: &str) -> &str {
    class.rsplit_once("-engine").map_or(class, |(machine, _)| machine)
}

/// Scenes as files: images and masks as PNG, and the lists that name them.
fn draw(folder: &Path) {
    let scenes =
        Synthetic { seed: 0, width: 48, height: 40, train: 16, val: 3, test: 3, classes: 4, difficulty: 0.3 };
    for (subset, name, count) in [
        (Subset::Train, "train", scenes.train),
        (Subset::Val, "val", scenes.val),
        (Subset::Test, "test", scenes.test),
    ] {
        let mut list = String::new();
        for index in 0..count {
            let (image, mask) = synthetic::render(&scenes, subset, index);
            let files = [format!("{name}_{index}.png"), format!("{name}_{index}_mask.png")];
            std::fs::write(folder.join(&files[0]), encode_png_rgb(&image)).unwrap();
            std::fs::write(folder.join(&files[1]), encode_png_mask(&mask, None)).unwrap();
            let _ = writeln!(list, "{} {}", files[0], files[1]);
        }
        std::fs::write(folder.join(format!("{name}.txt")), list).unwrap();
    }
}

/// Says where the scenes are.
struct Scenes<'a>(&'a Path);

impl Environment for Scenes<'_> {
    fn var(&self, name: &str) -> Option<String> {
        (name == "STPP_STAGES").then(|| self.0.display().to_string())
    }
}

struct Silent;

impl Sink for Silent {
    fn take(&mut self, _: &Event) {}
}
