//! Spearman's rank correlation.

/// The rank of every value, from 1; equal values share the mean of their ranks. `None` when one is NaN.
pub fn average_ranks(values: &[f64]) -> Option<Vec<f64>> {
    Some(doubled_ranks(values)?.into_iter().map(|rank| rank as f64 / 2.0).collect())
}

/// Spearman's rank correlation in [-1, 1].
///
/// `None` for fewer than two pairs, where one side does not vary, and where a value is NaN. Ranks are summed as
/// integers, so that the result does not depend on the order of the pairs.
///
/// # Panics
/// When the two sides differ in length.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "a rank correlation is one of pairs");
    let (a, b) = (doubled_ranks(a)?, doubled_ranks(b)?);
    let spread = (covariance(&a, &a) as f64 * covariance(&b, &b) as f64).sqrt();
    (spread > 0.0).then(|| covariance(&a, &b) as f64 / spread)
}

/// n² times the covariance: n Σab − Σa Σb.
fn covariance(a: &[i128], b: &[i128]) -> i128 {
    let products: i128 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    a.len() as i128 * products - a.iter().sum::<i128>() * b.iter().sum::<i128>()
}

/// Twice the average ranks, which are integers.
fn doubled_ranks(values: &[f64]) -> Option<Vec<i128>> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let last = first + group.len() - 1;
        for &i in group {
            ranks[i] = (first + last + 2) as i128;
        }
        first = last + 1;
    }
    Some(ranks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats, text_float};
    use proptest::prelude::*;

    #[test]
    fn ranks_and_correlations_are_those_of_scipy() {
        let cases = fixture("metric/metric.json");
        for case in cases["rank"].as_array().unwrap() {
            let (a, b) = (floats(&case["a"]), floats(&case["b"]));
            assert_eq!(average_ranks(&a).unwrap(), floats(&case["ranks"]));
            let error = spearman(&a, &b).unwrap() - text_float(&case["spearman"]).unwrap();
            assert!(error.abs() < 1e-13, "{} pairs: {error}", a.len());
        }
    }

    #[test]
    fn what_does_not_vary_has_no_correlation() {
        assert_eq!(spearman(&[], &[]), None);
        assert_eq!(spearman(&[1.0], &[2.0]), None);
        assert_eq!(spearman(&[1.0, 1.0], &[2.0, 3.0]), None);
        assert_eq!(spearman(&[1.0, f64::NAN], &[2.0, 3.0]), None);
        assert_eq!(average_ranks(&[-0.0, 0.0]).unwrap(), [1.5, 1.5]);
    }

    proptest! {
        #[test]
        fn the_same_order_is_one_and_the_reverse_minus_one(
            values in prop::collection::vec(-1e3f64..1e3, 3..40)
        ) {
            prop_assume!(values.iter().any(|v| *v != values[0]));
            let twice: Vec<f64> = values.iter().map(|v| 2.0 * v).collect();
            let minus: Vec<f64> = values.iter().map(|v| -v).collect();
            prop_assert_eq!(spearman(&values, &twice), Some(1.0));
            prop_assert_eq!(spearman(&values, &minus), Some(-1.0));
        }
    }
}
