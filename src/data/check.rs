//! `stpp data check`: what a dataset is, and everything that is wrong with it.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use crate::base::digest::Digest;
use crate::base::progress::Progress;
use crate::spec::data::{Data, Split};

use super::list_file;
use super::listed;
use super::manifest::Entry;
use super::official::{self, SplitIdentity};
use super::open;
use super::pixels;
use super::problem::Problem;
use super::subset::Subset;

/// What was found. With problems, it describes the part of the dataset that can be opened.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The dataset's name.
    pub name: String,
    /// Class names, in the order of their ids.
    pub classes: Vec<String>,
    /// Identity of the dataset.
    pub manifest: Digest,
    /// Identity of the split.
    pub split: Digest,
    /// What the split is.
    pub identity: SplitIdentity,
    /// The official validation list that `data.val` is, such as `pascal`.
    pub official_val: Option<&'static str>,
    /// Labeled, unlabeled, val and test images; test is left out where there are none.
    pub groups: Vec<Group>,
    /// Everything that is wrong, in the order in which it was found.
    pub problems: Vec<Finding>,
}

/// Some images of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// `labeled`, `unlabeled`, `val` or `test`.
    pub name: &'static str,
    /// How many images there are.
    pub images: usize,
    /// How many of them have a sound mask.
    pub masks: usize,
    /// Pixels of each class, over these masks.
    pub class_pixels: Vec<u64>,
    /// Pixels that count nowhere.
    pub ignored_pixels: u64,
}

impl Group {
    /// A class's share of the pixels that count, in [0, 1].
    pub fn share(&self, class: usize) -> f64 {
        let total: u64 = self.class_pixels.iter().sum();
        if total == 0 { 0.0 } else { self.class_pixels[class] as f64 / total as f64 }
    }
}

/// One problem, as words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// One word with dashes, such as `leak`.
    pub kind: &'static str,
    /// One line: where, what, and what to do.
    pub message: String,
}

impl From<&Problem> for Finding {
    fn from(problem: &Problem) -> Self {
        Self { kind: problem.kind(), message: problem.to_string() }
    }
}

/// Checks a dataset and its split, every list, file and pixel. `cache` remembers digests between runs.
pub fn check(data: &Data, split: &Split, cache: &Path, progress: &mut dyn Progress) -> CheckReport {
    let opened = open::open(data, split, cache);
    let scan = pixels::scan(&opened.dataset, progress);
    let labeled: BTreeSet<&str> = opened.split.labeled.iter().map(String::as_str).collect();
    let manifest = &opened.dataset.manifest;
    let group = |name: &'static str, belongs: &dyn Fn(&Entry) -> bool| {
        let mut group =
            Group { name, images: 0, masks: 0, class_pixels: vec![0; manifest.classes], ignored_pixels: 0 };
        // A scan that was interrupted has fewer histograms than there are images.
        let histograms = scan.histograms.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        for (_, histogram) in manifest.entries.iter().zip(histograms).filter(|(entry, _)| belongs(entry)) {
            group.images += 1;
            let Some(histogram) = histogram else { continue };
            group.masks += 1;
            group.class_pixels.iter_mut().zip(histogram.iter()).for_each(|(sum, pixels)| *sum += pixels);
            group.ignored_pixels += histogram[255];
        }
        group
    };
    let in_train = |entry: &Entry, wanted: bool| {
        entry.subset == Subset::Train && labeled.contains(entry.id.as_str()) == wanted
    };
    let mut groups = vec![
        group("labeled", &|entry| in_train(entry, true)),
        group("unlabeled", &|entry| in_train(entry, false)),
        group("val", &|entry| entry.subset == Subset::Val),
        group("test", &|entry| entry.subset == Subset::Test),
    ];
    groups.retain(|group| group.name != "test" || group.images > 0);
    CheckReport {
        name: opened.dataset.name.clone(),
        classes: opened.dataset.classes.clone(),
        manifest: manifest.digest(),
        split: opened.split.digest(),
        identity: identity(split, opened.split.labeled.len()),
        official_val: official_val(data),
        groups,
        problems: opened.problems.iter().chain(&scan.problems).map(Finding::from).collect(),
    }
}

fn identity(split: &Split, labeled: usize) -> SplitIdentity {
    match split {
        Split::Drawn { seed, .. } => SplitIdentity::Drawn { labeled, seed: *seed },
        Split::Lists { folder } => {
            // What is wrong with these lists was reported when the dataset was opened.
            let [labeled, unlabeled] = listed::read_split(folder, &mut Vec::new());
            official::identify(&labeled, &unlabeled)
        }
    }
}

fn official_val(data: &Data) -> Option<&'static str> {
    match data {
        Data::Synthetic(_) => None,
        Data::Listed(data) => official::identify_val(&list_file::read(&data.val, &mut Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Quiet;
    use crate::data::testing::{Files, data_folder, drawn};
    use crate::spec::data::{Listed, Synthetic};

    fn checked(files: &Files, split: &Split) -> CheckReport {
        check(&files.data(), split, &files.cache(), &mut Quiet::default())
    }

    #[test]
    fn a_sound_dataset_is_counted() {
        let files = Files::new();
        let report = checked(&files, &files.lists());
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let counts: Vec<_> =
            report.groups.iter().map(|group| (group.name, group.images, group.masks)).collect();
        assert_eq!(counts, [("labeled", 2, 2), ("unlabeled", 2, 2), ("val", 1, 1), ("test", 1, 1)]);
        assert_eq!(report.groups[0].class_pixels, [23, 23, 0]);
        assert_eq!(report.groups[0].ignored_pixels, 2);
        assert_eq!(report.groups[0].share(1), 0.5);
        assert_eq!(report.identity, SplitIdentity::Own);
    }

    #[test]
    fn problems_leave_the_rest_described() {
        let files = Files::new();
        files.remove("c.png");
        files.write("a_mask.png", "no picture");
        let report = checked(&files, &files.lists());
        let kinds: Vec<_> = report.problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, ["missing", "undecodable"]);
        let counts: Vec<_> = report.groups.iter().map(|group| (group.images, group.masks)).collect();
        assert_eq!(counts, [(2, 1), (1, 1), (1, 1), (1, 1)]);
    }

    #[test]
    fn a_drawn_split_and_scenes_are_described() {
        let data = Synthetic {
            seed: 0,
            width: 24,
            height: 16,
            train: 12,
            val: 3,
            test: 0,
            classes: 4,
            difficulty: 0.5,
        };
        let cache = tempfile::tempdir().unwrap();
        let report = check(&Data::Synthetic(data), &drawn(5), cache.path(), &mut Quiet::default());
        assert!(report.problems.is_empty());
        assert_eq!(report.identity.to_string(), "drawn: 5 labeled, seed 0");
        let counts: Vec<_> = report.groups.iter().map(|group| (group.name, group.images)).collect();
        assert_eq!(counts, [("labeled", 5), ("unlabeled", 7), ("val", 3)]);
        let pixels: u64 = report.groups.iter().flat_map(|group| &group.class_pixels).sum();
        assert_eq!(pixels, 15 * 24 * 16);
    }

    #[test]
    fn camvid_is_as_published() {
        let Some(folder) = data_folder() else { return };
        let root = folder.join("camvid");
        let classes: Vec<String> =
            std::fs::read_to_string(root.join("classes.txt")).unwrap().lines().map(str::to_owned).collect();
        let data = Listed {
            name: "camvid".to_owned(),
            train: None,
            val: root.join("splits/val.txt"),
            test: Some(root.join("splits/test.txt")),
            palette: crate::spec::preset::default_palette(classes.len()),
            classes,
            ignore: 255,
            long_side: Some(240),
            root: root.clone(),
        };
        let split = Split::Lists { folder: root.join("splits/1_8/split_0") };
        let cache = tempfile::tempdir().unwrap();
        let report = check(&Data::Listed(data), &split, cache.path(), &mut Quiet::default());
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let counts: Vec<_> =
            report.groups.iter().map(|group| (group.name, group.images, group.masks)).collect();
        assert_eq!(
            counts,
            [("labeled", 45, 45), ("unlabeled", 322, 322), ("val", 101, 101), ("test", 233, 233)]
        );
        assert_eq!(report.identity, SplitIdentity::Own);
    }

    #[test]
    fn palette_and_grayscale_masks_of_real_layouts_are_read_by_index() {
        let Some(folder) = data_folder() else { return };
        let lists = tempfile::tempdir().unwrap();
        let write =
            |name: &str, lines: &[String]| std::fs::write(lists.path().join(name), lines.concat()).unwrap();
        let voc = |id: &str| format!("JPEGImages/{id}.jpg SegmentationClass/{id}.png\n");
        write("labeled.txt", &[voc("2009_005055")]);
        write("unlabeled.txt", &["JPEGImages/2008_005480.jpg\n".to_owned()]);
        write("val.txt", &[voc("2010_000216"), voc("2008_004705")]);
        let preset = crate::spec::preset::PASCAL;
        let data = Listed {
            name: preset.name.to_owned(),
            root: folder.join("fixtures/VOCdevkit/VOC2012"),
            train: None,
            val: lists.path().join("val.txt"),
            test: None,
            classes: preset.classes.iter().map(|name| (*name).to_owned()).collect(),
            ignore: 255,
            palette: preset.palette.to_vec(),
            long_side: None,
        };
        let split = Split::Lists { folder: lists.path().to_owned() };
        let report = check(&Data::Listed(data), &split, &lists.path().join("cache"), &mut Quiet::default());
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let found = |group: &Group| (1..21).filter(|class| group.share(*class) > 0.0).count();
        for group in [&report.groups[0], &report.groups[2]] {
            assert!(found(group) > 0 && group.share(0) > 0.0 && group.ignored_pixels > 0, "{group:?}");
        }
        assert_eq!((report.groups[1].images, report.groups[1].masks), (1, 0));
    }
}
