//! How many pixels are kept, and how good they are: what did a selection buy at its price?
//!
//! A mark is what one re-training of an arm is given. Arms that keep as many pixels stand above each other, and only
//! those can be compared.

use super::apart::apart_within;
use super::arm::Arm;
use super::axis::{OVERHANG, Scale, Span, drawable};
use super::digits;
use super::legend;
use super::panel::{BELOW, Panel, beside};
use super::place::Taken;
use super::svg::{About, Anchor, Picture, Svg, WIDTH, line};
use super::text;

/// Pixels of a label.
const LABEL: f64 = 190.0;

/// Pixels from a mark to its words.
const LEAD: f64 = 20.0;

/// Pseudo labels of some arms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Budget {
    /// One mark for each re-training of each arm.
    pub marks: Vec<Labels>,
}

/// What a re-training is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labels {
    /// The arm.
    pub arm: Arm,
    /// The role of the model that is trained: `student_1`.
    pub role: String,
    /// Kept pixels over all unlabeled pixels, as a fraction.
    pub kept: f64,
    /// Right pixels over kept pixels, as a fraction.
    pub accuracy: Option<f64>,
    /// mIoU of the kept pixels, in points.
    pub miou: Option<f64>,
}

/// A mark of one panel.
struct Mark<'a> {
    arm: &'a Arm,
    words: String,
    x: f64,
    y: f64,
}

impl Mark<'_> {
    /// Pixels from the mark to the end of its words.
    fn width(&self) -> f64 {
        text::width(&self.words).min(LABEL) + LEAD
    }
}

impl Budget {
    /// The picture.
    pub fn picture(&self, about: About) -> Picture {
        let accuracies = self.marks(|labels| labels.accuracy.map(|fraction| fraction * 100.0));
        let panels = [
            ("pixel accuracy of the kept labels, in per cent", accuracies),
            ("mIoU of the kept labels, in points", self.marks(|labels| labels.miou)),
        ];
        let drawn: Vec<_> = panels.into_iter().filter(|(_, marks)| !marks.is_empty()).collect();
        if drawn.is_empty() {
            return legend::nothing(about);
        }
        let mut svg = Svg::new(WIDTH);
        let mut top = 26.0;
        for (i, (name, marks)) in drawn.iter().enumerate() {
            let lowest = i + 1 == drawn.len();
            let (panel, places) = fitted(marks, top);
            panel.rows(&mut svg, &panel.y.ticks_up(6), true);
            panel.base(&mut svg, &panel.x.ticks_across(6, OVERHANG), lowest);
            panel.y_name(&mut svg, 4.0, name);
            draw(&mut svg, &panel, marks, &places);
            top = panel.bottom + 44.0;
            if lowest {
                panel.x_name(&mut svg, "kept share of the unlabeled pixels, in per cent");
            }
        }
        svg.finish(top - 44.0 + BELOW + 22.0, about)
    }

    /// What can be drawn, by its place: the highest first.
    fn marks(&self, value: impl Fn(&Labels) -> Option<f64>) -> Vec<Mark<'_>> {
        let mark = |labels: &'_ Labels| {
            let y = value(labels).filter(|y| drawable(*y))?;
            (0.0..=1.0).contains(&labels.kept).then_some((labels.kept * 100.0, y))
        };
        let marks = self.marks.iter().filter_map(|labels| Some((labels, mark(labels)?)));
        let mut marks: Vec<Mark> =
            marks.map(|(labels, (x, y))| Mark { arm: &labels.arm, words: words(labels), x, y }).collect();
        marks.sort_by(|a, b| b.y.total_cmp(&a.y));
        marks
    }
}

fn words(labels: &Labels) -> String {
    match labels.role.as_str() {
        "" => labels.arm.name.clone(),
        role => format!("{} · {role}", labels.arm.name),
    }
}

/// A panel that is high enough for all labels, and their places.
fn fitted(marks: &[Mark], top: f64) -> (Panel, Vec<f64>) {
    let mut height: f64 = 190.0;
    loop {
        let y = Span::of(marks.iter().map(|mark| mark.y)).padded(0.06);
        let left = beside(&Scale::new(y, height, 0.0).ticks_up(6));
        let x = Span { low: 0.0, high: 100.0 };
        let panel = Panel::new((left, top), (WIDTH - left - LABEL - LEAD - 12.0, height), x, y);
        if let Some(places) = places(&panel, marks) {
            return (panel, places);
        }
        height *= 1.2;
    }
}

/// Labels keep the order of their marks, so that leaders do not cross; one that still meets something goes on.
fn places(panel: &Panel, marks: &[Mark]) -> Option<Vec<f64>> {
    let mut taken = Taken::within(panel.top, panel.bottom);
    for mark in marks {
        let (x, y) = panel.at(mark.x, mark.y);
        taken.take((x - 6.0, y - 6.0), (12.0, 12.0));
    }
    let mut places = vec![None; marks.len()];
    for column in columns(panel, marks) {
        let ys: Vec<f64> = column.iter().map(|&i| panel.y.at(marks[i].y)).collect();
        let wanted = apart_within(&ys, text::LINE, (panel.top, panel.bottom - text::LINE / 2.0));
        for (&i, wanted) in column.iter().zip(wanted) {
            let start = panel.x.at(marks[i].x) + 7.0;
            places[i] = Some(taken.place((start, wanted), (marks[i].width() - 7.0, text::LINE - 1.0))?);
        }
    }
    places.into_iter().collect()
}

/// Marks whose labels could meet, by their place in the list.
fn columns(panel: &Panel, marks: &[Mark]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..marks.len()).collect();
    order.sort_by(|&a, &b| marks[a].x.total_cmp(&marks[b].x));
    let mut columns: Vec<Vec<usize>> = Vec::new();
    let mut end = f64::NEG_INFINITY;
    for i in order {
        let start = panel.x.at(marks[i].x);
        match columns.last_mut() {
            Some(column) if start <= end => column.push(i),
            _ => columns.push(vec![i]),
        }
        end = end.max(start + marks[i].width());
    }
    for column in &mut columns {
        column.sort_unstable();
    }
    columns
}

fn draw(svg: &mut Svg, panel: &Panel, marks: &[Mark], places: &[f64]) {
    for (mark, &height) in marks.iter().zip(places) {
        let (x, y) = panel.at(mark.x, mark.y);
        let mut words = x + LEAD - 10.0;
        if (height - y).abs() > 1.0 {
            words += 10.0;
            svg.put(&line("stpp-lead", (x, y), (words - 7.0, height)));
            svg.put(&mark.arm.mark((words - 7.0, height), 2.8));
        }
        svg.name("", (words, height + text::TO_BASELINE), Anchor::Start, &mark.words, LABEL);
    }
    for mark in marks {
        let title = format!("{}: {}", mark.words, digits::points(mark.y));
        svg.put_titled(&mark.arm.mark(panel.at(mark.x, mark.y), 4.2), &title);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;
    use proptest::prelude::*;

    #[test]
    fn labels_of_equal_marks_stand_below_each_other() {
        let labels = |name: &str, place, kept, miou| Labels {
            arm: Arm::new(name, place),
            role: "student".to_owned(),
            kept,
            accuracy: None,
            miou: Some(miou),
        };
        let marks = vec![
            labels("plain", 3, 1.0, 59.05),
            labels("st", 4, 1.0, 59.05),
            labels("pixel-matched", 8, 0.5, 84.04),
            labels("late", 9, 0.5, f64::NAN),
        ];
        let picture = Budget { marks }.picture(laws::about("budget"));
        laws::check(&picture);
        insta::assert_snapshot!(laws::without_style(&picture));
    }

    proptest! {
        #![proptest_config(laws::cases())]
        #[test]
        fn any_budget_obeys_the_laws(
            marks in prop::collection::vec(
                (laws::arm(), laws::name(), prop_oneof![Just(0.5), Just(1.0), 0.0..1.0f64, laws::number()],
                 prop::option::of(laws::number()), prop::option::of(laws::number())), 0..40),
        ) {
            let labels = |(arm, role, kept, accuracy, miou)| Labels { arm, role, kept, accuracy, miou };
            let marks = marks.into_iter().map(labels).collect();
            laws::check(&Budget { marks }.picture(laws::about("budget")));
        }
    }
}
