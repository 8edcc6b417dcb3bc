//! The classes: what tells them apart, and what does not.
//!
//! Neighbours in the table are alike in one respect: crate and tile have a shape in common, ball, ring and moon a round
//! outline, crate and cross their stripes; every pigment serves several classes.

use crate::base::stream::Stream;

use super::pigment::Pigment::{self, Blue, Gray, Green, Orange, Red, Violet, Yellow};
use super::shape::Shape;
use super::texture::Texture;

/// The fewest classes C: background and one more.
pub const MIN_CLASSES: usize = 2;
/// The most classes C: background and every kind of thing.
pub const MAX_CLASSES: usize = KINDS.len() + 1;

/// A class of things.
pub struct Kind {
    /// The class's name.
    pub name: &'static str,
    /// Its outline.
    pub outline: Outline,
    /// What covers it.
    pub texture: Texture,
    /// The families its colours come from.
    pub pigments: [Pigment; 2],
    /// How often it is put into a scene, relative to the others.
    pub weight: f64,
}

/// The family of shapes of a class.
#[derive(Debug, Clone, Copy)]
pub enum Outline {
    Disc,
    Box,
    Blob,
    Ring,
    Star,
    Oval,
    Bar,
    Cross,
    Wedge,
    Moon,
}

const fn kind(
    name: &'static str,
    outline: Outline,
    texture: Texture,
    pigments: [Pigment; 2],
    weight: f64,
) -> Kind {
    Kind { name, outline, texture, pigments, weight }
}

/// Class ids 1, 2, …
pub const KINDS: [Kind; 11] = [
    kind("ball", Outline::Disc, Texture::Shaded, [Red, Blue], 1.0),
    kind("crate", Outline::Box, Texture::Stripes, [Orange, Red], 1.0),
    kind("leaf", Outline::Blob, Texture::Marble, [Green, Yellow], 0.9),
    kind("ring", Outline::Ring, Texture::Plain, [Blue, Violet], 0.7),
    kind("tile", Outline::Box, Texture::Checker, [Violet, Green], 0.8),
    kind("star", Outline::Star, Texture::Plain, [Yellow, Orange], 0.7),
    kind("egg", Outline::Oval, Texture::Spots, [Gray, Red], 0.8),
    kind("bar", Outline::Bar, Texture::Shaded, [Violet, Yellow], 0.7),
    kind("cross", Outline::Cross, Texture::Stripes, [Green, Blue], 0.7),
    kind("wedge", Outline::Wedge, Texture::Marble, [Orange, Gray], 0.7),
    kind("moon", Outline::Moon, Texture::Shaded, [Gray, Green], 0.7),
];

impl Outline {
    /// A shape of the family, and its height over its width.
    pub fn draw(self, stream: &mut Stream) -> (Shape, f32) {
        let unit = stream.unit();
        match self {
            Self::Disc => (Shape::Disc, 1.0),
            Self::Box => (Shape::rectangle(0.9, 0.9), 0.6 + 0.4 * unit),
            Self::Blob => (Shape::blob(stream), 0.75 + 0.5 * unit),
            Self::Ring => (Shape::Ring(0.35 + 0.2 * unit), 0.8 + 0.2 * stream.unit()),
            Self::Star => (Shape::star(0.4 + 0.12 * unit), 1.0),
            Self::Oval => (Shape::Disc, 0.55 + 0.25 * unit),
            Self::Bar => (Shape::rectangle(1.3, 1.0), 0.2 + 0.1 * unit),
            Self::Cross => (Shape::cross(0.3 + 0.1 * unit), 1.0),
            Self::Wedge => (Shape::wedge(stream), 0.85 + 0.3 * unit),
            Self::Moon => (Shape::Moon { cut: 0.75 + 0.1 * unit, away: 0.55 + 0.15 * stream.unit() }, 1.0),
        }
    }
}

/// The names of the first `classes` classes, background first.
pub fn class_names(classes: usize) -> Vec<String> {
    std::iter::once("background")
        .chain(KINDS.iter().map(|kind| kind.name))
        .take(classes)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pigment_serves_several_classes() {
        for pigment in super::super::pigment::ALL {
            let users = KINDS.iter().filter(|kind| kind.pigments.contains(&pigment)).count();
            assert!(users >= 3, "{pigment:?} would name a class: it serves {users}");
        }
    }

    #[test]
    fn names_start_with_the_background() {
        assert_eq!(class_names(3), ["background", "ball", "crate"]);
        assert_eq!(class_names(MAX_CLASSES).len(), MAX_CLASSES);
    }
}
