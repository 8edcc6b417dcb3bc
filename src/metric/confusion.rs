//! Pixel counts, true class × predicted class.

use serde::{Deserialize, Serialize};

/// How often each class was predicted where each class is true.
///
/// Rows are true classes, columns predicted ones. A confusion matrix of a dataset is the [`merge`](Self::merge) of its
/// images' matrices, in any order: counts are integers. It is stored as its non-zero cells.
///
/// ```
/// use stpp::metric::Confusion;
/// let mut confusion = Confusion::new(2);
/// confusion.add(&[0, 0, 1, 255], &[0, 1, 1, 0]);
/// assert_eq!(confusion.iou(), [Some(0.5), Some(0.5)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Cells", into = "Cells")]
pub struct Confusion {
    classes: usize,
    /// `(C, C)`, row-major.
    counts: Vec<u64>,
}

/// One cell of an image's matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The true class.
    pub truth: u8,
    /// The predicted class.
    pub prediction: u8,
    /// Pixels, above 0.
    pub pixels: u32,
}

/// The most classes a mask can tell apart: 255 marks pixels that count nowhere.
pub const MAX_CLASSES: usize = 255;

impl Confusion {
    /// An empty matrix of `classes` × `classes`.
    ///
    /// # Panics
    /// When there are no classes or more than [`MAX_CLASSES`].
    pub fn new(classes: usize) -> Self {
        assert!((1..=MAX_CLASSES).contains(&classes), "a confusion matrix of {classes} classes");
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// The matrix of one image.
    ///
    /// # Panics
    /// See [`Confusion::add`].
    pub fn of(classes: usize, truth: &[u8], prediction: &[u8]) -> Self {
        let mut confusion = Self::new(classes);
        confusion.add(truth, prediction);
        confusion
    }

    /// Counts the pixels of one image.
    ///
    /// As in the official code (`utils.py`, `meanIOU`), a pixel counts where the true class is in [0, C). A predicted
    /// class is always in [0, C) when a network wrote it; where it is not (a pseudo label that a selection dropped),
    /// the pixel says nothing and counts nowhere.
    ///
    /// # Panics
    /// When the two masks differ in their number of pixels.
    pub fn add(&mut self, truth: &[u8], prediction: &[u8]) {
        assert_eq!(truth.len(), prediction.len(), "a true mask and its prediction have the same pixels");
        // One row and one column more take what is out of range, so that the loop has no branch.
        let outside = self.classes;
        let stride = outside + 1;
        let mut table = vec![0u64; stride * stride];
        for (&t, &p) in truth.iter().zip(prediction) {
            table[usize::from(t).min(outside) * stride + usize::from(p).min(outside)] += 1;
        }
        for (row, counted) in self.counts.chunks_exact_mut(self.classes).zip(table.chunks_exact(stride)) {
            for (count, new) in row.iter_mut().zip(counted) {
                *count += new;
            }
        }
    }

    /// Adds the counts of another matrix.
    ///
    /// # Panics
    /// When the two differ in their number of classes.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.classes, other.classes, "confusion matrices of one dataset have the same classes");
        for (count, new) in self.counts.iter_mut().zip(&other.counts) {
            *count += new;
        }
    }

    /// Adds cells.
    ///
    /// # Panics
    /// When a cell is outside of the matrix.
    pub fn add_cells(&mut self, cells: &[Cell]) {
        for cell in cells {
            self.add_pixels(usize::from(cell.truth), usize::from(cell.prediction), u64::from(cell.pixels));
        }
    }

    /// Adds pixels of one true class that were predicted as another, or the same.
    ///
    /// # Panics
    /// When a class is outside of the matrix.
    pub fn add_pixels(&mut self, truth: usize, prediction: usize, pixels: u64) {
        let classes = self.classes;
        assert!(truth < classes && prediction < classes, "a cell of a matrix of {classes} classes");
        self.counts[truth * classes + prediction] += pixels;
    }

    /// The cells that are not 0, in row-major order.
    ///
    /// # Panics
    /// When a cell has 2^32 pixels or more: that is no image.
    pub fn cells(&self) -> Box<[Cell]> {
        let counted = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        let cell = |(i, &count): (usize, &u64)| Cell {
            truth: (i / self.classes) as u8,
            prediction: (i % self.classes) as u8,
            pixels: u32::try_from(count).expect("an image has fewer than 2^32 pixels"),
        };
        counted.map(cell).collect()
    }

    /// Number of classes C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The counts `(C, C)`, row-major: true class × predicted class.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Pixels of true class `truth` that were predicted as `prediction`.
    pub fn at(&self, truth: usize, prediction: usize) -> u64 {
        self.counts[truth * self.classes + prediction]
    }

    /// All counted pixels.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Pixels of class `class` that were predicted as such.
    pub fn true_positives(&self, class: usize) -> u64 {
        self.at(class, class)
    }

    /// Pixels predicted as `class` that are not.
    pub fn false_positives(&self, class: usize) -> u64 {
        let predicted: u64 = (0..self.classes).map(|truth| self.at(truth, class)).sum();
        predicted - self.at(class, class)
    }

    /// Pixels of `class` that were predicted as something else.
    pub fn false_negatives(&self, class: usize) -> u64 {
        let present: u64 = (0..self.classes).map(|prediction| self.at(class, prediction)).sum();
        present - self.at(class, class)
    }
}

/// The stored form: the cells that are not zero, in row-major order, as `[truth, prediction, count]`.
#[derive(Serialize, Deserialize)]
struct Cells {
    classes: usize,
    cells: Vec<(usize, usize, u64)>,
}

impl From<Confusion> for Cells {
    fn from(confusion: Confusion) -> Self {
        let classes = confusion.classes;
        let counted = confusion.counts.into_iter().enumerate().filter(|&(_, count)| count > 0);
        let cells = counted.map(|(i, count)| (i / classes, i % classes, count)).collect();
        Self { classes, cells }
    }
}

/// A stored confusion matrix that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CellsError {
    /// No classes, or more than a mask can tell apart.
    #[error("read a confusion matrix of {0} classes: 1 to {MAX_CLASSES} are possible")]
    Classes(usize),
    /// A cell that is outside, empty, or not after the one before.
    #[error("read a confusion matrix: cell {0} is empty, out of order, or beyond its {1} classes")]
    Cell(usize, usize),
}

impl TryFrom<Cells> for Confusion {
    type Error = CellsError;

    fn try_from(stored: Cells) -> Result<Self, CellsError> {
        let classes = stored.classes;
        if !(1..=MAX_CLASSES).contains(&classes) {
            return Err(CellsError::Classes(classes));
        }
        let mut confusion = Self::new(classes);
        let mut next = 0;
        for (place, (truth, prediction, count)) in stored.cells.into_iter().enumerate() {
            let inside = truth < classes && prediction < classes && count > 0;
            if !inside || truth * classes + prediction < next {
                return Err(CellsError::Cell(place, classes));
            }
            let index = truth * classes + prediction;
            confusion.counts[index] = count;
            next = index + 1;
        }
        Ok(confusion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture;
    use proptest::prelude::*;

    #[test]
    fn counts_are_those_of_bincount() {
        let cases = fixture::fixture("metric/metric.json");
        for case in cases["confusion"].as_array().unwrap() {
            let classes = case["classes"].as_u64().unwrap() as usize;
            let confusion = Confusion::of(
                classes,
                &fixture::classes(&case["truth"]),
                &fixture::classes(&case["prediction"]),
            );
            let counts: Vec<u64> =
                case["counts"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
            assert_eq!(confusion.counts(), counts, "{}", case["name"]);
        }
    }

    #[test]
    fn dropped_labels_count_nowhere() {
        let confusion = Confusion::of(3, &[0, 1, 2, 2], &[0, 255, 2, 3]);
        assert_eq!(confusion.total(), 2);
        assert_eq!(confusion.false_negatives(1), 0);
    }

    #[test]
    fn a_damaged_matrix_is_refused() {
        let read = |text: &str| serde_json::from_str::<Confusion>(text).map_err(|e| e.to_string());
        for text in [
            r#"{"classes":0,"cells":[]}"#,
            r#"{"classes":256,"cells":[]}"#,
            r#"{"classes":2,"cells":[[2,0,1]]}"#,
            r#"{"classes":2,"cells":[[0,0,0]]}"#,
            r#"{"classes":2,"cells":[[0,1,1],[0,1,1]]}"#,
            r#"{"classes":2,"cells":[[1,1,1],[0,1,1]]}"#,
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("read a confusion matrix"), "{text}: {error}");
        }
        assert!(read(r#"{"classes":2,"cells":[[0,1,1],[1,0,4]]}"#).is_ok());
    }

    fn masks() -> impl Strategy<Value = (usize, Vec<(u8, u8)>)> {
        (1usize..=21).prop_flat_map(|classes| {
            let pixel = (prop_oneof![0..classes as u8, Just(255)], 0..classes as u8);
            (Just(classes), prop::collection::vec(pixel, 0..200))
        })
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole((classes, pixels) in masks(), cut in 0usize..200) {
            let (truth, prediction): (Vec<u8>, Vec<u8>) = pixels.into_iter().unzip();
            let cut = cut.min(truth.len());
            let whole = Confusion::of(classes, &truth, &prediction);
            let mut parts = Confusion::of(classes, &truth[cut..], &prediction[cut..]);
            parts.merge(&Confusion::of(classes, &truth[..cut], &prediction[..cut]));
            prop_assert_eq!(&parts, &whole);
            let rows: u64 = (0..classes).map(|c| whole.true_positives(c) + whole.false_negatives(c)).sum();
            let columns: u64 = (0..classes).map(|c| whole.true_positives(c) + whole.false_positives(c)).sum();
            prop_assert_eq!((rows, columns), (whole.total(), whole.total()));
        }

        #[test]
        fn the_stored_form_comes_back((classes, pixels) in masks()) {
            let (truth, prediction): (Vec<u8>, Vec<u8>) = pixels.into_iter().unzip();
            let confusion = Confusion::of(classes, &truth, &prediction);
            let text = serde_json::to_string(&confusion).unwrap();
            prop_assert_eq!(serde_json::from_str::<Confusion>(&text).unwrap(), confusion);
        }
    }
}
