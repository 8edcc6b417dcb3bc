//! A dataset is what its files contain: the digest of every image and mask.

use serde::{Deserialize, Serialize};

use crate::base::canon;
use crate::base::digest::{Digest, Hasher};

use super::image::{Mask, Rgb};
use super::subset::Subset;

/// One image, by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The image's id, unique in the dataset: its path as the lists write it, or a scene's name.
    pub id: String,
    /// Where it belongs.
    pub subset: Subset,
    /// Digest of the image file; of the pixels where there is no file.
    pub image: Digest,
    /// Digest of the mask, where there is one.
    pub mask: Option<Digest>,
}

/// Everything that pixels and labels of a dataset depend on; no path of this machine, no class name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Number of classes C.
    pub classes: usize,
    /// The mask value that counts nowhere, as the files have it.
    pub ignore: u8,
    /// The longer side that images are shrunk to, in pixels.
    pub long_side: Option<usize>,
    /// Sorted by id.
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// The dataset's identity.
    pub fn digest(&self) -> Digest {
        canon::digest("stpp manifest v1", self)
    }

    /// The entry of an image.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries
            .binary_search_by(|entry| entry.id.as_str().cmp(id))
            .ok()
            .map(|index| &self.entries[index])
    }

    /// The entries of a subset, sorted by id.
    pub fn subset(&self, subset: Subset) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.subset == subset)
    }
}

/// The digest of an image that is no file.
pub fn of_image(image: &Rgb) -> Digest {
    of_pixels("stpp image pixels v1", image.width, image.height, &image.data)
}

/// The digest of a mask that is no file.
pub fn of_mask(mask: &Mask) -> Digest {
    of_pixels("stpp mask pixels v1", mask.width, mask.height, &mask.data)
}

fn of_pixels(domain: &str, width: usize, height: usize, data: &[u8]) -> Digest {
    Hasher::new(domain).number(width as u64).number(height as u64).field(data).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let entry = |id: &str, subset| Entry {
            id: id.to_owned(),
            subset,
            image: Digest::of(id.as_bytes()),
            mask: None,
        };
        let entries = vec![entry("a", Subset::Train), entry("b", Subset::Val), entry("c", Subset::Train)];
        Manifest { classes: 3, ignore: 255, long_side: None, entries }
    }

    #[test]
    fn identity_never_changes_by_chance() {
        insta::assert_snapshot!(manifest().digest());
    }

    #[test]
    fn whatever_changes_pixels_or_labels_changes_the_identity() {
        let base = manifest();
        let mut seen = vec![base.digest()];
        let changes: [fn(&mut Manifest); 7] = [
            |m| m.classes = 4,
            |m| m.ignore = 0,
            |m| m.long_side = Some(240),
            |m| m.entries[0].image = Digest::of(b"other"),
            |m| m.entries[0].mask = Some(Digest::of(b"mask")),
            |m| m.entries[0].subset = Subset::Test,
            |m| m.entries[0].id = "aa".to_owned(),
        ];
        for change in changes {
            let mut changed = base.clone();
            change(&mut changed);
            assert!(!seen.contains(&changed.digest()));
            seen.push(changed.digest());
        }
    }

    #[test]
    fn entries_are_found_by_id_and_subset() {
        let manifest = manifest();
        assert_eq!(manifest.entry("b").map(|entry| entry.subset), Some(Subset::Val));
        assert_eq!(manifest.entry("bb"), None);
        assert_eq!(
            manifest.subset(Subset::Train).map(|entry| entry.id.as_str()).collect::<Vec<_>>(),
            ["a", "c"]
        );
    }

    #[test]
    fn pixels_of_another_shape_are_another_image() {
        let image = |width, height| of_image(&Rgb::filled(width, height, [7; 3]));
        assert_ne!(image(2, 3), image(3, 2));
        assert_ne!(of_image(&Rgb::new(1, 1, vec![0; 3])), of_mask(&Mask::new(3, 1, vec![0; 3])));
    }
}
