//! Confidence against accuracy: may a threshold on confidence be trusted?
//!
//! Above, each bin's accuracy at its mean confidence: on the diagonal, a model is as often right as it says. Below, the
//! share of pixels in each bin, because a bin far from the diagonal matters as much as it is full.

use super::arm::Arm;
use super::axis::{Scale, Span, drawable};
use super::digits;
use super::legend;
use super::panel::{BELOW, Panel, Tiles, beside};
use super::svg::{About, Anchor, Picture, Svg, WIDTH, line, rect, tag};
use super::text;
use super::theme;

/// Pixels above a panel for its name and its numbers.
const HEAD: f64 = 40.0;

/// Pixels of the bars.
const BARS: f64 = 40.0;

/// Pixels between the diagram and its bars.
const BETWEEN: f64 = 16.0;

/// Per cent of a whole.
const WHOLE: Span = Span { low: 0.0, high: 100.0 };

/// Calibration of some models.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// One panel for each model.
    pub panels: Vec<Model>,
}

/// The bins of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    /// The arm.
    pub arm: Arm,
    /// The role of the model: "teacher".
    pub role: String,
    /// Its expected calibration error, as a fraction.
    pub error: Option<f64>,
    /// Its bins.
    pub bins: Vec<Bin>,
}

/// Pixels of like confidence; all as fractions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// The lowest confidence that belongs to it.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// Mean confidence of its pixels.
    pub confidence: f64,
    /// How many of its pixels are right.
    pub accuracy: f64,
    /// Its pixels over all pixels.
    pub share: f64,
}

impl Calibration {
    /// The picture.
    pub fn picture(&self, about: About) -> Picture {
        if self.panels.is_empty() {
            return legend::nothing(about);
        }
        let columns = Tiles::columns(self.panels.len());
        let shares = self.panels.iter().flat_map(|model| model.bins.iter().map(|bin| bin.share));
        let most = shares.filter(|share| is_share(*share)).fold(0.0, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let shares = Span { low: 0.0, high: most * 100.0 };
        let left = beside(&Scale::new(shares, BARS, 0.0).ticks_up(2)).max(34.0);
        let gap = (30.0, HEAD + BELOW + 6.0);
        let width = ((WIDTH - left - 26.0 - gap.0 * (columns - 1) as f64) / columns as f64).min(300.0);
        let right = left + columns as f64 * (width + gap.0) - gap.0;
        let diagram = width.min(190.0);
        let size = (width, diagram + BETWEEN + BARS);
        let mut svg = Svg::new(right + 26.0);
        svg.name(
            theme::SOFT,
            (4.0, 16.0),
            Anchor::Start,
            "accuracy; bars: share of pixels; in per cent",
            right + 18.0,
        );
        let tiles = Tiles { panels: self.panels.len(), columns, origin: (left, 22.0 + HEAD), size, gap };
        for (i, model) in self.panels.iter().enumerate() {
            let (x, y) = tiles.corner(i);
            let above = Panel::new((x, y), (width, diagram), WHOLE, WHOLE);
            let below = Panel::new((x, y + diagram + BETWEEN), (width, BARS), WHOLE, shares);
            above.rows(&mut svg, &above.y.ticks_up(6), tiles.is_first(i));
            above.base(&mut svg, &above.x.ticks_across(6, gap.0 / 2.0 - 1.0), false);
            below.rows(&mut svg, &below.y.ticks_up(2), tiles.is_first(i));
            model.draw(&mut svg, &above, &below);
            below.base(&mut svg, &below.x.ticks_across(6, gap.0 / 2.0 - 1.0), tiles.is_lowest(i));
            model.name(&mut svg, &above);
        }
        let below = tiles.bottom() + BELOW + 12.0;
        svg.text(theme::SOFT, (right, below), Anchor::End, "confidence in per cent");
        let notes = ["ECE: expected calibration error. Dashed: as often right as confident.".to_owned()];
        let bottom = legend::notes(&mut svg, &notes, (4.0, below + 4.0), right + 18.0);
        svg.finish(bottom + 6.0, about)
    }
}

impl Model {
    fn name(&self, svg: &mut Svg, panel: &Panel) {
        let room = panel.right - panel.left;
        svg.put(&self.arm.mark((panel.left + 4.0, panel.top - 29.0), 4.0));
        svg.name("", (panel.left + 14.0, panel.top - 25.0), Anchor::Start, &self.arm.name, room - 14.0);
        let error = match self.error.filter(|error| drawable(*error)) {
            Some(error) => digits::percent(error),
            None => digits::NONE.to_owned(),
        };
        let error = format!("ECE {error}");
        let role = text::shorten(&self.role, room - text::width(&error) - text::width(", "));
        let words = if role.is_empty() { error } else { format!("{role}, {error}") };
        svg.name(theme::SOFT, (panel.left, panel.top - 9.0), Anchor::Start, &words, room);
    }

    fn draw(&self, svg: &mut Svg, above: &Panel, below: &Panel) {
        let diagonal = line("stpp-diagonal", above.at(0.0, 0.0), above.at(100.0, 100.0));
        svg.put(&diagonal.word("stroke-dasharray", "4 3"));
        let bins: Vec<&Bin> = self.bins.iter().filter(|bin| bin.is_drawable()).collect();
        let mut points = Vec::new();
        for bin in bins {
            let (from, to) =
                (below.x.at(bin.low.min(bin.high) * 100.0), below.x.at(bin.high.max(bin.low) * 100.0));
            let y = below.y.at(bin.share * 100.0);
            let words = format!("{} of pixels", digits::percent(bin.share));
            let width = (to - from - 1.0).max(0.5);
            svg.put_titled(&rect(&self.arm.full(), (from, y), (width, below.bottom - y)), &words);
            if bin.share > 0.0 {
                points.push(above.at(bin.confidence * 100.0, bin.accuracy * 100.0));
            }
        }
        if points.len() > 1 {
            svg.put(&tag("polyline").class(&self.arm.line()).number("stroke-width", 1.6).points(&points));
        }
        for &point in &points {
            svg.put(&self.arm.mark(point, 3.2));
        }
    }
}

impl Bin {
    /// Whether all that is drawn of it are shares. Accuracy and confidence of an empty bin are none.
    fn is_drawable(&self) -> bool {
        let filled = is_share(self.confidence) && is_share(self.accuracy);
        [self.low, self.high, self.share].into_iter().all(is_share) && (filled || self.share == 0.0)
    }
}

fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;
    use proptest::prelude::*;

    #[test]
    fn one_model_of_two_bins_and_an_empty_one() {
        let bin =
            |low, confidence, accuracy, share| Bin { low, high: low + 0.25, confidence, accuracy, share };
        let model = Model {
            arm: Arm::new("st", 0),
            role: "teacher".to_owned(),
            error: Some(0.081),
            bins: vec![
                bin(0.25, f64::NAN, f64::NAN, 0.0),
                bin(0.5, 0.66, 0.5, 0.2),
                bin(0.75, 0.96, 0.9, 0.8),
            ],
        };
        let picture = Calibration { panels: vec![model] }.picture(laws::about("calibration"));
        laws::check(&picture);
        insta::assert_snapshot!(laws::without_style(&picture));
    }

    fn bin() -> impl Strategy<Value = Bin> {
        let value = prop_oneof![3 => 0.0..=1.0f64, 1 => laws::number()];
        prop::array::uniform5(value).prop_map(|[low, high, confidence, accuracy, share]| Bin {
            low,
            high,
            confidence,
            accuracy,
            share,
        })
    }

    proptest! {
        #![proptest_config(laws::cases())]
        #[test]
        fn any_models_obey_the_laws(
            panels in prop::collection::vec(
                (laws::arm(), laws::name(), prop::option::of(laws::number()),
                 prop::collection::vec(bin(), 0..8)), 0..20),
        ) {
            let panels = panels.into_iter().map(|(arm, role, error, bins)| Model { arm, role, error, bins });
            laws::check(&Calibration { panels: panels.collect() }.picture(laws::about("calibration")));
        }
    }
}
