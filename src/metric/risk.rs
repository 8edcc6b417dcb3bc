//! Area under the risk–coverage curve: how much risk a ranking lets in, and how early.

/// The mean, over k = 1..=n, of the mean risk of the k images with the highest scores (low is good).
///
/// Images with equal scores are taken in random order, in expectation. `None` without images and where a value is NaN.
///
/// # Panics
/// When scores and risks differ in length.
pub fn risk_area(scores: &[f64], risks: &[f64]) -> Option<f64> {
    assert_eq!(scores.len(), risks.len(), "every image has a score and a risk");
    if scores.is_empty() || scores.iter().chain(risks).any(|value| value.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Equal scores are averaged below: ordering them by risk makes that sum, too, independent of the list's order.
    order.sort_by(|&i, &j| scores[j].total_cmp(&scores[i]).then(risks[i].total_cmp(&risks[j])));
    let (mut area, mut risk, mut taken) = (0.0, 0.0, 0.0);
    for group in order.chunk_by(|&i, &j| scores[i] == scores[j]) {
        let mean = group.iter().map(|&i| risks[i]).sum::<f64>() / group.len() as f64;
        for _ in group {
            risk += mean;
            taken += 1.0;
            area += risk / taken;
        }
    }
    Some(area / taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats, text_float};

    #[test]
    fn areas_are_those_of_numpy() {
        let cases = fixture("metric/metric.json");
        for case in cases["area"].as_array().unwrap() {
            let area = risk_area(&floats(&case["scores"]), &floats(&case["risks"])).unwrap();
            assert!((area - text_float(&case["area"]).unwrap()).abs() < 1e-13);
        }
    }

    #[test]
    fn equal_scores_give_the_mean_over_their_orders() {
        let either = [[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]].map(|s| risk_area(&s, &[0.1, 0.2, 0.6]).unwrap());
        let tied = risk_area(&[3.0, 2.0, 2.0], &[0.1, 0.2, 0.6]).unwrap();
        assert!((tied - (either[0] + either[1]) / 2.0).abs() < 1e-15);
    }

    #[test]
    fn a_ranking_by_risk_is_the_best() {
        let risks = [0.5, 0.1, 0.9, 0.3];
        let best = risk_area(&risks.map(|r| -r), &risks).unwrap();
        assert!(best < risk_area(&[0.0; 4], &risks).unwrap());
        assert!(risk_area(&[0.0; 4], &risks).unwrap() < risk_area(&risks, &risks).unwrap());
        assert_eq!(risk_area(&[], &[]), None);
        assert_eq!(risk_area(&[f64::NAN], &[0.0]), None);
    }
}
