//! A small dataset of files for tests: four training images, one for validation, one for tests.

use std::fs;
use std::path::PathBuf;

use crate::spec::data::{Amount, Data, Listed, Split};
use crate::spec::preset::default_palette;

use super::dataset::Dataset;
use super::decode::{encode_png_mask, encode_png_rgb};
use super::image::{Mask, Rgb};
use super::problem::DataProblems;
use super::split::SplitLists;

/// The folder of real data that `STPP_DATA` names; says so on the terminal where it does not.
pub(crate) fn data_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("STPP_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: STPP_DATA names no folder with real data");
    }
    folder
}

pub(crate) const IDS: [&str; 6] = ["a", "b", "c", "d", "v", "t"];

/// Images `<id>.png` with masks `<id>_mask.png` of 6x4 pixels and three classes, and their lists.
pub(crate) struct Files {
    folder: tempfile::TempDir,
    pub(crate) data: Listed,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let data = Listed {
            name: "files".to_owned(),
            root: root.clone(),
            train: Some(root.join("train.txt")),
            val: root.join("val.txt"),
            test: Some(root.join("test.txt")),
            classes: ["ground", "one", "two"].map(str::to_owned).to_vec(),
            ignore: 255,
            palette: default_palette(3),
            long_side: None,
        };
        let files = Self { folder, data };
        for (index, id) in IDS.iter().enumerate() {
            files.image(id, &Rgb::filled(6, 4, [index as u8 * 10; 3]));
            let mut mask = Mask::filled(6, 4, (index % 3) as u8);
            mask.data[5] = 255;
            files.mask(id, &mask);
        }
        files.list("train.txt", &["a", "b", "c", "d"]);
        files.list("val.txt", &["v"]);
        files.list("test.txt", &["t"]);
        files.list("labeled.txt", &["a", "b"]);
        files.list("unlabeled.txt", &["c", "d"]);
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn image(&self, id: &str, image: &Rgb) {
        self.write(&format!("{id}.png"), encode_png_rgb(image));
    }

    pub(crate) fn mask(&self, id: &str, mask: &Mask) {
        self.write(&format!("{id}_mask.png"), encode_png_mask(mask, None));
    }

    pub(crate) fn list(&self, name: &str, ids: &[&str]) {
        let lines: Vec<String> = ids.iter().map(|id| format!("{id}.png {id}_mask.png\n")).collect();
        self.write(name, lines.concat());
    }

    pub(crate) fn data(&self) -> Data {
        Data::Listed(self.data.clone())
    }

    pub(crate) fn lists(&self) -> Split {
        Split::Lists { folder: self.folder.path().to_owned() }
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub(crate) fn open(&self) -> Result<(Dataset, SplitLists), DataProblems> {
        Dataset::open(&self.data(), &self.lists(), &self.cache())
    }

    /// What opening and then checking pixels complains about, the folder's name left out.
    pub(crate) fn complaints(&self) -> String {
        self.complaints_of(&self.lists())
    }

    pub(crate) fn complaints_of(&self, split: &Split) -> String {
        let problems = match Dataset::open(&self.data(), split, &self.cache()) {
            Ok((dataset, _)) => dataset.validate_pixels(&mut crate::base::progress::Quiet::default()).err(),
            Err(problems) => Some(problems),
        };
        let folder = format!("{}/", self.folder.path().display());
        problems.map(|problems| problems.to_string().replace(&folder, "")).unwrap_or_default()
    }
}

pub(crate) fn drawn(labeled: usize) -> Split {
    Split::Drawn { labeled: Amount::Count(labeled), seed: 0 }
}
