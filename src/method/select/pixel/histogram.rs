//! Counts of 16-bit values: what a look gathers, whatever the order.

use crate::data::image::IGNORE;

const BINS: usize = 1 << 16;

/// How many pixels have each 16-bit value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram(Vec<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self(vec![0; BINS])
    }
}

impl Histogram {
    /// Counts one pixel.
    #[inline]
    pub fn add(&mut self, value: u16) {
        self.0[usize::from(value)] += 1;
    }

    /// Counts the values of all pixels that carry a label.
    pub fn add_labeled(&mut self, mask: &[u8], values: &[u16]) {
        for (&class, &value) in mask.iter().zip(values) {
            if class != IGNORE {
                self.add(value);
            }
        }
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bin, new) in self.0.iter_mut().zip(&other.0) {
            *bin += new;
        }
    }

    /// Number of pixels counted.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Pixels of a value.
    pub fn at(&self, value: u16) -> u64 {
        self.0[usize::from(value)]
    }

    /// Pixels above a value.
    pub fn above(&self, value: u16) -> u64 {
        self.0[usize::from(value) + 1..].iter().sum()
    }

    /// The value of the `count`-th highest pixel (from 1); `None` for 0 and beyond the total.
    pub fn highest(&self, count: u64) -> Option<u16> {
        let mut seen = 0;
        let reached = |pixels: &u64| {
            seen += pixels;
            seen >= count
        };
        if count == 0 {
            return None;
        }
        let below_top = self.0.iter().rev().position(reached)?;
        u16::try_from(BINS - 1 - below_top).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_highest_are_those_of_a_sort(
            mut values in prop::collection::vec(prop_oneof![0u16..4, any::<u16>()], 0..60),
            cut in 0usize..60,
        ) {
            let mut histogram = Histogram::default();
            let (front, back) = values.split_at(cut.min(values.len()));
            front.iter().for_each(|v| histogram.add(*v));
            let mut other = Histogram::default();
            other.add_labeled(&vec![3; back.len()], back);
            histogram.merge(&other);

            values.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(histogram.total(), values.len() as u64);
            prop_assert_eq!(histogram.highest(0), None);
            prop_assert_eq!(histogram.highest(values.len() as u64 + 1), None);
            for (i, value) in values.iter().enumerate() {
                prop_assert_eq!(histogram.highest(i as u64 + 1), Some(*value));
                prop_assert_eq!(histogram.at(*value), values.iter().filter(|v| *v == value).count() as u64);
                prop_assert_eq!(histogram.above(*value), values.iter().filter(|v| *v > value).count() as u64);
            }
        }
    }
}
