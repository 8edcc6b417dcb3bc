//! A metric over optimiser steps: how did training go, and did the runs of an arm go alike?
//!
//! A line is the mean over an arm's runs at the steps that all of them have; a band reaches from the lowest run to the
//! highest. More than six lines are dealt out to panels on the same axes. A line is named at its end.

use super::apart::apart_within;
use super::arm::Arm;
use super::axis::{OVERHANG, Scale, Span, drawable};
use super::digits;
use super::legend;
use super::panel::{BELOW, Panel, beside};
use super::svg::{About, Anchor, Picture, Svg, WIDTH, line, tag};
use super::text;
use super::thin::{self, Step};

/// Lines in a panel.
const MOST: usize = 6;

/// Pixels of the name of an arm.
const NAME: f64 = 170.0;

/// Pixels of the sample before a name.
const SAMPLE: f64 = 34.0;

/// A metric over steps, for some arms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves {
    /// What the horizontal axis is: "optimiser steps".
    pub x: String,
    /// What the vertical axis is, with its unit.
    pub y: String,
    /// One line for each arm.
    pub lines: Vec<Line>,
}

/// The runs of an arm.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// The arm.
    pub arm: Arm,
    /// Step and value of each look, for each run.
    pub runs: Vec<Vec<(f64, f64)>>,
}

impl Curves {
    /// The picture.
    pub fn picture(&self, about: About) -> Picture {
        let (drawn, empty): (Vec<Drawn>, Vec<Drawn>) =
            self.lines.iter().map(Drawn::new).partition(|drawn| !drawn.steps.is_empty());
        if drawn.is_empty() {
            return legend::nothing(about);
        }
        let steps = || drawn.iter().flat_map(|drawn| &drawn.steps);
        let x = Span::of(steps().map(|step| step.x));
        let y = Span::of(steps().flat_map(|step| [step.low, step.high])).padded(0.04);
        let panels = drawn.len().div_ceil(MOST);
        let height = if panels == 1 { 280.0 } else { 170.0 };
        let y_ticks = Scale::new(y, height, 0.0).ticks_up(if panels == 1 { 7 } else { 5 });
        let names = drawn.iter().map(|drawn| text::width(&drawn.arm.name)).fold(0.0, f64::max);
        let left = beside(&y_ticks);
        let width = WIDTH - left - SAMPLE - names.min(NAME) - 16.0;
        let mut svg = Svg::new(WIDTH);
        let mut top = 24.0;
        let mut bottom = top;
        for panel in 0..panels {
            let from = |panel: usize| drawn.len() * panel / panels;
            let drawn = &drawn[from(panel)..from(panel + 1)];
            let at = Panel::new((left, top), (width, height), x, y);
            at.rows(&mut svg, &at.y.ticks_up(if panels == 1 { 7 } else { 5 }), true);
            at.base(&mut svg, &at.x.ticks_across(8, OVERHANG), panel + 1 == panels);
            draw(&mut svg, &at, drawn);
            if panel == 0 {
                at.y_name(&mut svg, 4.0, &self.y);
            }
            if panel + 1 == panels {
                at.x_name(&mut svg, &self.x);
            }
            bottom = at.bottom;
            top = bottom + 16.0;
        }
        let notes = notes(&drawn, &empty);
        let bottom = legend::notes(&mut svg, &notes, (4.0, bottom + BELOW + 16.0), WIDTH - 8.0);
        svg.finish(bottom + 6.0, about)
    }
}

/// A line as it is drawn.
struct Drawn<'a> {
    arm: &'a Arm,
    steps: Vec<Step>,
    whole: usize,
    runs: usize,
}

impl<'a> Drawn<'a> {
    fn new(line: &'a Line) -> Self {
        let runs: Vec<_> = line.runs.iter().map(|run| sorted(run)).filter(|run| !run.is_empty()).collect();
        let whole = summary(&runs);
        Self { arm: &line.arm, steps: thin::curve(&whole), whole: whole.len(), runs: runs.len() }
    }
}

/// The looks of a run that can be drawn, by step; of several at one step, the last.
fn sorted(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut looks: Vec<_> = run.iter().copied().filter(|&(x, y)| drawable(x) && drawable(y)).collect();
    looks.reverse();
    looks.sort_by(|a, b| a.0.total_cmp(&b.0));
    looks.dedup_by(|next, kept| next.0 == kept.0);
    looks
}

/// Mean, lowest and highest at each step that all runs have.
fn summary(runs: &[Vec<(f64, f64)>]) -> Vec<Step> {
    let value = |run: &[(f64, f64)], x: f64| {
        run.binary_search_by(|look| look.0.total_cmp(&x)).ok().map(|at| run[at].1)
    };
    let step = |x: f64| {
        let values: Vec<f64> = runs.iter().map(|run| value(run, x)).collect::<Option<_>>()?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Step { x, mean, low, high })
    };
    runs.first().into_iter().flatten().filter_map(|look| step(look.0)).collect()
}

fn draw(svg: &mut Svg, panel: &Panel, lines: &[Drawn]) {
    for drawn in lines.iter().filter(|drawn| drawn.runs > 1) {
        let highs = drawn.steps.iter().map(|step| panel.at(step.x, step.high));
        let lows = drawn.steps.iter().rev().map(|step| panel.at(step.x, step.low));
        let around: Vec<_> = highs.chain(lows).collect();
        let band = match around[..] {
            [high, low] => line(&drawn.arm.line(), high, low),
            _ => tag("polygon").class(&drawn.arm.full()).word("fill-opacity", "0.14").points(&around),
        };
        svg.put(&band);
    }
    for drawn in lines {
        let points: Vec<_> = drawn.steps.iter().map(|step| panel.at(step.x, step.mean)).collect();
        svg.put(&drawn.arm.dashed(tag("polyline"), 1.8).points(&points));
        let apart = points.len().div_ceil(12);
        for &at in points.iter().rev().step_by(apart) {
            svg.put(&drawn.arm.mark(at, 3.2));
        }
    }
    name_ends(svg, panel, lines);
}

/// Names right of the panel, each as near to the end of its line as the others allow.
fn name_ends(svg: &mut Svg, panel: &Panel, lines: &[Drawn]) {
    let end = |drawn: &Drawn| drawn.steps.last().map_or((0.0, 0.0), |step| panel.at(step.x, step.mean));
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|&a, &b| end(&lines[a]).1.total_cmp(&end(&lines[b]).1));
    let wanted: Vec<f64> = order.iter().map(|&i| end(&lines[i]).1).collect();
    let places = apart_within(&wanted, text::LINE, (panel.top, panel.bottom));
    for (&i, y) in order.iter().zip(places) {
        let arm = lines[i].arm;
        let x = panel.right + 10.0;
        svg.put(&line("stpp-lead", end(&lines[i]), (x, y)));
        svg.put(
            &arm.dashed(tag("line"), 1.8)
                .number("x1", x)
                .number("y1", y)
                .number("x2", x + 22.0)
                .number("y2", y),
        );
        svg.put(&arm.mark((x + 11.0, y), 3.2));
        svg.name("", (x + 27.0, y + text::TO_BASELINE), Anchor::Start, &arm.name, NAME);
    }
}

fn notes(drawn: &[Drawn], empty: &[Drawn]) -> Vec<String> {
    let mut notes = Vec::new();
    if drawn.iter().any(|drawn| drawn.runs > 1) {
        notes.push("Line: mean over runs. Band: from the lowest run to the highest.".to_owned());
    }
    if let Some(most) = drawn.iter().map(|drawn| drawn.whole).max().filter(|most| *most > thin::CURVE) {
        let most = digits::count(most);
        notes.push(format!(
            "Of up to {most} steps, {} are drawn: first, last, and means of equal bins.",
            thin::CURVE
        ));
    }
    if !empty.is_empty() {
        let names: Vec<&str> = empty.iter().map(|drawn| drawn.arm.name.as_str()).collect();
        notes.push(format!("Without values: {}.", names.join(", ")));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;
    use proptest::prelude::*;

    #[test]
    fn two_arms_of_two_runs() {
        let line = |name: &str, place, by: f64| Line {
            arm: Arm::new(name, place),
            runs: vec![
                vec![(0.0, 20.0), (100.0, 40.0 + by), (200.0, 50.0 + by)],
                vec![(0.0, 22.0), (100.0, 44.0 + by), (200.0, 52.0 + by), (300.0, 53.0)],
            ],
        };
        let curves = Curves {
            x: "optimiser steps".to_owned(),
            y: "mIoU on the validation images, in points".to_owned(),
            lines: vec![
                line("st", 0, 0.0),
                line("stpp", 1, 0.4),
                Line { arm: Arm::new("late", 2), runs: vec![] },
            ],
        };
        let picture = curves.picture(laws::about("curves"));
        laws::check(&picture);
        insta::assert_snapshot!(laws::without_style(&picture));
    }

    #[test]
    fn a_mean_is_of_all_runs() {
        let runs = [vec![(0.0, 1.0), (1.0, 3.0), (2.0, 9.0)], vec![(0.0, 3.0), (2.0, 7.0)]];
        let steps = summary(&runs);
        assert_eq!(
            steps.iter().map(|step| (step.x, step.mean)).collect::<Vec<_>>(),
            [(0.0, 2.0), (2.0, 8.0)]
        );
        assert_eq!(sorted(&[(1.0, 5.0), (0.0, f64::NAN), (1.0, 6.0)]), [(1.0, 6.0)]);
    }

    proptest! {
        #![proptest_config(laws::cases())]
        #[test]
        fn any_curves_obey_the_laws(
            lines in prop::collection::vec(
                (laws::arm(), prop::collection::vec(laws::run(), 0..4)), 0..20),
            x in laws::name(), y in laws::name(),
        ) {
            let lines = lines.into_iter().map(|(arm, runs)| Line { arm, runs }).collect();
            laws::check(&Curves { x, y, lines }.picture(laws::about("curves")));
        }
    }
}
