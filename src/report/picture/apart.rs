//! Labels and boxes that would overlap are moved apart, and no farther than needed.

/// The places nearest to the wanted ones, in the sense of least squares, at which item `i + 1` comes at least `gaps[i]`
/// after item `i`.
///
/// Items keep their order, whatever places they want. The method is the pooling of adjacent violators.
///
/// # Panics
/// When there is not one gap less than there are items.
pub fn apart(wanted: &[f64], gaps: &[f64]) -> Vec<f64> {
    assert_eq!(gaps.len(), wanted.len().saturating_sub(1), "a gap stands between two items");
    let mut offsets = vec![0.0; wanted.len()];
    for i in 1..wanted.len() {
        offsets[i] = offsets[i - 1] + gaps[i - 1];
    }
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (want, offset) in wanted.iter().zip(&offsets) {
        let mut pool = (want - offset, 1);
        while let Some(&(sum, items)) = pools.last() {
            if sum / items as f64 <= pool.0 / pool.1 as f64 {
                break;
            }
            pools.pop();
            pool = (sum + pool.0, items + pool.1);
        }
        pools.push(pool);
    }
    let means = pools.iter().flat_map(|&(sum, items)| std::iter::repeat_n(sum / items as f64, items));
    means.zip(&offsets).map(|(mean, offset)| mean + offset).collect()
}

/// As [`apart`] with one gap, and within the bounds as far as there is room; the upper bound gives way.
pub fn apart_within(wanted: &[f64], gap: f64, (low, high): (f64, f64)) -> Vec<f64> {
    let between = wanted.len().saturating_sub(1);
    let places = apart(wanted, &vec![gap; between]);
    let last = (high - gap * between as f64).max(low);
    let bounded = |(i, place): (usize, f64)| {
        let offset = gap * i as f64;
        (place - offset).clamp(low, last) + offset
    };
    places.into_iter().enumerate().map(bounded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_has_room_stays_and_the_rest_shares() {
        assert_eq!(apart(&[0.0, 100.0, 100.0], &[10.0, 10.0]), [0.0, 95.0, 105.0]);
        assert_eq!(apart_within(&[0.0, 0.0, 0.0], 10.0, (0.0, 50.0)), [0.0, 10.0, 20.0]);
        assert_eq!(apart_within(&[50.0, 50.0], 10.0, (0.0, 50.0)), [40.0, 50.0]);
    }

    proptest! {
        #[test]
        fn all_are_apart_and_within(wanted in prop::collection::vec(-50.0..250.0f64, 0..12)) {
            let places = apart_within(&wanted, 16.0, (0.0, 200.0));
            prop_assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 16.0 - 1e-9));
            prop_assert!(places.iter().all(|place| (-1e-9..=200.0 + 1e-9).contains(place)));
        }
    }
}
