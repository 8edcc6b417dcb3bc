//! The colours that classes share.

use crate::base::stream::Stream;

use super::canvas::{Colour, mix};

/// A family of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pigment {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Violet,
    Gray,
}

use Pigment::{Blue, Gray, Green, Orange, Red, Violet, Yellow};

/// Every family, for what belongs to no class.
pub const ALL: [Pigment; 7] = [Red, Orange, Yellow, Green, Blue, Violet, Gray];

impl Pigment {
    /// The family's middle.
    fn middle(self) -> Colour {
        match self {
            Red => [0.78, 0.20, 0.20],
            Orange => [0.85, 0.50, 0.18],
            Yellow => [0.84, 0.78, 0.26],
            Green => [0.28, 0.62, 0.28],
            Blue => [0.22, 0.38, 0.76],
            Violet => [0.56, 0.28, 0.66],
            Gray => [0.52, 0.52, 0.52],
        }
    }

    /// One colour of the family: lighter or darker, paler, and a little towards another hue.
    pub fn draw(self, stream: &mut Stream) -> Colour {
        let shade = 0.65 + 0.5 * stream.unit();
        let pale = 0.3 * stream.unit();
        let colour = mix(self.middle(), [0.6; 3], pale);
        colour.map(|value| (value * shade + 0.12 * (stream.unit() - 0.5)).clamp(0.03, 0.97))
    }
}

/// One of some families.
pub fn pick(families: &[Pigment], stream: &mut Stream) -> Pigment {
    families[stream.below(families.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_paintable() {
        let mut stream = Stream::at(0, "test", "", 0, "pigment");
        for _ in 0..500 {
            let colour = pick(&ALL, &mut stream).draw(&mut stream);
            assert!(colour.iter().all(|value| (0.03..=0.97).contains(value)), "{colour:?}");
        }
    }
}
