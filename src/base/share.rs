//! Shares of a count, as the user wrote them.
//!
//! `0.29` is a little less than 0.29 in binary, and `floor(0.29 * 100)` is 28. A share is therefore taken as the
//! shortest decimal number that reads back as the same float (what stands in the spec), and multiplied in integers.

/// The largest integer that is at most `share · count`.
///
/// # Panics
/// When `share` is not in [0, 1].
pub fn floor(share: f64, count: u64) -> u64 {
    let (numerator, denominator) = decimal(share);
    narrow(numerator * u128::from(count) / denominator)
}

/// The smallest integer that is at least `share · count`.
///
/// # Panics
/// When `share` is not in [0, 1].
pub fn ceil(share: f64, count: u64) -> u64 {
    let (numerator, denominator) = decimal(share);
    narrow((numerator * u128::from(count)).div_ceil(denominator))
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).expect("a share of a count is at most the count")
}

/// Digits kept after the point: 18 digits times a 64-bit count fit in 128 bits.
const DIGITS: usize = 18;

/// The share as a fraction; below 10^-18 it is cut, upwards, so that a positive share stays positive.
fn decimal(share: f64) -> (u128, u128) {
    assert!((0.0..=1.0).contains(&share), "a share of {share}");
    let text = share.to_string();
    let (whole, digits) = text.split_once('.').unwrap_or((&text, ""));
    let (kept, cut) = digits.split_at(digits.len().min(DIGITS));
    let scale = 10u128.pow(kept.len() as u32);
    let number = |digits: &str| digits.bytes().fold(0u128, |n, digit| n * 10 + u128::from(digit - b'0'));
    (number(whole) * scale + number(kept) + u128::from(!cut.is_empty()), scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_what_was_written() {
        assert_eq!(floor(0.29, 100), 29);
        assert_eq!(ceil(0.07, 100), 7);
        assert_eq!(floor(0.5, 7), 3);
        assert_eq!(ceil(0.5, 7), 4);
        assert_eq!((floor(0.0, 9), ceil(0.0, 9)), (0, 0));
        assert_eq!((floor(1.0, u64::MAX), ceil(1.0, u64::MAX)), (u64::MAX, u64::MAX));
        assert_eq!((floor(1e-300, 9), ceil(1e-300, 9)), (0, 1));
    }

    proptest! {
        #[test]
        fn shares_are_within_one_of_the_product(share in 0.0f64..=1.0, count in 0u64..1_000_000) {
            let product = share * count as f64;
            prop_assert!((floor(share, count) as f64 - product).abs() <= 1.0);
            prop_assert!((ceil(share, count) as f64 - product).abs() <= 1.0);
            prop_assert!(ceil(share, count) - floor(share, count) <= 1);
        }

        #[test]
        fn a_written_fraction_of_a_hundred_is_exact(percent in 0u64..=100, hundreds in 0u64..1000) {
            let share: f64 = format!("{}.{:02}", percent / 100, percent % 100).parse().unwrap();
            prop_assert_eq!(floor(share, 100 * hundreds), percent * hundreds);
            prop_assert_eq!(ceil(share, 100 * hundreds), percent * hundreds);
        }
    }
}
