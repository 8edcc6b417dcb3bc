//! What covers a shape, in the shape's own coordinates.

use crate::base::stream::Stream;

use super::canvas::{Colour, mix, scale};
use super::shape::{Vec2, direction};

/// A way to cover a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texture {
    /// One colour.
    Plain,
    /// Bright towards the light and dark away from it, as a ball is.
    Shaded,
    /// Bands of two colours.
    Stripes,
    /// Fields of two colours.
    Checker,
    /// Dots of one colour on another.
    Spots,
    /// Veins of two colours.
    Marble,
}

/// A texture with its colours, scale and direction drawn.
#[derive(Debug, Clone)]
pub struct Surface {
    texture: Texture,
    colours: [Colour; 2],
    axis: Vec2,
    frequency: f32,
    phase: Vec2,
    salt: u32,
}

impl Surface {
    /// Draws scale, phase and direction.
    pub fn draw(texture: Texture, colours: [Colour; 2], stream: &mut Stream) -> Self {
        let frequency = match texture {
            Texture::Marble => 1.6 + 1.2 * stream.unit(),
            _ => 1.1 + 0.9 * stream.unit(),
        };
        // Stripes and fields mostly run along the shape, now and then slantwise.
        let slant = direction(stream);
        let axis = if stream.chance(0.3) { slant } else { [1.0, 0.0] };
        let axis = if texture == Texture::Shaded { slant } else { axis };
        let phase = [stream.unit(), stream.unit()];
        Self { texture, colours, axis, frequency, phase, salt: stream.bits() }
    }

    /// The colour at a point of the shape.
    #[inline]
    pub fn at(&self, [x, y]: Vec2) -> Colour {
        let [dark, light] = self.colours;
        let [c, s] = self.axis;
        let u = (x * c + y * s) * self.frequency + self.phase[0];
        let v = (y * c - x * s) * self.frequency + self.phase[1];
        let choose = |second: bool| if second { light } else { dark };
        match self.texture {
            Texture::Plain => dark,
            Texture::Shaded => {
                let (dx, dy) = (x - 0.4 * c, y - 0.4 * s);
                scale(dark, (1.35 - 0.6 * (dx * dx + dy * dy)).max(0.4))
            }
            Texture::Stripes => choose(fraction(u) < 0.5),
            Texture::Checker => choose((fraction(u) < 0.5) != (fraction(v) < 0.5)),
            Texture::Spots => {
                let (dx, dy) = (fraction(1.3 * u) - 0.5, fraction(1.3 * v) - 0.5);
                choose(dx * dx + dy * dy < 0.1)
            }
            Texture::Marble => mix(dark, light, smooth_step(1.8 * value_noise(u, v, self.salt) - 0.4)),
        }
    }
}

fn fraction(x: f32) -> f32 {
    x - x.floor()
}

/// 0 below 0, 1 above 1, smooth between.
pub fn smooth_step(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Well mixed bits for a lattice point (the finaliser of murmur3).
#[inline]
pub fn scramble(x: i32, y: i32, salt: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77) ^ salt;
    h = (h ^ (h >> 16)).wrapping_mul(0x85EB_CA6B);
    h = (h ^ (h >> 13)).wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

/// Smooth noise in [0, 1): random values on the unit lattice, blended between.
pub fn value_noise(x: f32, y: f32, salt: u32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let corner = |dx: i32, dy: i32| {
        (scramble(left as i32 + dx, top as i32 + dy, salt) >> 8) as f32 * (1.0 / (1 << 24) as f32)
    };
    let (tx, ty) = (smooth_step(x - left), smooth_step(y - top));
    let upper = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * tx;
    let lower = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * tx;
    upper + (lower - upper) * ty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_smooth_and_in_range() {
        let mut last = value_noise(-3.0, 0.3, 7);
        for i in 1..4000 {
            let next = value_noise(-3.0 + i as f32 * 0.002, 0.3, 7);
            assert!((0.0..1.0).contains(&next) && (next - last).abs() < 0.02, "step {i}: {last} to {next}");
            last = next;
        }
    }

    #[test]
    fn two_tone_textures_use_both_tones() {
        let mut stream = Stream::at(0, "test", "", 0, "texture");
        for texture in [Texture::Stripes, Texture::Checker, Texture::Spots] {
            for _ in 0..50 {
                let surface = Surface::draw(texture, [[0.0; 3], [1.0; 3]], &mut stream);
                let points = (0..400).map(|i| [(i % 20) as f32 / 10.0 - 1.0, (i / 20) as f32 / 10.0 - 1.0]);
                let light = points.filter(|p| surface.at(*p) == [1.0; 3]).count();
                assert!((40..=300).contains(&light), "{texture:?}: {light} of 400 points are light");
            }
        }
    }
}
