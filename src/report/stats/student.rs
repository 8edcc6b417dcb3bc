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

/// P(|T| > t) for `freedom` ≥ 1 degrees of freedom; infinite t has probability 0.
///
/// `None` without degrees of freedom, or where `t` is not a number.
pub fn two_sided_p(freedom: u32, t: f64) -> Option<f64> {
    let theta = libm::atan(t.abs() / f64::from(freedom).sqrt());
    (freedom > 0 && !t.is_nan()).then(|| (1.0 - central(freedom, theta)).max(0.0))
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
    fn probabilities_are_those_of_the_quantiles() {
        for (freedom, level) in [(1, 0.5), (2, 0.95), (5, 0.99), (8, 0.9)] {
            let t = two_sided_quantile(freedom, level).unwrap();
            assert!((two_sided_p(freedom, -t).unwrap() - (1.0 - level)).abs() < 1e-12);
        }
        assert_eq!(two_sided_p(2, f64::INFINITY), Some(0.0));
        assert_eq!((two_sided_p(0, 1.0), two_sided_p(2, f64::NAN)), (None, None));
        assert_eq!(two_sided_p(3, 0.0), Some(1.0));
    }

    #[test]
    fn impossible_levels_have_no_quantile() {
        assert_eq!(two_sided_quantile(0, 0.95), None);
        assert_eq!(two_sided_quantile(3, 1.0), None);
        assert_eq!(two_sided_quantile(3, f64::NAN), None);
        assert_eq!(two_sided_quantile(3, 0.0), Some(0.0));
    }
}
