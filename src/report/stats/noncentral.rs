//! The noncentral t distribution: what a t statistic does when there is an effect.
//!
//! T = (Z + δ) / S, with Z standard normal and S² a χ² of ν degrees of freedom over ν. So P(T ≤ t) is the integral of
//! Φ(t s − δ) over the density of S. In u = ln s the integrand is smooth and falls off on both sides, faster than
//! exponentially to the right and like e^(νu) to the left: the plain trapezoidal rule then converges exponentially in
//! its step, and needs neither series nor tables.

use std::f64::consts::SQRT_2;

/// Below e to this, nothing adds to a sum of which the largest terms are about 1.
const NEGLIGIBLE: f64 = -42.0;

/// So far below 0, Φ is nothing beside 1.
const FAR: f64 = 9.0;

/// Φ, the standard normal distribution function.
fn normal(z: f64) -> f64 {
    libm::erfc(-z / SQRT_2) / 2.0
}

/// P(T ≤ `t`) for `freedom` degrees of freedom and noncentrality `delta`, to an absolute error of some 1e-14.
///
/// # Panics
/// When there are no degrees of freedom, or when `t` or `delta` is not a finite number.
pub fn noncentral_t(t: f64, freedom: u32, delta: f64) -> f64 {
    assert!(freedom > 0 && t.is_finite() && delta.is_finite(), "t {t}, δ {delta}, ν {freedom}");
    if t < 0.0 {
        return 1.0 - noncentral_t(-t, freedom, -delta);
    }
    if t == 0.0 {
        return normal(-delta);
    }
    if delta < -FAR {
        return 1.0;
    }
    let nu = f64::from(freedom);
    let start = NEGLIGIBLE / nu - 0.5;
    let all = integral(nu, start, step(nu), |_| 1.0);
    // Left of t s = δ − FAR, Φ is nothing.
    let start = if delta > FAR { start.max(libm::log((delta - FAR) / t)) } else { start };
    let below = integral(nu, start, step(nu + delta * delta / 2.0), |s| normal(t * s - delta));
    (below / all).min(1.0)
}

/// A step that resolves a density of width 1/√(2ν) and, for ν + δ²/2, the rise of Φ within 1/δ as well: what the sum
/// then lacks of the integral is below what a float resolves.
fn step(sharpness: f64) -> f64 {
    (0.35 / sharpness.sqrt()).min(1.0 / 16.0)
}

/// The integral of `f`(s) over the density of u = ln s, up to the density's constant, from u = `start` on.
fn integral(nu: f64, start: f64, step: f64, f: impl Fn(f64) -> f64) -> f64 {
    let mut sum = 0.0;
    let mut k = (start / step).floor();
    loop {
        let u = k * step;
        // 0 at the mode, u = 0.
        let log_density = nu * (u - libm::expm1(2.0 * u) / 2.0);
        if u > 0.0 && log_density < NEGLIGIBLE {
            return sum * step;
        }
        sum += libm::exp(log_density) * f(libm::exp(u));
        k += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, text_float};
    use proptest::prelude::*;

    #[test]
    fn probabilities_are_those_of_mpmath() {
        for case in fixture("stats/stats.json")["noncentral"].as_array().unwrap() {
            let value = |key: &str| text_float(&case[key]).unwrap();
            let freedom = u32::try_from(case["freedom"].as_u64().unwrap()).unwrap();
            let found = noncentral_t(value("t"), freedom, value("delta"));
            assert!((found - value("p")).abs() < 1e-13, "{case}: {found}");
        }
    }

    #[test]
    fn without_an_effect_it_is_students() {
        for freedom in [1, 2, 5, 30, 999] {
            let t = crate::report::stats::student::two_sided_quantile(freedom, 0.95).unwrap();
            assert!((noncentral_t(t, freedom, 0.0) - 0.975).abs() < 1e-13, "{freedom}");
            assert!((noncentral_t(-t, freedom, 0.0) - 0.025).abs() < 1e-13, "{freedom}");
        }
    }

    proptest! {
        #[test]
        fn turning_both_signs_turns_the_tail(t in -20.0..20.0f64, delta in -15.0..15.0f64, freedom in 1u32..60) {
            let (here, there) = (noncentral_t(t, freedom, delta), noncentral_t(-t, freedom, -delta));
            prop_assert!((here + there - 1.0).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&here));
        }
    }
}
