//! A dataset that was opened: images and masks by id.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::base::progress::Progress;
use crate::spec::data::{Data, Split, Synthetic};

use super::decode::{decode_mask, decode_rgb};
use super::image::{IGNORE, Mask, Rgb};
use super::manifest::{self, Entry, Manifest};
use super::open;
use super::pixels;
use super::problem::{DataProblems, Place, Problem};
use super::shrink;
use super::split::SplitLists;
use super::subset::Subset;
use super::synthetic;

/// Images, masks, and what they are.
#[derive(Debug)]
pub struct Dataset {
    /// For people: `synthetic`, a preset's name, or the folder's.
    pub name: String,
    /// Class names, in the order of their ids.
    pub classes: Vec<String>,
    /// A colour per class.
    pub palette: Vec<[u8; 3]>,
    /// The dataset by content.
    pub manifest: Manifest,
    pub(super) source: Source,
}

/// Where pixels come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Drawn when asked for.
    Scenes(Synthetic),
    /// By id.
    Files(BTreeMap<String, Files>),
}

/// The files of one image.
#[derive(Debug)]
pub(super) struct Files {
    pub image: PathBuf,
    pub mask: Option<PathBuf>,
    /// The line that names them.
    pub at: Place,
}

/// An image that could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("load `{id}`")]
pub struct DataError {
    /// The image.
    pub id: String,
    /// What is wrong with it.
    pub source: Box<Problem>,
}

impl Dataset {
    /// Opens a dataset: reads its lists, takes the digest of every file, draws the split where none is given.
    ///
    /// `cache` is a folder where digests are remembered between runs. Pixels are not looked at, see
    /// [`Self::validate_pixels`].
    ///
    /// # Errors
    /// Every problem at once.
    pub fn open(data: &Data, split: &Split, cache: &Path) -> Result<(Self, SplitLists), DataProblems> {
        let opened = open::open(data, split, cache);
        if opened.problems.is_empty() {
            Ok((opened.dataset, opened.split))
        } else {
            Err(DataProblems(opened.problems))
        }
    }

    /// An image `(H, W, 3)` and its mask `(H, W)`, where it has one; shrunk to `data.long_side`. Mask values are
    /// class ids or [`IGNORE`].
    ///
    /// # Errors
    /// When the image is not of this dataset, or its files cannot be read, do not fit together, or are not what they
    /// were when the dataset was opened.
    pub fn load(&self, id: &str) -> Result<(Rgb, Option<Mask>), DataError> {
        let fail = |problem| DataError { id: id.to_owned(), source: Box::new(problem) };
        let entry = self.manifest.entry(id).ok_or_else(|| fail(Problem::NotInManifest))?;
        let (image, mask) = self.read(entry).map_err(|mut problems| fail(problems.swap_remove(0)))?;
        Ok(match self.manifest.long_side {
            Some(side) => (shrink::image(image, side), mask.map(|mask| shrink::mask(mask, side))),
            None => (image, mask),
        })
    }

    /// Decodes every image and mask, in parallel, and reports what is damaged, of the wrong size, or no class.
    ///
    /// # Errors
    /// Every problem at once, or [`Problem::Interrupted`] among them.
    pub fn validate_pixels(&self, progress: &mut dyn Progress) -> Result<(), DataProblems> {
        let problems = pixels::scan(self, progress).problems;
        if problems.is_empty() { Ok(()) } else { Err(DataProblems(problems)) }
    }

    /// Whether the pixels that are trained on lie in no file: they are drawn or shrunk.
    pub fn needs_pixels_packed(&self) -> bool {
        matches!(self.source, Source::Scenes(_)) || self.manifest.long_side.is_some()
    }

    /// The entries of a subset, sorted by id.
    pub fn subset(&self, subset: Subset) -> impl Iterator<Item = &Entry> {
        self.manifest.subset(subset)
    }

    /// An image and its mask in full size; at least one problem if there is any.
    pub(super) fn read(&self, entry: &Entry) -> Result<(Rgb, Option<Mask>), Vec<Problem>> {
        match &self.source {
            Source::Scenes(params) => read_scene(params, entry).map_err(|problem| vec![problem]),
            Source::Files(files) => self.read_files(entry, &files[&entry.id]),
        }
    }

    fn read_files(&self, entry: &Entry, files: &Files) -> Result<(Rgb, Option<Mask>), Vec<Problem>> {
        let at = || files.at.clone();
        let undecodable = |error| Problem::Undecodable { at: at(), error };
        let image = read_checked(&files.image, &entry.image, files)
            .and_then(|bytes| decode_rgb(&bytes, &files.image.to_string_lossy()).map_err(undecodable));
        let mask = files.mask.as_ref().zip(entry.mask.as_ref()).map(|(path, digest)| {
            let bytes = read_checked(path, digest, files)?;
            let mask = decode_mask(&bytes, &path.to_string_lossy()).map_err(undecodable)?;
            self.check_classes(&mask, entry, files)?;
            Ok(self.with_ignored(mask))
        });
        match (image, mask.transpose()) {
            (Ok(image), Ok(Some(mask))) if (image.width, image.height) != (mask.width, mask.height) => {
                let (image, mask) = ((image.width, image.height), (mask.width, mask.height));
                Err(vec![Problem::Size { at: at(), id: entry.id.clone(), image, mask }])
            }
            (Ok(image), Ok(mask)) => Ok((image, mask)),
            (image, mask) => Err([image.err(), mask.err()].into_iter().flatten().collect()),
        }
    }

    /// Writes the value that the files use for "ignore" as ours.
    fn with_ignored(&self, mut mask: Mask) -> Mask {
        let ignore = self.manifest.ignore;
        if ignore != IGNORE {
            mask.data.iter_mut().filter(|value| **value == ignore).for_each(|value| *value = IGNORE);
        }
        mask
    }

    fn check_classes(&self, mask: &Mask, entry: &Entry, files: &Files) -> Result<(), Problem> {
        let Manifest { classes, ignore, .. } = self.manifest;
        let is_wrong = |value: &u8| usize::from(*value) >= classes && *value != ignore;
        let Some(first) = mask.data.iter().position(is_wrong) else {
            return Ok(());
        };
        Err(Problem::ClassId {
            at: files.at.clone(),
            id: entry.id.clone(),
            class: mask.data[first],
            x: first % mask.width,
            y: first / mask.width,
            count: mask.data.iter().filter(|value| is_wrong(value)).count(),
            classes,
            ignore,
        })
    }
}

fn read_scene(params: &Synthetic, entry: &Entry) -> Result<(Rgb, Option<Mask>), Problem> {
    let changed = || Problem::Changed { path: PathBuf::from(&entry.id) };
    let index = entry.id.rsplit('/').next().and_then(|index| index.parse().ok()).ok_or_else(changed)?;
    let (image, mask) = synthetic::render(params, entry.subset, index);
    if manifest::of_image(&image) != entry.image || Some(manifest::of_mask(&mask)) != entry.mask {
        return Err(changed());
    }
    Ok((image, Some(mask)))
}

/// A file's bytes, if they are still those of the manifest.
fn read_checked(path: &Path, digest: &Digest, files: &Files) -> Result<Vec<u8>, Problem> {
    let at = || files.at.clone();
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::Missing { at: at(), path: path.to_owned() },
        _ => Problem::Unreadable { at: at(), path: path.to_owned(), reason: error.to_string() },
    })?;
    if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(Problem::Changed { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Quiet;
    use crate::data::decode::{encode_png_mask, encode_png_rgb};
    use crate::data::testing::{Files, drawn};

    fn text(error: &DataError) -> String {
        format!("{error}: {}", error.source)
    }

    #[test]
    fn files_are_loaded_as_they_are() {
        let files = Files::new();
        let (dataset, _) = files.open().unwrap();
        let (image, mask) = dataset.load("b.png").unwrap();
        let mask = mask.unwrap();
        assert_eq!((image.width, image.height, image.at(0, 0)), (6, 4, [10; 3]));
        assert_eq!((mask.data[0], mask.data[5]), (1, IGNORE));
        assert!(!dataset.needs_pixels_packed());
    }

    #[test]
    fn large_files_are_shrunk() {
        let mut files = Files::new();
        files.data.long_side = Some(3);
        let (dataset, _) = files.open().unwrap();
        let (image, mask) = dataset.load("b.png").unwrap();
        let mask = mask.unwrap();
        assert_eq!((image.width, image.height, mask.width, mask.height), (3, 2, 3, 2));
        assert!(dataset.needs_pixels_packed());
    }

    #[test]
    fn another_ignore_value_becomes_ours() {
        let mut files = Files::new();
        let mut mask = Mask::filled(6, 4, 2);
        mask.data[..2].copy_from_slice(&[200, 0]);
        ["a", "b", "c", "d", "v", "t"].iter().for_each(|id| files.mask(id, &mask));
        files.data.ignore = 200;
        let (dataset, _) = files.open().unwrap();
        let mask = dataset.load("a.png").unwrap().1.unwrap();
        assert_eq!(mask.data[..3], [IGNORE, 0, 2]);
        // 255 is then a class id like any other, and out of range.
        files.mask("a", &Mask::filled(6, 4, 255));
        assert!(
            files.complaints().contains("the mask of `a.png` has class id 255"),
            "{}",
            files.complaints()
        );
    }

    #[test]
    fn unlabeled_images_may_have_no_mask() {
        let files = Files::new();
        files.remove("c_mask.png");
        let (dataset, _) = files.open().unwrap();
        assert!(dataset.load("c.png").unwrap().1.is_none());
    }

    #[test]
    fn a_file_that_changes_after_opening_is_caught() {
        let files = Files::new();
        let (dataset, _) = files.open().unwrap();
        files.image("a", &Rgb::filled(6, 4, [99; 3]));
        files.remove("b.png");
        let changed = text(&dataset.load("a.png").unwrap_err());
        assert!(changed.starts_with("load `a.png`: ") && changed.contains("has changed since"), "{changed}");
        let missing = text(&dataset.load("b.png").unwrap_err());
        assert!(missing.contains("labeled.txt:2") && missing.contains("does not exist"), "{missing}");
    }

    #[test]
    fn an_unknown_image_is_an_error() {
        let (dataset, _) = Files::new().open().unwrap();
        let told = text(&dataset.load("z.png").unwrap_err());
        assert_eq!(told, "load `z.png`: it is no image of this dataset");
    }

    #[test]
    fn a_mask_of_another_size_is_named() {
        let files = Files::new();
        files.mask("a", &Mask::filled(4, 6, 0));
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn a_class_that_does_not_exist_is_named_with_its_first_pixel() {
        let files = Files::new();
        let mut mask = Mask::filled(6, 4, 1);
        mask.data[2 * 6 + 3] = 7;
        mask.data[2 * 6 + 4] = 5;
        mask.data[3 * 6] = 5;
        files.mask("v", &mask);
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn a_mask_of_colours_is_refused() {
        let files = Files::new();
        files.write("a_mask.png", encode_png_rgb(&Rgb::filled(6, 4, [128, 0, 0])));
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn damaged_files_are_named() {
        let files = Files::new();
        let whole = encode_png_rgb(&Rgb::filled(6, 4, [3; 3]));
        files.write("a.png", &whole[..whole.len() - 30]);
        files.write("b.png", "GIF89a");
        let mut mask = encode_png_mask(&Mask::filled(6, 4, 0), None);
        let middle = mask.len() - 20;
        mask[middle] ^= 0xff;
        files.write("v_mask.png", mask);
        insta::assert_snapshot!(files.complaints());
    }

    #[test]
    fn scenes_are_rendered_when_they_are_asked_for() {
        let params = Synthetic {
            seed: 3,
            width: 18,
            height: 16,
            train: 2,
            val: 1,
            test: 0,
            classes: 5,
            difficulty: 0.2,
        };
        let cache = tempfile::tempdir().unwrap();
        let open = || Dataset::open(&Data::Synthetic(params.clone()), &drawn(1), cache.path()).unwrap().0;
        let mut dataset = open();
        let (image, mask) = dataset.load("train/0001").unwrap();
        assert!((image, mask.unwrap()) == synthetic::render(&params, Subset::Train, 1));
        assert!(dataset.validate_pixels(&mut Quiet::default()).is_ok());
        dataset.manifest.entries[0].image = Digest::of(b"another generator");
        assert!(text(&dataset.load("train/0000").unwrap_err()).contains("train/0000 has changed"));
    }

    #[test]
    fn checking_pixels_stops_when_it_is_told_to() {
        struct Impatient;
        impl Progress for Impatient {
            fn advance(&mut self, _: u64, _: u64, _: &str) {}
            fn metric(&mut self, _: &str, _: u64, _: f64) {}
            fn stop_requested(&self) -> bool {
                true
            }
        }
        let (dataset, _) = Files::new().open().unwrap();
        let problems = dataset.validate_pixels(&mut Impatient).unwrap_err();
        assert!(problems.to_string().ends_with("interrupted after 0 of 6 images"));
    }
}
