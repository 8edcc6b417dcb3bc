//! Which images a step trains on.
//!
//! An epoch's order is a sort by random bits that belong to each item, not a shuffle of the list: it does not depend
//! on how the list is written, and images that two arms have in common come in the same order in both.

use crate::base::stream::Stream;

/// One place in a training list; an oversampled image has several, which differ in `repeat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainItem {
    /// The image.
    pub id: String,
    /// From 0.
    pub repeat: u32,
    /// Whether it gets strong augmentation.
    pub strong: bool,
    /// Whether its mask is ground truth, not a pseudo label.
    pub labeled: bool,
}

impl TrainItem {
    /// `<id>#<repeat>`: what the item's random numbers are addressed by.
    pub fn address(&self) -> String {
        format!("{}#{}", self.id, self.repeat)
    }
}

/// The order of an epoch, as indices into `items`; `epoch` counts from 1.
pub fn epoch_order(items: &[TrainItem], seed: u64, role: &str, epoch: u64) -> Vec<usize> {
    let rank = |item: &TrainItem| {
        let mut stream = Stream::at(seed, "order", role, epoch, &item.address());
        u64::from(stream.bits()) << 32 | u64::from(stream.bits())
    };
    let mut order: Vec<(u64, usize)> = items.iter().map(rank).zip(0..).collect();
    order.sort_unstable_by(|&(a, i), &(b, j)| {
        let key = |i: usize| (&items[i].id, items[i].repeat);
        a.cmp(&b).then_with(|| key(i).cmp(&key(j)))
    });
    order.into_iter().map(|(_, i)| i).collect()
}

/// The epoch (from 1) that a step (from 1) is in, and its place there (from 0).
///
/// # Panics
/// When an epoch has no steps or the step is 0.
pub fn epoch_of(step: u64, per_epoch: u64) -> (u64, u64) {
    assert!(step > 0 && per_epoch > 0, "step {step} of epochs of {per_epoch} steps");
    ((step - 1) / per_epoch + 1, (step - 1) % per_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(id: &str, repeat: u32) -> TrainItem {
        TrainItem { id: id.into(), repeat, strong: false, labeled: true }
    }

    fn names(items: &[TrainItem], epoch: u64) -> Vec<String> {
        epoch_order(items, 5, "teacher", epoch).into_iter().map(|i| items[i].address()).collect()
    }

    fn lists() -> impl Strategy<Value = Vec<TrainItem>> {
        proptest::collection::btree_set(("[a-d]{1,3}", 0u32..3), 0..40)
            .prop_map(|set| set.into_iter().map(|(id, repeat)| item(&id, repeat)).collect())
    }

    proptest! {
        #[test]
        fn an_order_is_a_permutation(items in lists(), epoch in 1u64..50) {
            let mut order = epoch_order(&items, 5, "teacher", epoch);
            order.sort_unstable();
            prop_assert_eq!(order, (0..items.len()).collect::<Vec<_>>());
        }

        #[test]
        fn the_order_of_the_list_does_not_matter(
            (items, shuffled) in lists().prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle())),
            epoch in 1u64..50,
        ) {
            prop_assert_eq!(names(&items, epoch), names(&shuffled, epoch));
        }

        #[test]
        fn common_items_keep_their_relative_order(items in lists(), epoch in 1u64..50, keep: u64) {
            let part: Vec<_> = items.iter().enumerate().filter(|(i, _)| keep >> (i % 64) & 1 == 1)
                .map(|(_, item)| item.clone()).collect();
            let of_part = names(&part, epoch);
            let of_all: Vec<_> = names(&items, epoch).into_iter().filter(|n| of_part.contains(n)).collect();
            prop_assert_eq!(of_all, of_part);
        }

        #[test]
        fn every_step_has_one_place(step in 1u64..10_000, per_epoch in 1u64..300) {
            let (epoch, place) = epoch_of(step, per_epoch);
            prop_assert!(place < per_epoch);
            prop_assert_eq!((epoch - 1) * per_epoch + place + 1, step);
        }
    }

    #[test]
    fn epochs_seeds_and_roles_have_their_own_order() {
        let items: Vec<_> = (0..30).map(|i| item(&format!("img_{i:02}"), 0)).collect();
        let first = epoch_order(&items, 5, "teacher", 1);
        assert_ne!(first, epoch_order(&items, 5, "teacher", 2));
        assert_ne!(first, epoch_order(&items, 6, "teacher", 1));
        assert_ne!(first, epoch_order(&items, 5, "student", 1));
    }
}
