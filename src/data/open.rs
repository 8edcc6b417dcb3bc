//! Opening a dataset: lists and files to a manifest and a split, with every problem on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use rayon::prelude::*;

use crate::base::canon;
use crate::base::digest::Digest;
use crate::base::fs::{self, write_atomically};
use crate::spec::data::{Data, Listed, Split, Synthetic};
use crate::spec::preset::default_palette;

use super::dataset::{Dataset, Files, Source};
use super::digests::Digests;
use super::image::IGNORE;
use super::list_file::Item;
use super::listed;
use super::manifest::{self, Entry, Manifest};
use super::problem::{Problem, Same};
use super::split::{self, SplitLists};
use super::subset::Subset;
use super::synthetic;

/// A dataset as far as it could be opened, and what is wrong with it.
pub(super) struct Opened {
    pub dataset: Dataset,
    pub split: SplitLists,
    pub problems: Vec<Problem>,
}

/// Opens whatever can be opened.
pub(super) fn open(data: &Data, split: &Split, cache: &Path) -> Opened {
    match data {
        Data::Synthetic(data) => open_synthetic(data, split, cache),
        Data::Listed(data) => open_listed(data, split, cache),
    }
}

fn open_synthetic(data: &Synthetic, split: &Split, cache: &Path) -> Opened {
    let mut problems = Vec::new();
    check_synthetic(data, &mut problems);
    let scenes = if problems.is_empty() { scenes(data, cache) } else { Vec::new() };
    let split = match split {
        Split::Drawn { .. } => draw(scenes.iter(), split, &mut problems),
        Split::Lists { folder } => {
            let known: BTreeSet<&str> = train(&scenes).map(|entry| entry.id.as_str()).collect();
            let lists = listed::read_split(folder, &mut problems);
            let unknown = lists.iter().flatten().filter(|item| !known.contains(item.image.as_str()));
            problems
                .extend(unknown.map(|item| Problem::Unknown { at: item.at.clone(), id: item.image.clone() }));
            listed::split_lists(&lists[0], &lists[1])
        }
    };
    let classes = synthetic::class_names(data.classes);
    let dataset = Dataset {
        name: "synthetic".to_owned(),
        palette: default_palette(classes.len()),
        manifest: manifest(classes.len(), IGNORE, None, scenes),
        classes,
        source: Source::Scenes(data.clone()),
    };
    Opened { dataset, split, problems }
}

fn check_synthetic(data: &Synthetic, problems: &mut Vec<Problem>) {
    const MAX_SIDE: usize = 4096;
    let mut check = |key, holds: bool, value: String, advice: String| {
        if !holds {
            problems.push(Problem::Setting { key, value, advice });
        }
    };
    for (key, side) in [("data.width", data.width), ("data.height", data.height)] {
        let holds = (synthetic::MIN_SIDE..=MAX_SIDE).contains(&side);
        check(
            key,
            holds,
            side.to_string(),
            format!("scenes have {} to {MAX_SIDE} pixels a side", synthetic::MIN_SIDE),
        );
    }
    let (low, high) = (synthetic::MIN_CLASSES, synthetic::MAX_CLASSES);
    let holds = (low..=high).contains(&data.classes);
    check(
        "data.classes",
        holds,
        data.classes.to_string(),
        format!("there are scenes with {low} to {high} classes"),
    );
    let holds = (0.0..=1.0).contains(&data.difficulty);
    check("data.difficulty", holds, data.difficulty.to_string(), "it runs from 0 to 1".to_owned());
    for (key, count) in [("data.train", data.train), ("data.val", data.val)] {
        check(key, count > 0, count.to_string(), "at least one image is needed".to_owned());
    }
}

/// The entries of every scene, remembered between runs.
fn scenes(data: &Synthetic, cache: &Path) -> Vec<Entry> {
    let name = canon::digest("stpp scenes v1", &(synthetic::VERSION, data)).short();
    let file = cache.join("scenes-v1").join(format!("{name}.json"));
    if let Some(entries) = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return entries;
    }
    let counts = [(Subset::Train, data.train), (Subset::Val, data.val), (Subset::Test, data.test)];
    let addresses: Vec<(Subset, usize)> =
        counts.into_iter().flat_map(|(subset, count)| (0..count).map(move |index| (subset, index))).collect();
    let entry = |&(subset, index): &(Subset, usize)| {
        let (image, mask) = synthetic::render(data, subset, index);
        let (image, mask) = (manifest::of_image(&image), Some(manifest::of_mask(&mask)));
        Entry { id: synthetic::id(subset, index), subset, image, mask }
    };
    let entries: Vec<Entry> = addresses.par_iter().map(entry).collect();
    // A cache saves time and nothing else: a folder that cannot be written is no reason to stop.
    let _ = write_atomically(&file, &serde_json::to_vec(&entries).expect("entries have a JSON form"));
    entries
}

fn open_listed(data: &Listed, split: &Split, cache: &Path) -> Opened {
    let mut problems = Vec::new();
    check_listed(data, &mut problems);
    let lists = listed::read(data, split, &mut problems);
    let mut entries = Vec::new();
    let mut files = BTreeMap::new();
    let mut split_lists = SplitLists { labeled: Vec::new(), unlabeled: Vec::new() };
    match Digests::open(&data.root, cache) {
        Ok(mut digests) => {
            let hashed = hash(&lists.images, &data.root, &mut digests, &mut problems);
            digests.save();
            let order: Vec<Entry> = hashed.iter().map(|(entry, _)| entry.clone()).collect();
            content_leaks(&hashed, &mut problems);
            split_lists = lists.split.unwrap_or_else(|| draw(order.iter(), split, &mut problems));
            check_masks(&hashed, &split_lists, &data.root, &mut problems);
            for (entry, item) in hashed {
                let mask = entry.mask.and(item.mask.as_ref()).map(|mask| data.root.join(mask));
                files.insert(
                    entry.id.clone(),
                    Files { image: data.root.join(&item.image), mask, at: item.at.clone() },
                );
                entries.push(entry);
            }
        }
        Err(error) => problems.push(Problem::Setting {
            key: "data.root",
            value: data.root.display().to_string(),
            advice: format!("this folder cannot be opened ({error}): write where the dataset lies"),
        }),
    }
    let dataset = Dataset {
        name: data.name.clone(),
        classes: data.classes.clone(),
        palette: data.palette.clone(),
        manifest: manifest(data.classes.len(), data.ignore, data.long_side, entries),
        source: Source::Files(files),
    };
    Opened { dataset, split: split_lists, problems }
}

fn check_listed(data: &Listed, problems: &mut Vec<Problem>) {
    let classes = data.classes.len();
    if !(2..=255).contains(&classes) {
        let advice = "2 to 255 classes can be told apart in an 8-bit mask".to_owned();
        problems.push(Problem::Setting { key: "data.classes", value: format!("{classes} names"), advice });
    }
    if data.long_side == Some(0) {
        let advice = "write a number of pixels, or leave it out to keep images as they are".to_owned();
        problems.push(Problem::Setting { key: "data.long_side", value: "0".to_owned(), advice });
    }
}

/// The entries of all images whose files can be read, in the order of the lists.
fn hash<'a>(
    images: &'a [(Subset, Item)],
    root: &Path,
    digests: &mut Digests,
    problems: &mut Vec<Problem>,
) -> Vec<(Entry, &'a Item)> {
    let image_paths: Vec<&str> = images.iter().map(|(_, item)| item.image.as_str()).collect();
    let mask_paths: Vec<&str> = images.iter().filter_map(|(_, item)| item.mask.as_deref()).collect();
    let image_digests = digests.of(&image_paths);
    let mut mask_digests = digests.of(&mask_paths).into_iter();
    let mut report = |path: &str, item: &Item, error: &io::Error, missing_is_fine: bool| {
        let (at, path) = (item.at.clone(), root.join(path));
        if error.kind() != io::ErrorKind::NotFound {
            problems.push(Problem::Unreadable { at, path, reason: error.to_string() });
        } else if !missing_is_fine {
            problems.push(Problem::Missing { at, path });
        }
    };
    let mut hashed = Vec::with_capacity(images.len());
    for ((subset, item), image) in images.iter().zip(image_digests) {
        let mask = item.mask.as_deref().and_then(|path| {
            let digest = mask_digests.next().expect("a digest for every mask path");
            digest.inspect_err(|error| report(path, item, error, true)).ok()
        });
        match image {
            Ok(image) => hashed.push((Entry { id: item.image.clone(), subset: *subset, image, mask }, item)),
            Err(error) => report(&item.image, item, &error, false),
        }
    }
    hashed
}

/// Validation and test images that have the content of an image of another subset.
fn content_leaks(hashed: &[(Entry, &Item)], problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<Digest, &(Entry, &Item)> = BTreeMap::new();
    for one in hashed {
        let (entry, item) = one;
        let (other, first) = *seen.entry(entry.image).or_insert(one);
        if other.subset != entry.subset {
            problems.push(Problem::Leak {
                at: item.at.clone(),
                first: first.at.clone(),
                other: other.subset,
                id: entry.id.clone(),
                twin: other.id.clone(),
                same: Same::Content,
            });
        }
    }
}

/// Labeled, validation and test images need a mask.
fn check_masks(hashed: &[(Entry, &Item)], split: &SplitLists, root: &Path, problems: &mut Vec<Problem>) {
    let labeled: BTreeSet<&str> = split.labeled.iter().map(String::as_str).collect();
    for (entry, item) in hashed.iter().filter(|(entry, _)| entry.mask.is_none()) {
        let why = match entry.subset {
            Subset::Train if labeled.contains(entry.id.as_str()) => "labeled",
            Subset::Train => continue,
            Subset::Val => "val",
            Subset::Test => "test",
        };
        let at = item.at.clone();
        problems.push(match &item.mask {
            Some(path) => Problem::Missing { at, path: root.join(path) },
            None => Problem::NoMask { at, image: entry.id.clone(), why },
        });
    }
}

fn train<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> impl Iterator<Item = &'a Entry> {
    entries.into_iter().filter(|entry| entry.subset == Subset::Train)
}

/// Draws the split, from the training images in the order of their list.
fn draw<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    split: &Split,
    problems: &mut Vec<Problem>,
) -> SplitLists {
    let images: Vec<(String, Digest)> = train(entries).map(|entry| (entry.id.clone(), entry.image)).collect();
    let Split::Drawn { labeled, seed } = split else {
        return SplitLists { labeled: Vec::new(), unlabeled: Vec::new() };
    };
    let wanted = match *labeled {
        crate::spec::data::Amount::Count(count) => count,
        fraction @ crate::spec::data::Amount::Fraction(_) => fraction.of(images.len()),
    };
    if !images.is_empty() && !(1..=images.len()).contains(&wanted) {
        problems.push(Problem::Draw { wanted, available: images.len() });
    }
    split::draw(&images, wanted.min(images.len()), *seed)
}

fn manifest(classes: usize, ignore: u8, long_side: Option<usize>, mut entries: Vec<Entry>) -> Manifest {
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Manifest { classes, ignore, long_side, entries }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::{Mask, Rgb};
    use crate::data::testing::{Files, drawn};
    use crate::spec::data::Amount;

    #[test]
    fn a_sound_dataset_opens() {
        let files = Files::new();
        assert_eq!(files.complaints(), "");
        assert_eq!(files.complaints_of(&drawn(2)), "");
        let (dataset, split) = files.open().unwrap();
        assert_eq!(split.labeled, ["a.png", "b.png"]);
        let ids: Vec<_> = dataset.subset(Subset::Train).map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["a.png", "b.png", "c.png", "d.png"]);
        assert_eq!(dataset.manifest.entries.len(), 6);
    }

    #[test]
    fn lists_and_a_list_to_draw_from_make_the_same_dataset() {
        let files = Files::new();
        let (listed, _) = files.open().unwrap();
        let (drawn, split) = Dataset::open(&files.data(), &drawn(3), &files.cache()).unwrap();
        assert_eq!(listed.manifest, drawn.manifest);
        assert_eq!((split.labeled.len(), split.unlabeled.len()), (3, 1));
    }

    #[test]
    fn where_a_dataset_lies_is_not_what_it_is() {
        let (here, there) = (Files::new(), Files::new());
        assert_eq!(here.open().unwrap().0.manifest.digest(), there.open().unwrap().0.manifest.digest());
        there.image("a", &Rgb::filled(6, 4, [1; 3]));
        assert_ne!(here.open().unwrap().0.manifest.digest(), there.open().unwrap().0.manifest.digest());
    }

    #[test]
    fn an_image_that_is_labeled_and_unlabeled_is_named() {
        let files = Files::new();
        files.list("unlabeled.txt", &["c", "b", "d"]);
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn an_image_listed_twice_is_named() {
        let files = Files::new();
        files.list("unlabeled.txt", &["c", "d", "c"]);
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn a_validation_image_in_training_is_named() {
        let files = Files::new();
        files.list("val.txt", &["v", "c"]);
        files.list("test.txt", &["t", "v"]);
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn a_copy_of_a_training_image_under_another_name_is_a_leak_too() {
        let files = Files::new();
        std::fs::copy(files.path("b.png"), files.path("t.png")).unwrap();
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn empty_and_missing_lists_are_named() {
        let files = Files::new();
        files.write("labeled.txt", "");
        files.remove("val.txt");
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn missing_files_are_named_but_unlabeled_images_need_no_mask() {
        let files = Files::new();
        files.remove("c_mask.png");
        files.write("unlabeled.txt", "c.png c_mask.png\nd.png\n");
        assert_eq!(files.complaints(), "");
        files.remove("d.png");
        files.remove("a_mask.png");
        files.write("val.txt", "v.png\n");
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn a_drawn_labeled_image_needs_its_mask() {
        let files = Files::new();
        files.write("train.txt", "a.png\nb.png\nc.png\nd.png\n");
        let complaints = files.complaints_of(&drawn(1));
        assert!(complaints.contains("has no mask, but labeled images need one"), "{complaints}");
    }

    #[test]
    fn impossible_draws_are_explained() {
        let mut files = Files::new();
        let tiny = Split::Drawn { labeled: Amount::Fraction(0.1), seed: 0 };
        let mut told = [drawn(0), drawn(5), tiny].map(|split| files.complaints_of(&split)).join("\n");
        files.data.train = None;
        told += &format!("\n{}", files.complaints_of(&drawn(2)));
        insta::assert_snapshot!(told);
    }

    #[test]
    fn absolute_paths_and_missing_folders_are_explained() {
        let mut files = Files::new();
        files.write("unlabeled.txt", "/data/c.png\nd.png\n");
        let told = files.complaints();
        files.data.root = files.path("nowhere");
        insta::assert_snapshot!(format!("{told}\n{}", files.complaints()));
    }

    #[test]
    fn all_problems_come_at_once() {
        let files = Files::new();
        files.list("labeled.txt", &["a", "a", "b"]);
        files.list("unlabeled.txt", &["b", "c"]);
        files.list("val.txt", &["v", "a"]);
        files.remove("c.png");
        files.mask("v", &Mask::filled(1, 1, 0));
        let Err(problems) = files.open() else { panic!("it is full of problems") };
        let kinds: Vec<_> = problems.0.iter().map(Problem::kind).collect();
        assert_eq!(kinds, ["duplicate", "overlap", "leak", "missing"]);
    }

    fn scenes() -> Synthetic {
        Synthetic { seed: 0, width: 20, height: 16, train: 6, val: 2, test: 1, classes: 3, difficulty: 0.5 }
    }

    fn opened(data: &Synthetic, split: &Split) -> Result<(Dataset, SplitLists), String> {
        let cache = tempfile::tempdir().unwrap();
        Dataset::open(&Data::Synthetic(data.clone()), split, cache.path())
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn scenes_need_no_file() {
        let (dataset, split) = opened(&scenes(), &drawn(2)).unwrap();
        assert_eq!(dataset.classes, ["background", "ball", "crate"]);
        assert_eq!(dataset.manifest.entries.len(), 9);
        assert_eq!((split.labeled.len(), split.unlabeled.len()), (2, 4));
        assert!(dataset.needs_pixels_packed());
        insta::assert_snapshot!(format!("{}\n{}", dataset.manifest.digest(), split.labeled.join(" ")));
    }

    #[test]
    fn remembered_scenes_are_the_same_scenes() {
        let cache = tempfile::tempdir().unwrap();
        let open = || Dataset::open(&Data::Synthetic(scenes()), &drawn(2), cache.path()).unwrap().0.manifest;
        assert_eq!(open(), open());
        let other = Synthetic { seed: 1, ..scenes() };
        let other = Dataset::open(&Data::Synthetic(other), &drawn(2), cache.path()).unwrap().0.manifest;
        assert_ne!(open(), other);
    }

    #[test]
    fn scenes_may_be_split_by_lists() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("labeled.txt"), "train/0001\ntrain/0004\n").unwrap();
        std::fs::write(folder.path().join("unlabeled.txt"), "train/0000\ntrain/0099\nval/0000\n").unwrap();
        let split = Split::Lists { folder: folder.path().to_owned() };
        let Err(told) = opened(&scenes(), &split) else { panic!("train/0099 and val/0000 are not there") };
        assert!(told.contains("unlabeled.txt:2: `train/0099` is no training image"), "{told}");
        std::fs::write(folder.path().join("unlabeled.txt"), "train/0000\n").unwrap();
        assert_eq!(opened(&scenes(), &split).unwrap().1.labeled, ["train/0001", "train/0004"]);
    }

    #[test]
    fn scenes_that_cannot_be_drawn_are_explained() {
        let data = Synthetic { width: 8, train: 0, classes: 40, difficulty: f64::NAN, ..scenes() };
        insta::assert_snapshot!(opened(&data, &drawn(1)).unwrap_err());
    }
}
