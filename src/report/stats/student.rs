//! Student's t for whole degrees of freedom.
//!
//! With t = √ν tan θ, the probability of |T| ≤ t is a finite sum of powers of cos θ (Abramowitz & Stegun 26.7.3 and
//! 26.7.4). So neither the incomplete beta function nor the platform's `exp` and `ln` are needed, and an interval has the
//! same bits everywhere.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// P(|T| ≤ √ν tan θ) for ν degrees of freedom and θ in [0, π/2].
fn central(freedom: u32, theta: f64) -> f64 {
    let (sin, cos) = (libm::sin(theta), libm::cos(theta));
    // The sum of c_k cos^k θ over every second k up to ν − 2, with c_k = c_(k-2) · (k − 1) / k.
    let first = freedom % 2;
    let mut term = if first == 1 { cos } else { 1.0 };
    let mut sum = 0.0;
    let mut k = first;
    while k + 2 <= freedom {
        sum += term;
        k += 2;
        term *= cos * cos * f64::from(k - 1) / f64::from(k);
    }
    if first == 1 { FRAC_2_PI * (theta + sin * sum) } else { sin * sum }
}

/// The t with P(|T| ≤ t) = `level`, for `freedom` ≥ 1 degrees of freedom.
///
/// `None` without degrees of freedom, or where `level` is not in [0, 1).
pub fn two_sided_quantile(freedom: u32, level: f64) -> Option<f64> {
    if freedom == 0 || !(0.0..1.0).contains(&level) {
        return None;
    }
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    // Halve until no float lies between: at most some sixty steps near 0.
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if central(freedom, middle) < level { low = middle } else { high = middle }
    }
    Some(f64::from(freedom).sqrt() * libm::sin(low) / libm::cos(low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, text_float};

    #[test]
    fn quantiles_are_those_of_scipy() {
        for case in fixture("stats/stats.json")["quantiles"].as_array().unwrap() {
            let freedom = u32::try_from(case["freedom"].as_u64().unwrap()).unwrap();
            let expected = text_float(&case["t"]).unwrap();
            let found = two_sided_quantile(freedom, text_float(&case["level"]).unwrap()).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-9, "{case}: {found}");
        }
    }

    #[test]
    fn impossible_levels_have_no_quantile() {
        assert_eq!(two_sided_quantile(0, 0.95), None);
        assert_eq!(two_sided_quantile(3, 1.0), None);
        assert_eq!(two_sided_quantile(3, f64::NAN), None);
        assert_eq!(two_sided_quantile(3, 0.0), Some(0.0));
    }
}
