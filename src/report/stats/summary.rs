//! Mean, standard deviation, median, quantiles.

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| sum(values) / values.len() as f64)
}

/// The standard deviation of a sample (n − 1); `None` for fewer than two values.
pub fn sd(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: Vec<f64> = values.iter().map(|value| (value - mean) * (value - mean)).collect();
    Some((sum(&squares) / (values.len() - 1) as f64).sqrt())
}

/// The median, of two middle values their mean; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { (sorted[middle - 1] + upper) / 2.0 })
}

/// The value below which a share `q` of the values lies, between two of them linearly interpolated: NumPy's default.
///
/// `None` of nothing, and where `q` is not in [0, 1].
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    if values.is_empty() || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = q * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    Some(below + (above - below) * (place - place.floor()))
}

/// The sum, in the order of the values.
fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats, text_float};

    fn close(found: Option<f64>, expected: Option<f64>) {
        match (found, expected) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-9, "{found} {expected}"),
            _ => assert_eq!(found, expected),
        }
    }

    #[test]
    fn summaries_are_those_of_numpy() {
        for sample in fixture("stats/stats.json")["samples"].as_array().unwrap() {
            let values = floats(&sample["values"]);
            close(mean(&values), text_float(&sample["mean"]));
            close(sd(&values), text_float(&sample["sd"]));
            close(median(&values), text_float(&sample["median"]));
        }
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        for sample in fixture("stats/stats.json")["samples"].as_array().unwrap() {
            let values = floats(&sample["values"]);
            for (q, expected) in
                [0.025, 0.25, 0.5, 0.975, 1.0].into_iter().zip(floats(&sample["sample_quantiles"]))
            {
                close(quantile(&values, q), Some(expected));
            }
        }
        assert_eq!(
            (quantile(&[], 0.5), quantile(&[1.0], 1.1), quantile(&[1.0], f64::NAN)),
            (None, None, None)
        );
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!((mean(&[]), sd(&[]), median(&[])), (None, None, None));
        assert_eq!(sd(&[1.0]), None);
    }
}
