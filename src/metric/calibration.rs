//! Calibration: whether pixels of confidence .9 are right nine times in ten.

/// Bins of equal width in confidence, the number that the literature uses.
pub const BINS: usize = 15;

/// Confidence against accuracy, gathered over any number of images in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calibration {
    classes: usize,
    bins: [Bin; BINS],
}

/// The pixels of one bin. Confidences are summed as integers, so that no order of images changes a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Bin {
    pixels: u64,
    right: u64,
    confidence: u64,
}

impl Calibration {
    /// Nothing counted yet, for masks of `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, bins: [Bin::default(); BINS] }
    }

    /// Counts the pixels of one image whose true class is in [0, C).
    ///
    /// `confidence` is the largest probability times 65535, rounded.
    ///
    /// # Panics
    /// When the three differ in their number of pixels.
    pub fn add(&mut self, truth: &[u8], prediction: &[u8], confidence: &[u16]) {
        assert_eq!(truth.len(), prediction.len(), "a true mask and its prediction have the same pixels");
        assert_eq!(truth.len(), confidence.len(), "a prediction and its confidence have the same pixels");
        for ((&truth, &prediction), &confidence) in truth.iter().zip(prediction).zip(confidence) {
            if usize::from(truth) < self.classes {
                let bin = &mut self.bins[usize::from(confidence) * BINS / (usize::from(u16::MAX) + 1)];
                bin.pixels += 1;
                bin.right += u64::from(truth == prediction);
                bin.confidence += u64::from(confidence);
            }
        }
    }

    /// Adds the counts of other images.
    ///
    /// # Panics
    /// When the two differ in their number of classes.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.classes, other.classes, "calibrations of one dataset have the same classes");
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
        let mut calibration = Calibration::new(2);
        let prediction = [1, 1, 1, 1, 1, 1, 1, 1, 1, 0];
        calibration.add(&[1; 10], &prediction, &[share(0.9); 10]);
        assert!(calibration.error().unwrap() < 1e-5);
    }

    #[test]
    fn overconfidence_is_measured_bin_by_bin() {
        let mut calibration = Calibration::new(2);
        calibration.add(&[0, 0, 255], &[0, 1, 1], &[share(1.0); 3]);
        let mut other = Calibration::new(2);
        other.add(&[0, 0], &[0, 1], &[share(0.5); 2]);
        calibration.merge(&other);
        assert!((calibration.error().unwrap() - 0.25).abs() < 1e-5);
        assert_eq!(Calibration::new(2).error(), None);
    }
}
