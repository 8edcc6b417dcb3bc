//! The exponential function, with the same bits on every machine.
//!
//! The standard library's `exp` is the platform's. This one is a handful of additions and multiplications without
//! branches, which compilers turn into vector instructions and which IEEE 754 fixes to the bit.

/// Taylor coefficients of e^r from r⁷ down to r². On |r| ≤ ln 2 / 2 the first term left out, r⁸ / 8!, is below 6e-9,
/// a tenth of a unit in the last place.
const TERMS: [f32; 6] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];

/// ln 2 in two parts; products of the first with an integer below 2^9 are exact.
const LN2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// Adding and subtracting this rounds to the nearest integer.
const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23

/// Below this, e^x is taken to be 0; it is about the smallest normal number there.
const SMALLEST: f32 = -87.0;

/// e^x for x ≤ 0, to 2 units in the last place; 0 below -87, where less than 1.7e-38 is left. NaN gives NaN.
#[inline(always)]
pub(crate) fn exp_negative(x: f32) -> f32 {
    let inside = if x < SMALLEST { SMALLEST } else { x };
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (inside - n * LN2.0) - n * LN2.1;
    let tail = TERMS.iter().fold(0.0, |sum, term| (sum + term) * r) * r;
    // The low bits of `shifted` are n in two's complement; moved up they are the exponent of 2^n.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < SMALLEST { 0.0 } else { (1.0 + (r + tail)) * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_within_two_units_of_the_true_value() {
        let mut worst = 0.0f64;
        for i in 0..=2_000_000 {
            let x = -87.0 * (i as f32 / 2_000_000.0);
            let exact = libm::exp(f64::from(x));
            let unit = f64::from(f32::from_bits((exact as f32).to_bits() + 1) - exact as f32);
            worst = worst.max((f64::from(exp_negative(x)) - exact).abs() / unit);
        }
        assert!(worst < 2.0, "{worst} units");
    }

    #[test]
    fn the_ends_are_right() {
        assert_eq!(exp_negative(0.0), 1.0);
        assert_eq!(exp_negative(-0.0), 1.0);
        assert_eq!(exp_negative(-88.0), 0.0);
        assert_eq!(exp_negative(f32::NEG_INFINITY), 0.0);
        assert!(exp_negative(f32::NAN).is_nan());
    }
}
