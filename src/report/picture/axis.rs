//! From numbers to pixels, and the round numbers that stand at an axis.

use super::digits;
use super::text;

/// A number larger than this is taken for a fault and is left out, as NaN and infinities are.
const LARGEST: f64 = 1e12;

/// Pixels that the label of a tick may stand out beyond the ends of a horizontal axis that has no neighbour.
pub const OVERHANG: f64 = 22.0;

/// Whether a number can be drawn.
pub fn drawable(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// Two numbers of which both can be drawn, the lower first.
pub fn drawable_pair(pair: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let (a, b) = pair.filter(|&(a, b)| drawable(a) && drawable(b))?;
    Some((a.min(b), a.max(b)))
}

/// The numbers from the low to the high end of an axis; the ends are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The lowest number.
    pub low: f64,
    /// The highest number.
    pub high: f64,
}

impl Span {
    /// From 0 to 1, for shares.
    pub const UNIT: Self = Self { low: 0.0, high: 1.0 };

    /// Holds every number that can be drawn; from 0 to 1 where there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let ends = values.into_iter().filter(|value| drawable(*value));
        let ends = ends.fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        let Some((low, high)) = ends else { return Self::UNIT };
        let least = low.abs().max(high.abs()).max(1.0) * 1e-6;
        if high - low >= least {
            return Self { low, high };
        }
        let half = (low.abs() * 0.05).max(0.5);
        Self { low: low - half, high: high + half }
    }

    /// Wider by a share of its length at both ends, so that no mark lies on an edge.
    #[must_use]
    pub fn padded(self, share: f64) -> Self {
        let more = (self.high - self.low) * share;
        Self { low: self.low - more, high: self.high + more }
    }
}

/// A round number at an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where it stands, in pixels.
    pub at: f64,
    /// How it is written.
    pub label: String,
}

/// Maps a span to pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    span: Span,
    from: f64,
    to: f64,
}

impl Scale {
    /// The low end of the span lies at `from`, the high one at `to`.
    pub fn new(span: Span, from: f64, to: f64) -> Self {
        Self { span, from, to }
    }

    /// The place of a number in pixels; one outside of the span lies at its nearer end.
    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.span.low) / (self.span.high - self.span.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round numbers for a vertical axis: as many as `at_most`, and fewer where their labels would touch.
    pub fn ticks_up(&self, at_most: usize) -> Vec<Tick> {
        self.ticks(at_most, |_| true, |_| text::LINE)
    }

    /// Round numbers for a horizontal axis, beyond whose ends labels may stand out by `overhang` pixels.
    pub fn ticks_across(&self, at_most: usize, overhang: f64) -> Vec<Tick> {
        let (left, right) = (self.from.min(self.to) - overhang, self.from.max(self.to) + overhang);
        let has_room = |tick: &Tick| {
            let half = text::width(&tick.label) / 2.0;
            tick.at - half >= left && tick.at + half <= right
        };
        self.ticks(at_most, has_room, |ticks| text::widest(labels(ticks)) + 10.0)
    }

    /// The narrowest steps that leave at most so many ticks, each with the room it needs.
    fn ticks(
        &self,
        at_most: usize,
        keep: impl Fn(&Tick) -> bool,
        size: impl Fn(&[Tick]) -> f64,
    ) -> Vec<Tick> {
        let length = (self.to - self.from).abs();
        for wanted in (1..=2 * at_most).rev() {
            let step = nice_step((self.span.high - self.span.low) / wanted as f64);
            let mut ticks = self.at_steps(step);
            ticks.retain(&keep);
            let gap = step / (self.span.high - self.span.low) * length;
            if ticks.len() <= at_most && (ticks.len() <= 1 || gap >= size(&ticks)) {
                return ticks;
            }
        }
        Vec::new()
    }

    fn at_steps(&self, step: f64) -> Vec<Tick> {
        let Span { low, high } = self.span;
        let first = libm::ceil(low / step - 1e-9) as i64;
        let last = libm::floor(high / step + 1e-9) as i64;
        let largest = low.abs().max(high.abs());
        let tick = |k: i64| {
            let value = k as f64 * step;
            Tick { at: self.at(value), label: digits::tick(value, step, largest) }
        };
        (first..=last).map(tick).collect()
    }
}

/// The labels of some ticks.
pub fn labels(ticks: &[Tick]) -> impl Iterator<Item = &str> {
    ticks.iter().map(|tick| tick.label.as_str())
}

/// The least of 1, 2 and 5 times a power of ten that is not below `least`.
fn nice_step(least: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(least)));
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(low: f64, high: f64, at_most: usize) -> String {
        let ticks = Scale::new(Span { low, high }, 0.0, 400.0).ticks_across(at_most, OVERHANG);
        labels(&ticks).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round() {
        insta::assert_snapshot!(shown(0.0, 1.0, 6), @"0.0 0.2 0.4 0.6 0.8 1.0");
        insta::assert_snapshot!(shown(-11.3, 20.2, 6), @"−10 0 10 20");
        insta::assert_snapshot!(shown(52.15, 69.12, 5), @"55 60 65");
        insta::assert_snapshot!(shown(0.0, 40_000.0, 5), @"0 10,000 20,000 30,000 40,000");
        insta::assert_snapshot!(shown(-2e9, 1e12, 5), @"0 5.0e11 1.0e12");
    }

    #[test]
    fn one_value_has_a_span() {
        assert_eq!(Span::of([3.0, f64::NAN]), Span { low: 2.5, high: 3.5 });
        assert_eq!(Span::of([f64::INFINITY]), Span::UNIT);
    }

    proptest! {
        #[test]
        fn ticks_lie_on_the_axis_and_labels_are_apart(
            a in any::<f64>(), b in -100.0..100.0f64, n in 1usize..9,
        ) {
            let scale = Scale::new(Span::of([a, b]).padded(0.05), 10.0, 310.0);
            let ticks = scale.ticks_across(n, OVERHANG);
            prop_assert!(ticks.len() <= n);
            for pair in ticks.windows(2) {
                let room = text::width(&pair[0].label).max(text::width(&pair[1].label));
                prop_assert!(pair[1].at - pair[0].at >= room);
            }
            prop_assert!(ticks.iter().all(|tick| (10.0..=310.0).contains(&tick.at)));
            let distinct: std::collections::BTreeSet<_> = labels(&ticks).collect();
            prop_assert_eq!(distinct.len(), ticks.len());
        }
    }
}
