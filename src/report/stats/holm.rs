//! Holm's step-down correction: several arms, one baseline.

/// The adjusted p-values, in the order given: the chance of one false "different" among all is at most the level at
/// which they are read, whatever the dependence between the tests.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&i, &j| p[i].total_cmp(&p[j]));
    let mut adjusted = vec![0.0; p.len()];
    let mut running: f64 = 0.0;
    for (place, &i) in order.iter().enumerate() {
        running = running.max(((p.len() - place) as f64 * p[i]).min(1.0));
        adjusted[i] = running;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats};

    #[test]
    fn p_values_are_multiplied_step_by_step() {
        for case in fixture("stats/stats.json")["holm"].as_array().unwrap() {
            for (found, expected) in holm(&floats(&case["p"])).iter().zip(floats(&case["adjusted"])) {
                assert!((found - expected).abs() < 1e-12, "{case}");
            }
        }
        assert!(holm(&[]).is_empty());
    }
}
