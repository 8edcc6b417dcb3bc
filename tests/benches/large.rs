//! How long a large study takes to be reported, and how much memory: 1,000 experiments × 1,449 images × 21 classes.
//!
//! ```text
//! cargo bench --bench large [-- FOLDER]
//! ```
//!
//! The study is the shipped `ablations/selection.toml` with 20 seeds and 5 splits: 10 arms, 22 comparisons. Nothing is
//! trained: its records are drawn here, with confusion matrices of some ten cells per image as PASCAL VOC's have, and
//! stay in the folder if one is named. Then the program reports three times; printed are seconds, and the most memory that
//! was resident. At most 20 s and 1.5 GB are asked for, on 2 cores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::Serialize;
use stpp::base::stream::Stream;
use stpp::method::record::ImageRecord;
use stpp::method::select::image::Selection;
use stpp::metric::Confusion;
use stpp::plan::graph::Want;
use stpp::plan::work::Work;
use stpp::plan::{Kind, Node};
use stpp::run::PlannedStudy;
use stpp::spec::{Elsewhere, Spec, load};
use stpp::stage::label::Quality;
use stpp::store::journal::Point;
use stpp::store::{Artifact, Record, Store};

const IMAGES: usize = 1449;
const CLASSES: usize = 21;
const PIXELS: u64 = 500 * 375;
const SETS: [&str; 3] =
    ["seeds=[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]", "splits=[0,1,2,3,4]", "data.test=0"];

fn main() {
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    let store = folder.join("store");
    if !store.exists() {
        let begun = Instant::now();
        write(&store);
        println!("records drawn in {:.1} s", begun.elapsed().as_secs_f64());
    }
    for turn in 1..=3 {
        let (seconds, megabytes) = report(&store, &folder.join("report"));
        println!("report {turn}: {seconds:>6.1} s (at most 20), {megabytes:>5.0} MB resident (at most 1500)");
    }
}

/// Reports, and gives seconds and the most megabytes that were resident.
fn report(store: &Path, out: &Path) -> (f64, f64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stpp"));
    command.args(["report", "selection", "--store"]).arg(store).arg("--out").arg(out).stdout(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().expect("the program can be started");
    let mut most = 0.0f64;
    let status = loop {
        most = most.max(resident(child.id()).unwrap_or_default());
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "{command:?}: {status}");
    (begun.elapsed().as_secs_f64(), most)
}

/// The most memory that a process had resident so far, in megabytes; where the system says it.
fn resident(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1000.0)
}

/// A store in which every stage of the study is done.
fn write(root: &Path) {
    let store = Store::open(root).expect("a store can be made");
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("ablations/selection.toml");
    let sets = SETS.map(str::to_owned);
    let Spec::Ablation(ablation) = load(&spec, &sets, &Elsewhere).expect("the shipped spec reads").spec
    else {
        panic!("the shipped spec is an ablation");
    };
    let mut study =
        PlannedStudy::new(*ablation, "cpu-synthetic-f32-engine2", &store.cache()).expect("it plans");
    study.stored.data.classes = (0..CLASSES).map(|class| format!("class {class}")).collect();
    study.stored.data.palette = vec![[0; 3]; CLASSES];
    study.register(&store, false).expect("the store is empty");
    study.graph.nodes().par_iter().for_each(|node| commit(&store, node));
}

fn commit(store: &Store, node: &Node) {
    let mut record = Record {
        key: node.key,
        kind: node.kind,
        version: node.kind.version(),
        role: node.role,
        work: serde_json::to_value(&node.work).expect("work is plain data"),
        inputs: node.inputs.clone(),
        numerics: "cpu-synthetic-f32-engine2".to_owned(),
        outputs: BTreeMap::new(),
        values: BTreeMap::new(),
        trace: None,
        marks: Vec::new(),
        cost: node.cost,
        code: "stpp 0.1.0".to_owned(),
    };
    let mut put = |name: &str, bytes: Vec<u8>| {
        let digest = store.put(&bytes).expect("the disk has room");
        record.outputs.insert(name.to_owned(), Artifact { digest, bytes: bytes.len() as u64 });
    };
    let mut stream = Stream::at(0, "synthetic records", node.kind.word(), 0, &node.key.short());
    match &node.work {
        Work::Evaluate(_) => put("confusion", json(&evaluation(&mut stream))),
        Work::Label(work) => put("quality", json(&qualities(work.images.list(), &mut stream))),
        Work::SelectPixels(work) => put("quality", json(&qualities(work.images.list(), &mut stream))),
        Work::Score(work) => put("scores", json(&scores(work.images.list(), &mut stream))),
        Work::SelectImages(work) => put("selection", json(&selection(work.images.list(), &mut stream))),
        Work::Train(_) => put("metrics", metrics(&mut stream)),
        Work::Prepare(_) => {}
    }
    for want in &node.wants {
        if let Want::Validation(_) = want {
            record.values.insert(want.to_string(), stream.uniform(0.6, 0.7));
        }
    }
    if node.kind == Kind::Select {
        record.values.insert("pixels".to_owned(), 1e6);
    }
    store.commit(&record).expect("the disk has room");
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("facts are plain data")
}

/// Background and one to three classes per image; most pixels right, some of each class taken for two others.
fn evaluation(stream: &mut Stream) -> Vec<(String, Confusion)> {
    let quality = stream.uniform(0.75, 0.9);
    let image = |at: usize| {
        let mut confusion = Confusion::new(CLASSES);
        let present = 1 + stream.below(3) as usize;
        let mut left = PIXELS;
        for place in 0..=present {
            let class = if place == 0 { 0 } else { 1 + stream.below(CLASSES as u64 - 1) as usize };
            let pixels = if place == present { left } else { left * (4 + stream.below(4)) / 10 };
            left -= pixels;
            let right = (pixels as f64 * (quality + stream.uniform(-0.1, 0.1))) as u64;
            confusion.add_pixels(class, class, right);
            let other = stream.below(CLASSES as u64) as usize;
            let wrong = pixels - right;
            confusion.add_pixels(class, if class == 0 { other } else { 0 }, wrong * 2 / 3);
            confusion.add_pixels(class, other, wrong - wrong * 2 / 3);
        }
        (format!("2008_{at:06}"), confusion)
    };
    (0..IMAGES).map(image).collect()
}

fn qualities(ids: &[String], stream: &mut Stream) -> Vec<Quality> {
    let quality = |id: &String| {
        let mut confusion = Confusion::new(CLASSES);
        confusion.add_pixels(0, 0, 2000 + stream.below(100));
        confusion.add_pixels(1, 1, 200 + stream.below(100));
        Quality { id: id.clone(), pixels: 2304, kept: 1152, confusion: Some(confusion), calibration: None }
    };
    ids.iter().map(quality).collect()
}

fn scores(ids: &[String], stream: &mut Stream) -> Vec<ImageRecord> {
    let score = |(position, id): (usize, &String)| ImageRecord {
        id: id.clone(),
        pixels: 2304,
        position,
        stability: vec![0.5, 0.5],
        stability_mean: stream.unit_f64(),
        stability_no_background: 0.5,
        confidence: 0.9,
        entropy: 0.1,
        truth_miou: Some(stream.unit_f64()),
    };
    ids.iter().enumerate().map(score).collect()
}

fn selection(ids: &[String], stream: &mut Stream) -> Selection {
    let (reliable, unreliable) = ids.split_at(ids.len() / 2);
    Selection {
        reliable: reliable.to_vec(),
        unreliable: unreliable.to_vec(),
        scores: ids.iter().map(|id| (id.clone(), stream.unit_f64())).collect(),
    }
}

fn metrics(stream: &mut Stream) -> Vec<u8> {
    let point = |step: u64| Point { key: "loss".to_owned(), step, value: Some(stream.unit_f64()) };
    stpp::stage::metrics::to_lines(&(1..=200).map(point).collect::<Vec<_>>())
}
