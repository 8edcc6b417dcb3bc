//! A value per seed and split, and which of them may be taken as independent draws.
//!
//! Runs on one split have that split's labeled images in common: whatever makes the split a lucky one is in all of
//! them. So with several splits it is the splits that are independent, and a split's seeds are averaged first. With one
//! split the seeds are independent, and whatever is concluded from them is about training on that split.
//!
//! Seeds are taken as nested in splits: seed 1 on one split and seed 1 on another have a number in common, initial
//! weights perhaps, and after some thousand steps on other images nothing that is known to last. Were there such an
//! effect of a seed across splits, means over splits would share it, and an interval over splits would be one for the
//! seeds that were used.

/// A value at one seed and split of a design.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Which split, by its position in the design.
    pub split: usize,
    /// Which seed, by its position in the design.
    pub seed: usize,
    /// mIoU of an arm, or the difference of two arms that are paired here.
    pub value: f64,
}

/// What counts as one independent draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A split, by the mean over its seeds: there are several splits.
    Split,
    /// A seed: there is one split, and nothing is said of others.
    Seed,
}

impl Unit {
    /// The word for `count` of them.
    pub fn word(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::Split, 1) => "split",
            (Self::Split, _) => "splits",
            (Self::Seed, 1) => "seed",
            (Self::Seed, _) => "seeds",
        }
    }
}

/// Values by split, and by seed within a split.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    splits: Vec<Vec<f64>>,
    missing: usize,
}

impl Layout {
    /// Sorts values by split and seed, in whatever order they come.
    ///
    /// `None` without values, where one is not a finite number, and where two stand at one seed and split.
    pub fn of(cells: &[Cell]) -> Option<Self> {
        let mut cells = cells.to_vec();
        cells.sort_by_key(|cell| (cell.split, cell.seed));
        let place = |cell: &Cell| (cell.split, cell.seed);
        let doubled = cells.windows(2).any(|two| place(&two[0]) == place(&two[1]));
        if cells.is_empty() || doubled || cells.iter().any(|cell| !cell.value.is_finite()) {
            return None;
        }
        let mut seeds: Vec<usize> = cells.iter().map(|cell| cell.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let splits: Vec<Vec<f64>> = cells
            .chunk_by(|a, b| a.split == b.split)
            .map(|split| split.iter().map(|cell| cell.value).collect())
            .collect();
        let missing = splits.len() * seeds.len() - cells.len();
        Some(Self { splits, missing })
    }

    /// The values of each split, in the order of the seeds. No split is empty.
    pub fn splits(&self) -> &[Vec<f64>] {
        &self.splits
    }

    /// Number of values.
    pub fn values(&self) -> usize {
        self.splits.iter().map(Vec::len).sum()
    }

    /// Values that are not there, of every seed seen on every split seen.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// What counts as one independent draw.
    pub fn unit(&self) -> Unit {
        if self.splits.len() > 1 { Unit::Split } else { Unit::Seed }
    }

    /// The values of each unit: those of each split, or each on its own where there is one split.
    pub fn units(&self) -> Vec<&[f64]> {
        match self.unit() {
            Unit::Split => self.splits.iter().map(Vec::as_slice).collect(),
            Unit::Seed => self.splits[0].chunks(1).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(split: usize, seed: usize, value: f64) -> Cell {
        Cell { split, seed, value }
    }

    #[test]
    fn several_splits_are_units_and_one_split_has_its_seeds() {
        let one = Layout::of(&[cell(4, 1, 0.2), cell(4, 0, 0.1)]).unwrap();
        assert_eq!((one.unit(), one.units()), (Unit::Seed, vec![&[0.1][..], &[0.2]]));
        let two = Layout::of(&[cell(1, 0, 0.3), cell(0, 1, 0.2), cell(0, 0, 0.1)]).unwrap();
        assert_eq!((two.unit(), two.units()), (Unit::Split, vec![&[0.1, 0.2][..], &[0.3]]));
        assert_eq!((two.values(), two.missing(), one.missing()), (3, 1, 0));
        assert_eq!([Unit::Split.word(3), Unit::Seed.word(1)], ["splits", "seed"]);
    }

    #[test]
    fn what_is_no_layout_is_none() {
        assert_eq!(Layout::of(&[]), None);
        assert_eq!(Layout::of(&[cell(0, 0, f64::INFINITY)]), None);
        assert_eq!(Layout::of(&[cell(0, 0, 0.1), cell(0, 1, 0.1), cell(0, 0, 0.2)]), None);
    }

    proptest! {
        #[test]
        fn the_order_of_values_means_nothing(
            values in prop::collection::vec(-1.0..1.0f64, 1..12), by in 0usize..12, seeds in 1usize..5,
        ) {
            let cells: Vec<Cell> =
                values.iter().enumerate().map(|(i, &value)| cell(i / seeds, i % seeds, value)).collect();
            let mut turned = cells.clone();
            turned.rotate_left(by % cells.len());
            turned.reverse();
            prop_assert_eq!(Layout::of(&turned), Layout::of(&cells));
        }
    }
}
