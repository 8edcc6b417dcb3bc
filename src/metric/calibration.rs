//! Calibration: whether pixels of confidence .9 are right nine times in ten.

use serde::{Deserialize, Serialize};

/// Bins of equal width in confidence, the number that the literature uses.
pub const BINS: usize = 15;

/// Confidence against accuracy, gathered over any number of images in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    bins: [Bin; BINS],
}

/// The pixels of one bin. Confidences are summed as integers, so that no order of images changes a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bin {
    /// Pixels.
    pub pixels: u64,
    /// Those of them whose prediction is right.
    pub right: u64,
    /// The sum of their confidences, each the largest probability times 65535.
    pub confidence: u64,
}

impl Bin {
    /// The mean confidence, in [0, 1]; none without pixels.
    pub fn mean_confidence(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.confidence as f64 / f64::from(u16::MAX) / self.pixels as f64)
    }

    /// The share of right pixels; none without pixels.
    pub fn accuracy(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.right as f64 / self.pixels as f64)
    }
}

impl Calibration {
    /// What was counted, bin by bin.
    pub fn of_bins(bins: [Bin; BINS]) -> Self {
        Self { bins }
    }

    /// The bins, from low to high confidence.
    pub fn bins(&self) -> &[Bin; BINS] {
        &self.bins
    }

    /// Counts the pixels of one image whose true class is in [0, C).
    ///
    /// `confidence` is the largest probability times 65535, rounded.
    ///
    /// # Panics
    /// When the three differ in their number of pixels.
    pub fn add(&mut self, classes: usize, truth: &[u8], prediction: &[u8], confidence: &[u16]) {
        assert_eq!(truth.len(), prediction.len(), "a true mask and its prediction have the same pixels");
        assert_eq!(truth.len(), confidence.len(), "a prediction and its confidence have the same pixels");
        for ((&truth, &prediction), &confidence) in truth.iter().zip(prediction).zip(confidence) {
            if usize::from(truth) < classes {
                let bin = &mut self.bins[usize::from(confidence) * BINS / (usize::from(u16::MAX) + 1)];
                bin.pixels += 1;
                bin.right += u64::from(truth == prediction);
                bin.confidence += u64::from(confidence);
            }
        }
    }

    /// Adds the counts of other images.
    pub fn merge(&mut self, other: &Self) {
        for (bin, new) in self.bins.iter_mut().zip(&other.bins) {
            bin.pixels += new.pixels;
            bin.right += new.right;
            bin.confidence += new.confidence;
        }
    }

    /// Expected calibration error: the mean over pixels of |accuracy − mean confidence| of their bin.
    ///
    /// `None` when no pixel was counted.
    pub fn error(&self) -> Option<f64> {
        let pixels: u64 = self.bins.iter().map(|bin| bin.pixels).sum();
        let gap = |bin: &Bin| (bin.right as f64 - bin.confidence as f64 / f64::from(u16::MAX)).abs();
        (pixels > 0).then(|| self.bins.iter().map(gap).sum::<f64>() / pixels as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(value: f64) -> u16 {
        (value * 65535.0).round() as u16
    }

    #[test]
    fn confidence_that_comes_true_has_no_error() {
        let mut calibration = Calibration::default();
        let prediction = [1, 1, 1, 1, 1, 1, 1, 1, 1, 0];
        calibration.add(2, &[1; 10], &prediction, &[share(0.9); 10]);
        assert!(calibration.error().unwrap() < 1e-5);
    }

    #[test]
    fn overconfidence_is_measured_bin_by_bin() {
        let mut calibration = Calibration::default();
        calibration.add(2, &[0, 0, 255], &[0, 1, 1], &[share(1.0); 3]);
        let mut other = Calibration::default();
        other.add(2, &[0, 0], &[0, 1], &[share(0.5); 2]);
        calibration.merge(&other);
        assert!((calibration.error().unwrap() - 0.25).abs() < 1e-5);
        assert_eq!(Calibration::default().error(), None);
    }
}
