//! What a number means: its name, its unit, and which way is better.

/// The unit of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share in [0, 1]; shown in percent, its differences in percentage points.
    Share,
    /// A correlation in [-1, 1].
    Correlation,
    /// Natural units of information per pixel.
    Nats,
}

/// Which way a measure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// It describes, and judges nothing.
    Neither,
}

/// A measure, as tables and reports need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Unique; the column's name.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Its direction.
    pub better: Better,
}

impl Metric {
    const fn new(name: &'static str, unit: Unit, better: Better, about: &'static str) -> Self {
        Self { name, about, unit, better }
    }

    /// Whether `a` is better than `b`; `None` where the measure judges nothing, or where one is not a number.
    pub fn prefers(&self, a: f64, b: f64) -> Option<bool> {
        let order = a.partial_cmp(&b)?;
        match self.better {
            Better::Higher => Some(order.is_gt()),
            Better::Lower => Some(order.is_lt()),
            Better::Neither => None,
        }
    }
}

/// Mean intersection over union.
pub const MIOU: Metric = Metric::new(
    "miou",
    Unit::Share,
    Better::Higher,
    "mean over classes of intersection over union, one confusion matrix over the dataset",
);
/// Intersection over union of one class.
pub const CLASS_IOU: Metric =
    Metric::new("class_iou", Unit::Share, Better::Higher, "intersection over union of one class");
/// Share of right pixels.
pub const PIXEL_ACCURACY: Metric =
    Metric::new("pixel_accuracy", Unit::Share, Better::Higher, "share of pixels whose class is right");
/// Expected calibration error.
pub const CALIBRATION_ERROR: Metric = Metric::new(
    "calibration_error",
    Unit::Share,
    Better::Lower,
    "mean distance between confidence and accuracy, over 15 bins of confidence",
);
/// Agreement of earlier checkpoints with the last.
pub const STABILITY: Metric = Metric::new(
    "stability",
    Unit::Share,
    Better::Higher,
    "mean mIoU between the masks of earlier checkpoints and the last one's",
);
/// Mean largest probability.
pub const CONFIDENCE: Metric =
    Metric::new("confidence", Unit::Share, Better::Higher, "mean over pixels of the largest probability");
/// Mean entropy.
pub const ENTROPY: Metric =
    Metric::new("entropy", Unit::Nats, Better::Lower, "mean over pixels of the entropy of the probabilities");
/// Share of unlabeled pixels that are trained on.
pub const KEPT: Metric = Metric::new(
    "kept",
    Unit::Share,
    Better::Neither,
    "share of the pixels of unlabeled images that carry a pseudo label",
);
/// Rank correlation of a score with true quality.
pub const SPEARMAN: Metric = Metric::new(
    "spearman",
    Unit::Correlation,
    Better::Higher,
    "rank correlation between a score and the true mIoU of the pseudo labels",
);
/// Area under the risk–coverage curve.
pub const RISK_AREA: Metric = Metric::new(
    "risk_area",
    Unit::Share,
    Better::Lower,
    "mean risk (1 - true mIoU) of the first k images of a ranking, averaged over k",
);

/// Every measure, in the order of tables.
pub const ALL: [Metric; 10] = [
    MIOU,
    CLASS_IOU,
    PIXEL_ACCURACY,
    CALIBRATION_ERROR,
    STABILITY,
    CONFIDENCE,
    ENTROPY,
    KEPT,
    SPEARMAN,
    RISK_AREA,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn a_direction_decides_what_is_preferred() {
        assert_eq!(MIOU.prefers(0.8, 0.7), Some(true));
        assert_eq!(MIOU.prefers(0.7, 0.7), Some(false));
        assert_eq!(ENTROPY.prefers(0.8, 0.7), Some(false));
        assert_eq!(KEPT.prefers(0.8, 0.7), None);
        assert_eq!(MIOU.prefers(f64::NAN, 0.7), None);
    }
}
