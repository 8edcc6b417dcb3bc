//! The mean over what is present, summed in the order in which NumPy sums.
//!
//! `numpy.nanmean` replaces NaN by 0, sums pairwise and divides by the number of values that were there. Following
//! the same order of additions gives the same bits, so that a score that is compared with the official code's can be
//! compared with `==`.

/// Below this many values NumPy adds one after the other.
const SHORT: usize = 8;
/// Up to this many values NumPy runs eight sums side by side; above, it halves.
const BLOCK: usize = 128;

/// The mean of the values that are present; `None` when none is. The bits of `numpy.nanmean`.
pub fn nan_mean(values: &[Option<f64>]) -> Option<f64> {
    let present = values.iter().flatten().count();
    if present == 0 {
        return None;
    }
    let filled: Vec<f64> = values.iter().map(|value| value.unwrap_or(0.0)).collect();
    Some(pairwise_sum(&filled) / present as f64)
}

/// The sum in NumPy's order: eight interleaved partial sums per block, blocks halved recursively.
pub fn pairwise_sum(values: &[f64]) -> f64 {
    if values.len() < SHORT {
        return values.iter().fold(0.0, |sum, value| sum + value);
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (front, back) = values.split_at(half - half % SHORT);
        return pairwise_sum(front) + pairwise_sum(back);
    }
    let whole = values.len() - values.len() % SHORT;
    let mut lanes = [0.0; SHORT];
    for eight in values[..whole].chunks_exact(SHORT) {
        for (lane, value) in lanes.iter_mut().zip(eight) {
            *lane += value;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
    values[whole..].iter().fold(sum, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, optional_floats, text_float};

    #[test]
    fn means_have_the_bits_of_numpy() {
        let cases = fixture("metric/metric.json");
        for case in cases["nan_mean"].as_array().unwrap() {
            let values = optional_floats(&case["values"]);
            assert_eq!(nan_mean(&values), text_float(&case["mean"]), "{} values", values.len());
        }
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!(nan_mean(&[]), None);
        assert_eq!(nan_mean(&[None, None]), None);
    }
}
