//! How an arm looks: it has the same colour, mark and dash in every picture of a report.
//!
//! Colours, marks and dashes go round with different periods, so that 40 arms differ. Nothing is told by colour alone.

use super::svg::{Tag, tag};
use super::theme::COLOURS;

/// A setting that is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Its place among the arms of the study, from 0, which decides how it looks.
    pub place: usize,
}

const DASHES: [&str; 5] = ["", "7 3", "2 2.5", "9 3 2 3", "5 2 1.5 2 1.5 2"];

/// Corners of the marks within a circle of radius 1: square, diamond, triangles; a mark without corners is a circle.
const MARKS: [&[(f64, f64)]; 5] = [
    &[],
    &[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
    &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
    &[(0.0, -1.2), (1.15, 0.85), (-1.15, 0.85)],
    &[(0.0, 1.2), (-1.15, -0.85), (1.15, -0.85)],
];

impl Arm {
    /// An arm by its name and its place among the arms of the study.
    pub fn new(name: impl Into<String>, place: usize) -> Self {
        Self { name: name.into(), place }
    }

    fn colour(&self) -> usize {
        self.place % COLOURS
    }

    /// The class of what is filled in its colour.
    pub fn full(&self) -> String {
        format!("stpp-full{}", self.colour())
    }

    /// The class of a line in its colour.
    pub fn line(&self) -> String {
        format!("stpp-line{}", self.colour())
    }

    /// The line with its dash and a width in pixels.
    #[must_use]
    pub fn dashed(&self, tag: Tag, width: f64) -> Tag {
        let tag = tag.class(&self.line()).number("stroke-width", width).word("stroke-linejoin", "round");
        match DASHES[self.place % DASHES.len()] {
            "" => tag,
            dash => tag.word("stroke-dasharray", dash),
        }
    }

    /// Its mark, with a radius in pixels.
    pub fn mark(&self, (x, y): (f64, f64), radius: f64) -> Tag {
        let corners = MARKS[self.place % MARKS.len()];
        if corners.is_empty() {
            return tag("circle").class(&self.full()).number("cx", x).number("cy", y).number("r", radius);
        }
        let corners: Vec<(f64, f64)> =
            corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
        tag("polygon").class(&self.full()).points(&corners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_arms_look_different() {
        let look = |place| {
            let arm = Arm::new("a", place);
            (arm.colour(), place % MARKS.len())
        };
        let looks: std::collections::BTreeSet<_> = (0..40).map(look).collect();
        assert_eq!(looks.len(), 40);
    }
}
