//! Which class is taken for which: a row holds the pixels of one true class, by the class that was predicted.
//!
//! Rows sum to 100 %, so that a rare class is seen as well as a common one. Shades go by the square root of a share,
//! so that a confusion of some per cent is seen beside a diagonal of ninety.

use super::legend;
use super::svg::{About, Anchor, Picture, Svg, WIDTH, line, rect};
use super::text;
use super::theme;

/// Pixels of the name of a class.
const NAME: f64 = 130.0;

/// Pixels right of the matrix, for the scale and for the name of the last column.
const RIGHT: f64 = 104.0;

/// With more classes, cells have no numbers.
const WRITTEN: usize = 12;

/// Steps of the scale beside the matrix.
const STEPS: usize = 26;

/// Pixels by true and predicted class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Confusion {
    /// The classes.
    pub classes: Vec<String>,
    /// For each true class, how many of its pixels were predicted as each class. What is missing counts as 0.
    pub counts: Vec<Vec<f64>>,
}

impl Confusion {
    /// The picture.
    pub fn picture(&self, about: About) -> Picture {
        if self.classes.is_empty() {
            return legend::nothing(about);
        }
        let classes = self.classes.len();
        let names = text::widest(self.classes.iter().map(String::as_str)).clamp(64.0, NAME);
        let left = 8.0 + names + 10.0;
        let cell = ((WIDTH - left - RIGHT) / classes as f64).min(50.0);
        let size = cell * classes as f64;
        let width = left + size.max(150.0) + RIGHT;
        let top = 34.0 + names * std::f64::consts::FRAC_1_SQRT_2;
        let mut svg = Svg::new(width);
        svg.text(theme::SOFT, (left, 16.0), Anchor::Start, "predicted class");
        svg.text(theme::SOFT, (left - 10.0, top - 8.0), Anchor::End, "true class");
        for (i, class) in self.classes.iter().enumerate() {
            let middle = cell * (i as f64 + 0.5);
            svg.rising_name((left + middle + 2.0, top - 6.0), class, names);
            let at = (left - 10.0, top + middle + text::TO_BASELINE);
            svg.name("", at, Anchor::End, class, names);
            self.draw_row(&mut svg, i, (left, top + cell * i as f64), cell);
        }
        frame(&mut svg, (left, top), size);
        // On whole pixels, so that no seam is seen between two shades.
        scale(&mut svg, ((left + size.max(110.0) + 22.0).round(), top.round()));
        let mut notes = vec!["Per cent of the pixels of a true class.".to_owned()];
        if (0..classes).any(|row| self.shares(row).is_none()) {
            notes.push("–: a class without pixels.".to_owned());
        }
        let bottom =
            legend::notes(&mut svg, &[notes.join(" ")], (4.0, top + size.max(SCALE) + 10.0), width - 8.0);
        svg.finish(bottom + 6.0, about)
    }

    fn draw_row(&self, svg: &mut Svg, row: usize, (left, y): (f64, f64), cell: f64) {
        let classes = self.classes.len();
        let Some(shares) = self.shares(row) else {
            let at = (left + cell / 2.0, y + cell / 2.0 + text::TO_BASELINE);
            svg.text(theme::SOFT, at, Anchor::Middle, "–");
            return;
        };
        for (column, share) in shares.into_iter().enumerate() {
            let x = left + cell * column as f64;
            let percent = format!("{:.1}", share * 100.0);
            if percent != "0.0" {
                let tag = rect("stpp-heat", (x, y), (cell, cell)).word("fill-opacity", &shade(share));
                let (truth, predicted) = (&self.classes[row], &self.classes[column]);
                svg.put_titled(&tag, &format!("{truth} as {predicted}: {percent} %"));
            }
            if classes <= WRITTEN {
                let class = if share.sqrt() < theme::HOT { "stpp-on-cold" } else { "stpp-on-hot" };
                let at = (x + cell / 2.0, y + cell / 2.0 + text::TO_BASELINE);
                svg.text(class, at, Anchor::Middle, &percent);
            }
        }
    }

    /// The shares of a true class; none where it has no pixels.
    fn shares(&self, row: usize) -> Option<Vec<f64>> {
        let counts = self.counts.get(row)?;
        let count =
            |column: usize| counts.get(column).copied().filter(|count| *count > 0.0 && count.is_finite());
        let largest = (0..self.classes.len()).filter_map(count).fold(0.0, f64::max);
        // Parts of the largest, so that no sum is too large for a number.
        let parts: Vec<f64> =
            (0..self.classes.len()).map(|column| count(column).unwrap_or(0.0) / largest).collect();
        let whole: f64 = parts.iter().sum();
        (largest > 0.0).then(|| parts.iter().map(|part| part / whole).collect())
    }
}

/// Pixels of the scale.
const SCALE: f64 = 130.0;

fn frame(svg: &mut Svg, (left, top): (f64, f64), size: f64) {
    let (right, bottom) = (left + size, top + size);
    for (a, b) in [
        ((left, top), (right, top)),
        ((left, bottom), (right, bottom)),
        ((left, top), (left, bottom)),
        ((right, top), (right, bottom)),
    ] {
        svg.put(&line("stpp-axis", a, b));
    }
}

/// The opacity of a cell.
fn shade(share: f64) -> String {
    format!("{:.3}", share.sqrt())
}

/// The shades from 0 to 100 %, lowest first.
fn scale(svg: &mut Svg, (x, y): (f64, f64)) {
    let step = SCALE / STEPS as f64;
    for i in 0..STEPS {
        let share = (i as f64 + 0.5) / STEPS as f64;
        let at = (x, y + SCALE - step * (i + 1) as f64);
        svg.put(&rect("stpp-heat", at, (12.0, step)).word("fill-opacity", &shade(share * share)));
    }
    for (share, words) in [(0.0, "0 %"), (0.1, "10 %"), (0.25, "25 %"), (0.5, "50 %"), (1.0, "100 %")] {
        let at = y + SCALE * (1.0 - f64::sqrt(share));
        svg.put(&line("stpp-axis", (x + 12.0, at), (x + 16.0, at)));
        svg.text(theme::SOFT, (x + 20.0, at + text::TO_BASELINE), Anchor::Start, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;
    use proptest::prelude::*;

    #[test]
    fn three_classes_of_which_one_has_no_pixels() {
        let classes = ["background", "ball", "ring"].map(str::to_owned).to_vec();
        let counts = vec![vec![90.0, 10.0, 0.0], vec![30.0, 50.0, 20.0], vec![0.0, 0.0, 0.0]];
        let picture = Confusion { classes, counts }.picture(laws::about("confusion"));
        laws::check(&picture);
        insta::assert_snapshot!(laws::without_style(&picture));
    }

    #[test]
    fn shares_of_huge_counts_are_finite() {
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let counts = vec![vec![f64::MAX, f64::MAX], vec![f64::NAN, 1.0, 5.0]];
        let confusion = Confusion { classes, counts };
        assert_eq!(confusion.shares(0), Some(vec![0.5, 0.5]));
        assert_eq!(confusion.shares(1), Some(vec![0.0, 1.0]));
        assert_eq!(confusion.shares(2), None);
    }

    proptest! {
        #![proptest_config(laws::cases())]
        #[test]
        fn any_matrix_obeys_the_laws(
            classes in prop::collection::vec(laws::name(), 0..31),
            counts in prop::collection::vec(laws::numbers(31), 0..31),
        ) {
            laws::check(&Confusion { classes, counts }.picture(laws::about("confusion")));
        }
    }
}
