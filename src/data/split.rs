//! Which training images are labeled.

use serde::{Deserialize, Serialize};

use crate::base::canon;
use crate::base::digest::{Digest, Hasher};

/// The ids of labeled and unlabeled training images, each in the order of its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitLists {
    /// Images whose masks are trained on.
    pub labeled: Vec<String>,
    /// Images whose masks are not known to the training.
    pub unlabeled: Vec<String>,
}

impl SplitLists {
    /// The split's identity: which images are labeled and which are not, in whatever order the lists have them.
    pub fn digest(&self) -> Digest {
        let sorted = |ids: &[String]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids
        };
        canon::digest("stpp split v1", &[sorted(&self.labeled), sorted(&self.unlabeled)])
    }

    /// The identity of the unlabeled list's order, which matters where ties are broken by it.
    pub fn list_order_digest(&self) -> Digest {
        canon::digest("stpp list order v1", &self.unlabeled)
    }
}

/// Draws a split: images in the order of blake3(seed, image digest), the first `labeled` of them labeled.
///
/// An image's place in that order is its own, so for one seed a smaller draw is part of a larger one, and an image
/// that joins or leaves the dataset moves no other. `images` are (id, digest of the image) in the order of their list.
pub fn draw(images: &[(String, Digest)], labeled: usize, seed: u64) -> SplitLists {
    let place = |(id, image): &(String, Digest)| {
        (Hasher::new("stpp split draw v1").number(seed).field(image.as_bytes()).finish(), id.clone())
    };
    let mut order: Vec<_> = images.iter().map(place).collect();
    order.sort_unstable();
    let first_unlabeled = order.get(labeled).cloned();
    let is_labeled = |image: &(String, Digest)| {
        first_unlabeled.as_ref().is_none_or(|first_unlabeled| place(image) < *first_unlabeled)
    };
    let (labeled, unlabeled): (Vec<_>, Vec<_>) = images.iter().cloned().partition(is_labeled);
    let ids = |images: Vec<(String, Digest)>| images.into_iter().map(|(id, _)| id).collect();
    SplitLists { labeled: ids(labeled), unlabeled: ids(unlabeled) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn images(count: usize) -> Vec<(String, Digest)> {
        (0..count).map(|i| (format!("image_{i}"), Digest::of(&[i as u8]))).collect()
    }

    fn set(ids: &[String]) -> BTreeSet<&String> {
        ids.iter().collect()
    }

    proptest! {
        #[test]
        fn smaller_draws_are_part_of_larger_ones(count in 1usize..60, a in 0usize..60, b in 0usize..60, seed in 0u64..1000) {
            let images = images(count);
            let (few, many) = (a.min(b).min(count), a.max(b).min(count));
            let (few, many) = (draw(&images, few, seed), draw(&images, many, seed));
            prop_assert_eq!(few.labeled.len(), a.min(b).min(count));
            prop_assert_eq!(few.labeled.len() + few.unlabeled.len(), count);
            prop_assert!(set(&few.labeled).is_subset(&set(&many.labeled)));
            prop_assert!(set(&few.labeled).is_disjoint(&set(&few.unlabeled)));
        }

        #[test]
        fn a_draw_depends_on_no_order(seed in 0u64..1000, labeled in 1usize..30) {
            let forward = images(30);
            let backward: Vec<_> = forward.iter().rev().cloned().collect();
            let (one, other) = (draw(&forward, labeled, seed), draw(&backward, labeled, seed));
            prop_assert_eq!(one.digest(), other.digest());
            prop_assert_eq!(one.list_order_digest() == other.list_order_digest(), one.unlabeled.len() < 2);
        }
    }

    #[test]
    fn a_draw_never_changes() {
        insta::assert_snapshot!(draw(&images(20), 5, 0).labeled.join(" "));
    }

    #[test]
    fn images_of_the_same_content_are_told_apart_by_name() {
        let twins = vec![("b".to_owned(), Digest::of(b"x")), ("a".to_owned(), Digest::of(b"x"))];
        assert_eq!(draw(&twins, 1, 0).labeled, ["a"]);
    }

    #[test]
    fn seeds_draw_different_images() {
        let images = images(100);
        assert_ne!(draw(&images, 10, 0).labeled, draw(&images, 10, 1).labeled);
    }
}
