//! IoU of each class: where does a gain come from, and do the runs agree?
//!
//! A class is a band with a lane for each arm, so that no mark hides another: the mark is the mean over runs, its line
//! reaches from the lowest run to the highest.

use super::arm::Arm;
use super::axis::{OVERHANG, Span, drawable};
use super::digits;
use super::legend;
use super::panel::{BELOW, Panel};
use super::svg::{About, Anchor, Picture, Svg, WIDTH, line, rect};
use super::text;

/// Pixels of the name of a class.
const NAME: f64 = 170.0;

/// IoU of classes for some arms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Classes {
    /// What the horizontal axis is, with its unit.
    pub x: String,
    /// The arms.
    pub arms: Vec<Arm>,
    /// One row for each class, in the order in which they are drawn.
    pub rows: Vec<Row>,
    /// How many rows are drawn at most.
    pub most: usize,
    /// What the order of the rows is, for a reader who sees the first of them: "by pixels of the truth".
    pub order: String,
}

/// The values of one class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The class.
    pub class: String,
    /// For each arm, the IoU of each of its runs, in points.
    pub runs: Vec<Vec<f64>>,
}

impl Classes {
    /// The picture.
    pub fn picture(&self, about: About) -> Picture {
        if self.arms.is_empty() || self.rows.is_empty() || self.most == 0 {
            return legend::nothing(about);
        }
        let rows = &self.rows[..self.rows.len().min(self.most)];
        let lane = if self.arms.len() > 4 { 6.5 } else { 8.0 };
        let band = (self.arms.len() as f64 * lane + 8.0).max(22.0);
        let names = text::widest(rows.iter().map(|row| row.class.as_str())).clamp(40.0, NAME);
        let left = 8.0 + names + 16.0;
        let mut svg = Svg::new(WIDTH);
        let top = legend::arms(&mut svg, &self.arms, (4.0, WIDTH - 4.0), 4.0) + 8.0;
        let values = rows.iter().flat_map(|row| row.runs.iter().take(self.arms.len()).flatten().copied());
        let size = (WIDTH - left - 26.0, band * rows.len() as f64);
        let panel = Panel::new((left, top), size, Span::of(values).padded(0.03), Span::UNIT);
        for i in (0..rows.len()).step_by(2) {
            svg.put(&rect("stpp-zone", (0.0, top + band * i as f64), (WIDTH, band)));
        }
        let ticks = panel.x.ticks_across(9, OVERHANG);
        for tick in &ticks {
            svg.put(&line("stpp-grid", (tick.at, top), (tick.at, panel.bottom)));
        }
        panel.base(&mut svg, &ticks, true);
        for (i, row) in rows.iter().enumerate() {
            let middle = top + band * (i as f64 + 0.5);
            svg.name("", (8.0, middle + text::TO_BASELINE), Anchor::Start, &row.class, names);
            for (j, (arm, runs)) in self.arms.iter().zip(&row.runs).enumerate() {
                let y = middle + lane * (j as f64 - (self.arms.len() as f64 - 1.0) / 2.0);
                draw(&mut svg, &panel, y, arm, runs, &row.class);
            }
        }
        panel.x_name(&mut svg, &self.x);
        let notes = self.notes(rows.len());
        let bottom = legend::notes(&mut svg, &notes, (4.0, panel.bottom + BELOW + 16.0), WIDTH - 8.0);
        svg.finish(bottom + 6.0, about)
    }

    fn notes(&self, shown: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if self.rows.iter().any(|row| row.runs.iter().any(|runs| runs.len() > 1)) {
            notes.push("Mark: mean over runs. Line: from the lowest run to the highest.".to_owned());
        }
        if shown < self.rows.len() {
            notes.push(format!("The first {shown} of {} classes, {}.", self.rows.len(), self.order));
        }
        notes
    }
}

fn draw(svg: &mut Svg, panel: &Panel, y: f64, arm: &Arm, runs: &[f64], class: &str) {
    let runs: Vec<f64> = runs.iter().copied().filter(|value| drawable(*value)).collect();
    if runs.is_empty() {
        return;
    }
    let mean = runs.iter().sum::<f64>() / runs.len() as f64;
    let low = runs.iter().copied().fold(f64::INFINITY, f64::min);
    let high = runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if runs.len() > 1 {
        let ends = ((panel.x.at(low), y), (panel.x.at(high), y));
        svg.put(&line(&arm.line(), ends.0, ends.1).number("stroke-width", 1.3));
    }
    let words = format!("{class}, {}: {}", arm.name, digits::points(mean));
    svg.put_titled(&arm.mark((panel.x.at(mean), y), 3.4), &words);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;
    use proptest::prelude::*;

    #[test]
    fn two_classes_of_three() {
        let row = |class: &str, st: f64, stpp: f64| Row {
            class: class.to_owned(),
            runs: vec![vec![st, st + 2.0], vec![stpp, f64::NAN]],
        };
        let classes = Classes {
            x: "IoU on the test images, in points".to_owned(),
            arms: vec![Arm::new("st", 0), Arm::new("stpp", 1)],
            rows: vec![row("background", 83.0, 84.0), row("ball", 53.0, 49.0), row("ring", 35.0, 36.0)],
            most: 2,
            order: "by pixels of the truth".to_owned(),
        };
        let picture = classes.picture(laws::about("classes"));
        laws::check(&picture);
        insta::assert_snapshot!(laws::without_style(&picture));
    }

    proptest! {
        #![proptest_config(laws::cases())]
        #[test]
        fn any_classes_obey_the_laws(
            arms in prop::collection::vec(laws::arm(), 0..20),
            rows in prop::collection::vec(
                (laws::name(), prop::collection::vec(laws::numbers(4), 0..20)), 0..12),
            most in 0usize..15,
            x in laws::name(),
        ) {
            let rows = rows.into_iter().map(|(class, runs)| Row { class, runs }).collect();
            let classes = Classes { order: x.clone(), x, arms, rows, most };
            laws::check(&classes.picture(laws::about("classes")));
        }
    }
}
