//! Intersection over union, per class and on average.

use super::confusion::Confusion;
use super::mean::nan_mean;

impl Confusion {
    /// Intersection over union of every class; `None` for a class that is neither true nor predicted anywhere.
    pub fn iou(&self) -> Vec<Option<f64>> {
        let classes = self.classes();
        let (mut present, mut predicted) = (vec![0u64; classes], vec![0u64; classes]);
        for (truth, row) in self.counts().chunks_exact(classes).enumerate() {
            for (prediction, count) in row.iter().enumerate() {
                present[truth] += count;
                predicted[prediction] += count;
            }
        }
        let iou = |class: usize| {
            let both = self.at(class, class);
            let union = present[class] + predicted[class] - both;
            (union > 0).then(|| both as f64 / union as f64)
        };
        (0..classes).map(iou).collect()
    }

    /// Mean intersection over union of the classes that occur; `None` when nothing was counted.
    ///
    /// To the last bit the value of the official code (`utils.py`, `meanIOU.evaluate`): `numpy.nanmean`.
    pub fn miou(&self) -> Option<f64> {
        nan_mean(&self.iou())
    }

    /// As [`Confusion::miou`] without class 0, whose pixels still count in the unions of the others.
    pub fn miou_without_background(&self) -> Option<f64> {
        nan_mean(&self.iou()[1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture;
    use proptest::prelude::*;

    #[test]
    fn values_have_the_bits_of_numpy() {
        let cases = fixture::fixture("metric/metric.json");
        for case in cases["confusion"].as_array().unwrap() {
            let classes = case["classes"].as_u64().unwrap() as usize;
            let truth = fixture::classes(&case["truth"]);
            let confusion = Confusion::of(classes, &truth, &fixture::classes(&case["prediction"]));
            assert_eq!(confusion.iou(), fixture::optional_floats(&case["iou"]), "{}", case["name"]);
            assert_eq!(confusion.miou(), fixture::text_float(&case["miou"]), "{}", case["name"]);
            assert_eq!(confusion.pixel_accuracy(), fixture::text_float(&case["accuracy"]));
        }
    }

    #[test]
    fn background_alone_leaves_nothing_without_it() {
        let confusion = Confusion::of(4, &[0, 0], &[0, 0]);
        assert_eq!(confusion.miou(), Some(1.0));
        assert_eq!(confusion.miou_without_background(), None);
    }

    proptest! {
        #[test]
        fn truth_and_prediction_may_change_places(pixels in prop::collection::vec((0u8..7, 0u8..7), 1..100)) {
            let (a, b): (Vec<u8>, Vec<u8>) = pixels.into_iter().unzip();
            prop_assert_eq!(Confusion::of(7, &a, &b).miou(), Confusion::of(7, &b, &a).miou());
        }

        #[test]
        fn only_equal_masks_reach_one(pixels in prop::collection::vec((0u8..4, 0u8..4), 1..60)) {
            let (a, b): (Vec<u8>, Vec<u8>) = pixels.into_iter().unzip();
            let miou = Confusion::of(4, &a, &b).miou().unwrap();
            prop_assert!((0.0..=1.0).contains(&miou));
            prop_assert_eq!(miou == 1.0, a == b);
        }
    }
}
