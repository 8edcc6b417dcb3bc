//! The run that nothing disturbs, and its data.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

use stpp::data::decode::{encode_png_mask, encode_png_rgb};
use stpp::data::subset::Subset;
use stpp::data::synthetic;
use stpp::spec::data::Synthetic;

use crate::address::Address;
use crate::place::Place;

/// What an undisturbed run leaves.
pub struct Reference {
    /// What is compared, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// All places that it passed, in order.
    pub addresses: Vec<Address>,
    /// Its stages, by key.
    pub stages: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// How much it stored, in bytes.
    pub stored: u64,
}

/// The undisturbed run; it is made once.
pub fn reference() -> &'static Reference {
    static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
        let place = Place::new();
        let from = Instant::now();
        let ended = place.run().env("STPP_FAILPOINT_LOG", "log").end().code(0);
        let seconds = from.elapsed().as_secs_f64();
        let finished = ended.finished();
        assert!(finished.values().all(|&count| count == 1), "{finished:?}");
        assert_eq!(finished.len(), place.committed().len());
        let log = std::fs::read_to_string(place.path("log")).unwrap();
        Reference {
            files: place.kept(),
            addresses: Address::read(&log),
            stages: finished.into_keys().collect(),
            seconds,
            stored: place.files("store").values().map(|bytes| bytes.len() as u64).sum(),
        }
    });
    &REFERENCE
}

/// The study: every kind of stage, in the fewest steps.
pub fn study() -> String {
    STUDY.replace("DATA", &data().display().to_string())
}

const STUDY: &str = r#"
name = "torture"
question = "Does it survive?"
baseline = "st"
factors = ["method", "augment.strong.on"]

[data]
kind = "listed"
root = "DATA"
train = "train.txt"
val = "val.txt"
test = "test.txt"
classes = ["ground", "disc", "box", "bar"]
long_side = 32

[split]
labeled = 4

[model]
backbone = "resnet18"
width = 0.125
output_stride = 16

[train]
iterations = 12
batch = 4
base_lr = 0.02
head_lr = 1.0
crop = 32
base_size = 32

[retrain]
iterations = 8

[evaluate]
points = 2

[method.tta]
scales = [1.0]
flip = false

[arm.supervised]
method.name = "supervised"

[arm.st]
method.name = "st"

[arm.stpp]
method.name = "stpp"

[arm.pixels]
method.name = "st"
method.select = { level = "pixel", rule = "matched" }
"#;

/// Scenes as files, so that there is something to read, to shrink and to digest.
fn data() -> &'static Path {
    static DATA: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("torture-data");
        std::fs::create_dir_all(&folder).unwrap();
        draw(&folder);
        folder
    });
    &DATA
}

fn draw(folder: &Path) {
    let scenes =
        Synthetic { seed: 0, width: 40, height: 36, train: 12, val: 3, test: 3, classes: 4, difficulty: 0.3 };
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

/// What a fault can hit, and a test would silently pass by if the program didn't name it.
const PLACES: &[&str] = &[
    "artifact.half",
    "artifact.renamed",
    "cache.half",
    "costs.half",
    "folder",
    "images.half",
    "journal.half",
    "environment.half",
    "folder.half-removed",
    "labels.half",
    "lease.made",
    "lease.remove",
    "lease.unmade",
    "record.half",
    "record.synced",
    "record.renamed",
    "report.half",
    "resume.half",
    "resume.renamed",
    "stage.begin.prepare",
    "stage.begin.teacher",
    "stage.begin.score",
    "stage.begin.label",
    "stage.begin.select",
    "stage.begin.retrain",
    "stage.begin.evaluate",
    "stage.commit.teacher",
    "stage.committed.teacher",
    "stage.end.evaluate",
    "stage.end.retrain",
    "step.moved",
    "step.forward",
    "store.half",
    "study.half",
    "table.half",
];

#[test]
fn the_run_passes_every_place_that_there_is() {
    let passed = |name: &&&str| reference().addresses.iter().any(|address| address.name == **name);
    let (_, missing): (Vec<&&str>, Vec<&&str>) = PLACES.iter().partition(passed);
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn an_undisturbed_run_is_short_and_the_same_again() {
    assert!(reference().seconds < 30.0, "{} s", reference().seconds);
    let place = Place::new();
    place.run().arg("--threads=2").end().code(0);
    place.is_as_it_should_be();
}
