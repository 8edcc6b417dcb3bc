//! A run's evaluation in the form that resampling needs: intersection and union of each class on each image.
//!
//! The mIoU of a set of images is made of sums over its images, so that these integers are all a resample needs; a mean
//! of per-image mIoU is another measure and appears nowhere.

use crate::base::digest::{Digest, Hasher};
use crate::metric::Confusion;

/// Pixels of one class on one image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassCounts {
    /// Of the class, and predicted as such.
    pub true_positives: u32,
    /// Predicted as the class, and of another.
    pub false_positives: u32,
    /// Of the class, and predicted as another.
    pub false_negatives: u32,
}

/// Counts that are summed side by side: the integers of one 256-bit register.
pub(super) type Lanes = [u32; LANES];

/// Integers in [`Lanes`].
pub(super) const LANES: usize = 8;

/// One run on one set of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageCounts {
    set: Digest,
    images: usize,
    classes: usize,
    /// Intersection and union of the classes in turn, eight in a block, and each block image by image: while a block
    /// is summed, a resample jumps about in some kilobytes.
    blocks: Vec<Lanes>,
    largest: u32,
}

impl ImageCounts {
    /// The counts of a run by image id, in any order; those of each image by class id.
    ///
    /// # Panics
    /// When there is no image or no class, an id occurs twice, or an image has other than `classes` classes or 2^32
    /// pixels.
    pub fn new(classes: usize, images: &[(&str, &[ClassCounts])]) -> Self {
        assert!(
            classes > 0 && !images.is_empty(),
            "{} images of {classes} classes are counted",
            images.len()
        );
        let mut sorted: Vec<&(&str, &[ClassCounts])> = images.iter().collect();
        sorted.sort_by_key(|(id, _)| *id);
        let mut hasher = Hasher::new("stpp evaluated images v1").number(classes as u64);
        let mut blocks = vec![[0; LANES]; (2 * classes).div_ceil(LANES) * images.len()];
        let mut largest = 0;
        for (place, (id, counts)) in sorted.iter().enumerate() {
            assert!(place == 0 || sorted[place - 1].0 != *id, "the image `{id}` is counted twice");
            assert_eq!(counts.len(), classes, "the image `{id}` is counted by other classes");
            hasher.add(id.as_bytes());
            for (class, count) in counts.iter().enumerate() {
                let missed = count.false_positives.checked_add(count.false_negatives);
                let union = missed.and_then(|missed| missed.checked_add(count.true_positives));
                let union = union.expect("an image has fewer than 2^32 pixels");
                let lanes = &mut blocks[2 * class / LANES * images.len() + place];
                lanes[2 * class % LANES] = count.true_positives;
                lanes[2 * class % LANES + 1] = union;
                largest = largest.max(union);
            }
        }
        Self { set: hasher.finish(), images: images.len(), classes, blocks, largest }
    }

    /// The counts of confusion matrices by image id, in any order.
    ///
    /// # Panics
    /// See [`ImageCounts::new`].
    pub fn of(images: &[(&str, &Confusion)]) -> Self {
        let classes = images.first().map_or(0, |(_, confusion)| confusion.classes());
        let counted: Vec<(&str, Vec<ClassCounts>)> =
            images.iter().map(|(id, confusion)| (*id, by_class(confusion))).collect();
        let borrowed: Vec<(&str, &[ClassCounts])> =
            counted.iter().map(|(id, counts)| (*id, counts.as_slice())).collect();
        Self::new(classes, &borrowed)
    }

    /// What tells sets of images apart: the digest of their ids and of the number of classes.
    pub fn set(&self) -> Digest {
        self.set
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Images on which a class occurs, as truth or as prediction: only these say something of its IoU.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn images_with(&self, class: usize) -> usize {
        assert!(class < self.classes, "there are {} classes and not one with id {class}", self.classes);
        let block = &self.blocks[2 * class / LANES * self.images..][..self.images];
        block.iter().filter(|lanes| lanes[2 * class % LANES + 1] > 0).count()
    }

    /// For each eight integers their values on all images, those of the first eight first.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[Lanes]> {
        self.blocks.chunks_exact(self.images)
    }

    /// The most summands that can't overflow 32 bits, at least 1.
    pub(super) fn most_summands(&self) -> usize {
        (u32::MAX / self.largest.max(1)) as usize
    }
}

fn by_class(confusion: &Confusion) -> Vec<ClassCounts> {
    let pixels = |count: u64| u32::try_from(count).expect("an image has fewer than 2^32 pixels");
    let count = |class: usize| ClassCounts {
        true_positives: pixels(confusion.true_positives(class)),
        false_positives: pixels(confusion.false_positives(class)),
        false_negatives: pixels(confusion.false_negatives(class)),
    };
    (0..confusion.classes()).map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(tp: u32, fp: u32, fn_: u32) -> ClassCounts {
        ClassCounts { true_positives: tp, false_positives: fp, false_negatives: fn_ }
    }

    #[test]
    fn images_are_sorted_by_id_and_their_set_is_known() {
        let (a, b) = ([counts(1, 2, 3), counts(4, 0, 0)], [counts(5, 0, 1), counts(0, 0, 0)]);
        let found = ImageCounts::new(2, &[("b", &b), ("a", &a)]);
        assert_eq!(found, ImageCounts::new(2, &[("a", &a), ("b", &b)]));
        let blocks: Vec<&[Lanes]> = found.blocks().collect();
        assert_eq!(blocks, [[[1, 6, 4, 4, 0, 0, 0, 0], [5, 6, 0, 0, 0, 0, 0, 0]]]);
        assert_ne!(found.set(), ImageCounts::new(2, &[("a", &a), ("c", &b)]).set());
        assert_ne!(found.set(), ImageCounts::new(1, &[("a", &a[..1]), ("b", &b[..1])]).set());
        assert_eq!((found.images_with(0), found.images_with(1)), (2, 1));
        assert_eq!(found.most_summands(), (u32::MAX / 6) as usize);
    }

    #[test]
    fn confusion_matrices_are_counted_by_class() {
        let confusion = Confusion::of(3, &[0, 0, 1, 1, 2], &[0, 1, 1, 1, 0]);
        let expected = [counts(1, 1, 1), counts(2, 1, 0), counts(0, 0, 1)];
        assert_eq!(by_class(&confusion), expected);
        assert_eq!(ImageCounts::of(&[("x", &confusion)]), ImageCounts::new(3, &[("x", &expected)]));
    }

    #[test]
    #[should_panic(expected = "the image `a` is counted twice")]
    fn an_image_counts_once() {
        let one = [counts(1, 0, 0)];
        ImageCounts::new(1, &[("a", &one), ("b", &one), ("a", &one)]);
    }
}
