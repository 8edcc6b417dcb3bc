//! What marks stand for: rows of samples with names above a picture, notes below it, and words where nothing is.

use super::arm::Arm;
use super::svg::{About, Anchor, Picture, Svg, Tag, WIDTH};
use super::text;
use super::theme;

/// Pixels from the left end of a sample to that of its name.
const LEAD: f64 = 16.0;

/// Pixels from the end of a name to the next sample.
const GAP: f64 = 20.0;

/// Pixels that a name may be long.
const LONGEST: f64 = 200.0;

/// Pixels from row to row.
const ROW: f64 = text::LINE + 2.0;

/// A picture of nothing, which says so.
pub fn nothing(about: About) -> Picture {
    let mut svg = Svg::new(WIDTH);
    svg.text(theme::SOFT, (8.0, 24.0), Anchor::Start, "There is nothing to draw.");
    svg.finish(40.0, about)
}

/// The marks of arms with their names, in rows between `left` and `right`; the lower end of the last row is returned.
pub fn arms<'a>(
    svg: &mut Svg,
    arms: impl IntoIterator<Item = &'a Arm>,
    (left, right): (f64, f64),
    top: f64,
) -> f64 {
    let (mut x, mut y) = (left, top + ROW / 2.0);
    let mut any = false;
    for arm in arms {
        let wide = LEAD + text::width(&arm.name).min(LONGEST);
        if x > left && x + wide > right {
            (x, y) = (left, y + ROW);
        }
        svg.put(&arm.mark((x + 5.0, y), 4.0));
        svg.name("", (x + LEAD, y + text::TO_BASELINE), Anchor::Start, &arm.name, LONGEST);
        x += wide + GAP;
        any = true;
    }
    if any { y + ROW / 2.0 } else { top }
}

/// Draws part of a sample around a point.
pub type Sample = fn((f64, f64)) -> Tag;

/// Samples with words, in rows between `left` and `right`; the lower end of the last row is returned.
pub fn samples(svg: &mut Svg, samples: &[(Vec<Sample>, &str)], (left, right): (f64, f64), top: f64) -> f64 {
    let (mut x, mut y) = (left, top + ROW / 2.0);
    for (parts, words) in samples {
        let wide = 28.0 + text::width(words);
        if x > left && x + wide > right {
            (x, y) = (left, y + ROW);
        }
        for part in parts {
            svg.put(&part((x + 11.0, y)));
        }
        svg.name("", (x + 28.0, y + text::TO_BASELINE), Anchor::Start, words, right - left - 28.0);
        x += wide + GAP;
    }
    if samples.is_empty() { top } else { y + ROW / 2.0 }
}

/// Sentences below a picture, on lines of at most `room` pixels; the lower end of the last is returned.
pub fn notes(svg: &mut Svg, notes: &[String], (left, top): (f64, f64), room: f64) -> f64 {
    let mut bottom = top;
    for line in notes.iter().flat_map(|note| text::wrap(note, room)) {
        bottom += text::LINE;
        svg.name(theme::SOFT, (left, bottom - 4.0), Anchor::Start, &line, room);
    }
    bottom
}
