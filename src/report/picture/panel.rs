//! A rectangle with two axes, and several of them side by side on a common grid.

use super::axis::{self, Scale, Span, Tick};
use super::svg::{Anchor, Svg, line};
use super::text;
use super::theme;

/// Pixels below a panel for the labels of its horizontal axis.
pub const BELOW: f64 = 22.0;

/// A rectangle in which numbers have places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel {
    /// Its left edge, in pixels.
    pub left: f64,
    /// Its right edge.
    pub right: f64,
    /// Its upper edge.
    pub top: f64,
    /// Its lower edge.
    pub bottom: f64,
    /// The horizontal scale.
    pub x: Scale,
    /// The vertical scale, which rises upwards.
    pub y: Scale,
}

impl Panel {
    /// A panel by its upper left corner and its size in pixels, and what it spans.
    pub fn new((left, top): (f64, f64), (width, height): (f64, f64), x: Span, y: Span) -> Self {
        let (right, bottom) = (left + width, top + height);
        Self { left, right, top, bottom, x: Scale::new(x, left, right), y: Scale::new(y, bottom, top) }
    }

    /// The place of a point.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    /// Horizontal lines at ticks, and labels left of them where they are wanted.
    pub fn rows(&self, svg: &mut Svg, ticks: &[Tick], labelled: bool) {
        for tick in ticks {
            svg.put(&line("stpp-grid", (self.left, tick.at), (self.right, tick.at)));
            if labelled {
                let at = (self.left - 7.0, tick.at + text::TO_BASELINE);
                svg.text(theme::SOFT, at, Anchor::End, &tick.label);
            }
        }
    }

    /// The horizontal axis at the lower edge with its ticks, and labels below where they are wanted.
    pub fn base(&self, svg: &mut Svg, ticks: &[Tick], labelled: bool) {
        svg.put(&line("stpp-axis", (self.left, self.bottom), (self.right, self.bottom)));
        for tick in ticks {
            svg.put(&line("stpp-axis", (tick.at, self.bottom), (tick.at, self.bottom + 4.0)));
            if labelled {
                svg.text(theme::SOFT, (tick.at, self.bottom + 17.5), Anchor::Middle, &tick.label);
            }
        }
    }

    /// The name of the vertical axis, above its upper end.
    pub fn y_name(&self, svg: &mut Svg, left: f64, name: &str) {
        svg.name(theme::SOFT, (left, self.top - 9.0), Anchor::Start, name, self.right - left);
    }

    /// The name of the horizontal axis, below the labels of its ticks, at its right end.
    pub fn x_name(&self, svg: &mut Svg, name: &str) {
        let at = (self.right, self.bottom + BELOW + 12.0);
        svg.name(theme::SOFT, at, Anchor::End, name, self.right);
    }
}

/// Pixels left of a panel for the labels of ticks.
pub fn beside(ticks: &[Tick]) -> f64 {
    (text::widest(axis::labels(ticks)) + 9.0).max(axis::OVERHANG + 2.0)
}

/// Panels of one size, row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tiles {
    /// How many panels there are.
    pub panels: usize,
    /// How many stand side by side.
    pub columns: usize,
    /// The upper left corner of the first, in pixels.
    pub origin: (f64, f64),
    /// The size of each.
    pub size: (f64, f64),
    /// Pixels between two panels, across and down.
    pub gap: (f64, f64),
}

impl Tiles {
    /// As many columns as make rows of nearly one length; at most four.
    pub fn columns(panels: usize) -> usize {
        match panels {
            0..=4 => panels.max(1),
            5 | 6 | 9 => 3,
            _ => 4,
        }
    }

    /// The upper left corner of a panel.
    pub fn corner(&self, panel: usize) -> (f64, f64) {
        let (row, column) = (panel / self.columns, panel % self.columns);
        let x = self.origin.0 + column as f64 * (self.size.0 + self.gap.0);
        (x, self.origin.1 + row as f64 * (self.size.1 + self.gap.1))
    }

    /// Whether a panel is the first of its row.
    pub fn is_first(&self, panel: usize) -> bool {
        panel.is_multiple_of(self.columns)
    }

    /// Whether no panel stands below.
    pub fn is_lowest(&self, panel: usize) -> bool {
        panel + self.columns >= self.panels
    }

    /// The lower edge of the last row.
    ///
    /// # Panics
    /// When there is no panel.
    pub fn bottom(&self) -> f64 {
        self.corner(self.panels.checked_sub(1).expect("there is a panel")).1 + self.size.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_panels_are_nearly_full() {
        let rows = |n| (n as f64 / Tiles::columns(n) as f64).ceil() as usize;
        assert_eq!((1..=12).map(Tiles::columns).collect::<Vec<_>>(), [1, 2, 3, 4, 3, 3, 4, 4, 3, 4, 4, 4]);
        assert_eq!(rows(20), 5);
    }

    #[test]
    fn a_panel_with_none_below_is_lowest() {
        let tiles =
            Tiles { panels: 5, columns: 3, origin: (10.0, 0.0), size: (100.0, 80.0), gap: (10.0, 20.0) };
        assert_eq!((0..5).filter(|&i| tiles.is_lowest(i)).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(tiles.corner(4), (120.0, 100.0));
        assert_eq!(tiles.bottom(), 180.0);
    }
}
