//! Pixels while they are still numbers: colours in [0, 1] and a class per pixel.

use crate::data::image::{Mask, Rgb};

/// A colour: red, green, blue, nominally in [0, 1].
pub type Colour = [f32; 3];

/// What a scene is painted on.
pub struct Canvas {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row-major colours.
    pub colours: Vec<Colour>,
    /// Row-major class ids.
    pub classes: Vec<u8>,
}

impl Canvas {
    /// A black canvas of background.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, colours: vec![[0.0; 3]; width * height], classes: vec![0; width * height] }
    }

    /// The shorter side, in pixels: sizes in a scene are relative to it.
    pub fn short_side(&self) -> f32 {
        self.width.min(self.height) as f32
    }

    /// Replaces every colour by `f(x, y, colour)`, where x and y run over [0, 1] along the short side.
    pub fn map(&mut self, mut f: impl FnMut(f32, f32, Colour) -> Colour) {
        let scale = 1.0 / self.short_side();
        for (y, row) in self.colours.chunks_exact_mut(self.width).enumerate() {
            let v = (y as f32 + 0.5) * scale;
            for (x, colour) in row.iter_mut().enumerate() {
                *colour = f((x as f32 + 0.5) * scale, v, *colour);
            }
        }
    }

    /// Rounds to 8 bits.
    pub fn develop(self) -> (Rgb, Mask) {
        let bytes = self.colours.iter().flatten().map(|value| (value * 255.0 + 0.5) as u8).collect();
        (Rgb::new(self.width, self.height, bytes), Mask::new(self.width, self.height, self.classes))
    }
}

/// `a` at 0, `b` at 1.
pub fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
}

/// A colour times a number.
pub fn scale(colour: Colour, factor: f32) -> Colour {
    colour.map(|value| value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn developing_rounds_and_clips() {
        let mut canvas = Canvas::new(2, 1);
        canvas.colours = vec![[0.0, 0.5, 1.0], [-1.0, 2.0, 0.001]];
        let (image, _) = canvas.develop();
        assert_eq!(image.data, [0, 128, 255, 0, 255, 0]);
    }

    #[test]
    fn mixing_meets_both_ends() {
        let (a, b) = ([0.0, 0.25, 1.0], [1.0, 0.75, 0.0]);
        assert_eq!(mix(a, b, 0.0), a);
        assert_eq!(mix(a, b, 1.0), b);
    }
}
