//! Fewer points where there are too many to be seen, by rules that depend on the points alone.

/// Points that a curve may have.
pub const CURVE: usize = 200;

/// Points that a cloud may have.
pub const CLOUD: usize = 600;

/// What a curve shows at one step: mean, lowest and highest over runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Where it stands on the horizontal axis.
    pub x: f64,
    /// The mean.
    pub mean: f64,
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
}

/// At most [`CURVE`] steps of a curve that is sorted by `x`: the first, the last, and between them the means of bins of
/// equal width.
pub fn curve(steps: &[Step]) -> Vec<Step> {
    let [first, inner @ .., last] = steps else { return steps.to_vec() };
    if steps.len() <= CURVE {
        return steps.to_vec();
    }
    let bins = CURVE - 2;
    let bin = |step: &Step| {
        let share = (step.x - first.x) / (last.x - first.x);
        ((share * bins as f64) as usize).min(bins - 1)
    };
    let means = inner.chunk_by(|a, b| bin(a) == bin(b)).map(mean);
    std::iter::once(*first).chain(means).chain([*last]).collect()
}

/// Every `k`-th item, where `k` is the least that leaves at most [`CLOUD`].
pub fn cloud<T>(items: &[T]) -> impl Iterator<Item = &T> {
    items.iter().step_by(items.len().div_ceil(CLOUD).max(1))
}

fn mean(steps: &[Step]) -> Step {
    let of = |part: fn(&Step) -> f64| steps.iter().map(part).sum::<f64>() / steps.len() as f64;
    Step { x: of(|s| s.x), mean: of(|s| s.mean), low: of(|s| s.low), high: of(|s| s.high) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: usize) -> Vec<Step> {
        (0..n).map(|i| i as f64).map(|x| Step { x, mean: 2.0 * x, low: x, high: 3.0 * x }).collect()
    }

    #[test]
    fn a_long_curve_keeps_its_ends_and_its_course() {
        assert_eq!(curve(&line(200)), line(200));
        let thin = curve(&line(10_000));
        assert_eq!(thin.len(), 200);
        assert_eq!((thin[0].x, thin[199].x), (0.0, 9_999.0));
        assert!(thin.iter().all(|step| (step.mean - 2.0 * step.x).abs() < 1e-6));
        assert!(thin.windows(2).all(|pair| pair[0].x < pair[1].x));
    }

    #[test]
    fn a_large_cloud_keeps_every_kth() {
        let items: Vec<usize> = (0..1_449).collect();
        assert_eq!(cloud(&items).copied().take(3).collect::<Vec<_>>(), [0, 3, 6]);
        assert_eq!(cloud(&items[..600]).count(), 600);
        assert_eq!(cloud(&items[..0]).count(), 0);
    }
}
