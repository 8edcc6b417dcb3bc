//! Differences to a baseline: how large is each, and is it beyond the noise?
//!
//! A row has a dot for the estimate and two intervals. The thick one speaks of these very models, as if others had
//! been evaluated on other images; the thin one speaks of the procedure, as if it had been run anew. The numbers stand
//! beside them, so that nothing has to be read off.

use super::axis::{OVERHANG, Scale, Span, drawable, drawable_pair};
use super::digits;
use super::legend::{self, Sample};
use super::panel::{BELOW, Panel};
use super::svg::{About, Anchor, Picture, Svg, Tag, WIDTH, line, rect, tag};
use super::text;
use super::theme;

/// Pixels from row to row.
const ROW: f64 = 24.0;

/// Pixels of the name of a row.
const NAME: f64 = 190.0;

/// An interval is cut off, with an arrow, where it is this many times as far from zero as the farthest dot.
const FARTHEST: f64 = 4.0;

/// Paired differences to one baseline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forest {
    /// What the horizontal axis is, with its unit, the baseline, and the level of the intervals.
    pub x: String,
    /// One row for each arm.
    pub rows: Vec<Row>,
}

/// The difference of one arm, in points.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The arm.
    pub name: String,
    /// Whether it saw true masks: its dot is hollow.
    pub oracle: bool,
    /// The mean difference.
    pub estimate: Option<f64>,
    /// The interval of these models.
    pub models: Option<(f64, f64)>,
    /// The interval of the procedure.
    pub procedure: Option<(f64, f64)>,
    /// The difference that was claimed.
    pub claimed: Option<f64>,
}

impl Forest {
    /// The picture.
    pub fn picture(&self, about: About) -> Picture {
        if self.rows.is_empty() {
            return legend::nothing(about);
        }
        let rows: Vec<Row> = self.rows.iter().map(Row::drawable).collect();
        let columns = columns(&rows);
        let names = text::widest(rows.iter().map(|row| row.name.as_str())).clamp(60.0, NAME);
        let numbers: f64 = columns.iter().map(|column| column.width + 16.0).sum();
        let left = 8.0 + names + 20.0;
        let mut svg = Svg::new(WIDTH);
        let top = legend::samples(&mut svg, &samples(&rows), (4.0, WIDTH - 4.0), 2.0) + 26.0;
        let size = (WIDTH - left - 12.0 - numbers, ROW * rows.len() as f64);
        let limit = limit(&rows);
        let panel = Panel::new((left, top), size, span(&rows, limit), Span::UNIT);
        for i in (0..rows.len()).step_by(2) {
            svg.put(&rect("stpp-zone", (0.0, top + ROW * i as f64), (WIDTH, ROW)));
        }
        let ticks = panel.x.ticks_across(7, OVERHANG);
        for tick in &ticks {
            svg.put(&line("stpp-grid", (tick.at, top), (tick.at, panel.bottom)));
        }
        svg.put(&line("stpp-zero", (panel.x.at(0.0), top - 4.0), (panel.x.at(0.0), panel.bottom)));
        panel.base(&mut svg, &ticks, true);
        for (i, row) in rows.iter().enumerate() {
            let y = top + ROW * (i as f64 + 0.5);
            svg.name("", (8.0, y + text::TO_BASELINE), Anchor::Start, &row.name, names);
            row.draw(&mut svg, &panel.x, y, limit);
        }
        let mut right = WIDTH - 8.0;
        for column in columns.iter().rev() {
            svg.text(theme::SOFT, (right, top - 8.0), Anchor::End, column.name);
            for (i, cell) in column.cells.iter().enumerate() {
                let y = top + ROW * (i as f64 + 0.5) + text::TO_BASELINE;
                svg.text("", (right, y), Anchor::End, cell);
            }
            right -= column.width + 16.0;
        }
        let below = [self.x.clone()];
        let bottom = legend::notes(&mut svg, &below, (left, panel.bottom + BELOW), WIDTH - left - 8.0);
        svg.finish(bottom + 6.0, about)
    }
}

impl Row {
    /// The row without what is no number.
    fn drawable(&self) -> Self {
        Self {
            name: self.name.clone(),
            oracle: self.oracle,
            estimate: self.estimate.filter(|value| drawable(*value)),
            models: drawable_pair(self.models),
            procedure: drawable_pair(self.procedure),
            claimed: self.claimed.filter(|value| drawable(*value)),
        }
    }

    fn draw(&self, svg: &mut Svg, x: &Scale, y: f64, limit: f64) {
        for (interval, stroke) in [(self.procedure, thin as Sampler), (self.models, thick)] {
            let Some((low, high)) = interval else { continue };
            let ends = (x.at(low.max(-limit)), x.at(high.min(limit)));
            svg.put_titled(&stroke(ends, y), &digits::interval((low, high)));
            for (cut, end, side) in [(low < -limit, ends.0, -1.0), (high > limit, ends.1, 1.0)] {
                if cut {
                    let corners = [(end + 5.0 * side, y), (end - side, y - 4.0), (end - side, y + 4.0)];
                    svg.put(&tag("polygon").class("stpp-full0").points(&corners));
                }
            }
        }
        if let Some(claimed) = self.claimed {
            svg.put_titled(&claim((x.at(claimed), y)), &format!("claimed: {}", digits::signed(claimed)));
        }
        if let Some(estimate) = self.estimate {
            let dot = if self.oracle { hollow } else { full };
            svg.put_titled(
                &dot((x.at(estimate), y)),
                &format!("{}: {}", self.name, digits::signed(estimate)),
            );
        }
    }
}

type Sampler = fn((f64, f64), f64) -> Tag;

fn thin((low, high): (f64, f64), y: f64) -> Tag {
    line("stpp-line0", (low, y), (high, y)).number("stroke-width", 1.5)
}

fn thick((low, high): (f64, f64), y: f64) -> Tag {
    line("stpp-line0", (low, y), (high, y)).number("stroke-width", 5.0).word("stroke-opacity", "0.55")
}

fn full((x, y): (f64, f64)) -> Tag {
    tag("circle").class("stpp-full0").number("cx", x).number("cy", y).number("r", 4.5)
}

fn hollow(at: (f64, f64)) -> Tag {
    tag("circle")
        .class("stpp-hollow")
        .number("stroke-width", 1.6)
        .number("cx", at.0)
        .number("cy", at.1)
        .number("r", 4.2)
}

fn claim((x, y): (f64, f64)) -> Tag {
    line("stpp-line1", (x, y - 9.0), (x, y + 9.0)).number("stroke-width", 2.0).word("stroke-dasharray", "3 2")
}

/// What the signs in use stand for.
fn samples(rows: &[Row]) -> Vec<(Vec<Sample>, &'static str)> {
    let has = |part: fn(&Row) -> bool| rows.iter().any(part);
    let all: [(bool, Vec<Sample>, &str); 5] = [
        (has(|row| row.estimate.is_some() && !row.oracle), vec![full], "difference"),
        (has(|row| row.oracle), vec![hollow], "difference of an oracle"),
        (has(|row| row.models.is_some()), vec![|(x, y)| thick((x - 11.0, x + 11.0), y)], "these models"),
        (has(|row| row.procedure.is_some()), vec![|(x, y)| thin((x - 11.0, x + 11.0), y)], "the procedure"),
        (has(|row| row.claimed.is_some()), vec![claim], "claimed"),
    ];
    all.into_iter().filter(|(used, ..)| *used).map(|(_, parts, words)| (parts, words)).collect()
}

/// Numbers beside the rows.
struct Column {
    name: &'static str,
    cells: Vec<String>,
    width: f64,
}

fn columns(rows: &[Row]) -> Vec<Column> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| digits::NONE.to_owned());
    let interval = |part: fn(&Row) -> Option<(f64, f64)>| {
        let any = rows.iter().any(|row| part(row).is_some());
        any.then(|| rows.iter().map(|row| or_none(part(row).map(digits::interval))).collect())
    };
    let estimates = rows.iter().map(|row| or_none(row.estimate.map(digits::signed))).collect();
    let columns = [
        ("difference", Some(estimates)),
        ("these models", interval(|row| row.models)),
        ("the procedure", interval(|row| row.procedure)),
    ];
    let column = |(name, cells): (&'static str, Option<Vec<String>>)| {
        let cells = cells?;
        let width = text::widest(cells.iter().map(String::as_str).chain([name]));
        Some(Column { name, cells, width })
    };
    columns.into_iter().filter_map(column).collect()
}

/// The farthest from zero that an interval is drawn, in points.
fn limit(rows: &[Row]) -> f64 {
    let dots = rows.iter().flat_map(|row| [row.estimate, row.claimed]).flatten();
    let inner = rows.iter().filter_map(|row| row.models).flat_map(|(low, high)| [low, high]);
    let farthest = dots.chain(inner).map(f64::abs).fold(0.0, f64::max);
    if farthest > 0.0 { farthest * FARTHEST } else { f64::INFINITY }
}

fn span(rows: &[Row], limit: f64) -> Span {
    let values = rows.iter().flat_map(|row| {
        let (models, procedure) = (row.models.unzip(), row.procedure.unzip());
        [row.estimate, row.claimed, models.0, models.1, procedure.0, procedure.1]
    });
    Span::of(values.flatten().map(|value| value.clamp(-limit, limit)).chain([0.0])).padded(0.05)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;
    use proptest::prelude::*;

    #[test]
    fn a_method_an_oracle_and_one_without_pairs() {
        let row = |name: &str, estimate| Row { name: name.to_owned(), estimate, ..Row::default() };
        let forest = Forest {
            x: "difference to st, in points of test mIoU; 95 % intervals".to_owned(),
            rows: vec![
                Row {
                    models: Some((-4.1, -1.9)),
                    procedure: Some((-90.0, 3.1)),
                    claimed: Some(1.3),
                    ..row("stpp", Some(-2.99))
                },
                Row { oracle: true, procedure: Some((6.43, 19.25)), ..row("fully-supervised", Some(12.84)) },
                row("late", None),
            ],
        };
        let picture = forest.picture(laws::about("forest"));
        laws::check(&picture);
        insta::assert_snapshot!(laws::without_style(&picture));
    }

    proptest! {
        #![proptest_config(laws::cases())]
        #[test]
        fn any_forest_obeys_the_laws(
            rows in prop::collection::vec(
                (laws::name(), any::<bool>(), laws::number(), laws::pair(), laws::pair()), 0..20),
            x in laws::name(),
        ) {
            let row = |(name, oracle, value, models, procedure)| {
                let (estimate, claimed) = (Some(value), Some(value).filter(|_| oracle));
                Row { name, oracle, estimate, models, procedure, claimed }
            };
            let rows = rows.into_iter().map(row).collect();
            laws::check(&Forest { x, rows }.picture(laws::about("forest")));
        }
    }
}
