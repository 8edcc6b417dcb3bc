//! How a scene is lit and photographed.

use crate::base::stream::Stream;

use super::canvas::{Canvas, Colour, mix};
use super::shape::{Vec2, direction};
use super::texture::{scramble, smooth_step};

/// Light, haze, defocus and noise of one image.
#[derive(Debug)]
pub struct Light {
    gain: Colour,
    falloff: Vec2,
    shadow: Shadow,
    haze: Colour,
    thickness: f32,
    defocus: f32,
    noise: f32,
    grain: u32,
}

/// A soft-edged half plane of less light.
#[derive(Debug)]
struct Shadow {
    normal: Vec2,
    offset: f32,
    depth: f32,
}

impl Light {
    /// Draws the conditions of an image; `hardness` 0 is a clear day, 1 a bad one.
    pub fn draw(hardness: f32, stream: &mut Stream) -> Self {
        let mut around = |reach: f32| reach * (2.0 * stream.unit() - 1.0);
        let exposure = 1.0 + around(0.1 + 0.3 * hardness);
        let gain = [0; 3].map(|_| exposure * (1.0 + around(0.05 + 0.22 * hardness)));
        let tone = 0.55 + around(0.25);
        let haze = [0; 3].map(|_| tone + around(0.1));
        let [fx, fy] = direction(stream);
        let slope = (0.15 + 0.6 * hardness) * stream.unit();
        let depth = if stream.chance(0.4) { (0.2 + 0.45 * hardness) * stream.unit() } else { 0.0 };
        Self {
            gain,
            falloff: [fx * slope, fy * slope],
            shadow: Shadow { normal: direction(stream), offset: 0.4 * (stream.unit() - 0.5), depth },
            haze,
            thickness: 0.5 * hardness * stream.unit(),
            defocus: (0.2 + 1.9 * hardness) * stream.unit(),
            noise: 0.012 + 0.075 * hardness * stream.unit(),
            grain: stream.bits(),
        }
    }

    /// Lights and photographs a painted canvas.
    pub fn apply(&self, canvas: &mut Canvas) {
        canvas.map(|x, y, colour| {
            let (x, y) = (x - 0.5, y - 0.5);
            let slope = 1.0 + self.falloff[0] * x + self.falloff[1] * y;
            let into = self.shadow.normal[0] * x + self.shadow.normal[1] * y - self.shadow.offset;
            let shade = 1.0 - self.shadow.depth * smooth_step(12.0 * into + 0.5);
            let lit: Colour = std::array::from_fn(|i| colour[i] * self.gain[i] * slope * shade);
            mix(lit, self.haze, self.thickness)
        });
        for _ in 0..2 {
            blur(canvas, self.defocus * canvas.short_side() / 128.0);
        }
        self.add_noise(canvas);
    }

    /// Sensor noise: a sum of four uniform numbers per value, near enough to a bell.
    fn add_noise(&self, canvas: &mut Canvas) {
        // Four bytes sum to 510 on average, with a standard deviation of 148.
        let scale = self.noise / 148.0;
        for (i, colour) in canvas.colours.iter_mut().enumerate() {
            for (channel, value) in colour.iter_mut().enumerate() {
                let bits = scramble(i as i32, channel as i32, self.grain);
                let sum: i32 = bits.to_le_bytes().iter().map(|&byte| i32::from(byte)).sum();
                *value += (sum - 510) as f32 * scale;
            }
        }
    }
}

/// A box filter of half width `radius` pixels (fractions count), along rows and then along columns.
fn blur(canvas: &mut Canvas, radius: f32) {
    let (width, height) = (canvas.width, canvas.height);
    let mut line = Vec::new();
    for y in 0..height {
        blur_line(&mut canvas.colours, y * width, 1, width, radius, &mut line);
    }
    for x in 0..width {
        blur_line(&mut canvas.colours, x, width, height, radius, &mut line);
    }
}

/// Blurs `count` colours from `start`, `step` apart. Edges repeat.
fn blur_line(
    colours: &mut [Colour],
    start: usize,
    step: usize,
    count: usize,
    radius: f32,
    line: &mut Vec<Colour>,
) {
    line.clear();
    line.extend((0..count).map(|i| colours[start + i * step]));
    let whole = radius as usize;
    let part = radius - whole as f32;
    let norm = 1.0 / (2.0 * radius + 1.0);
    let at = |i: isize| line[i.clamp(0, count as isize - 1) as usize];
    for i in 0..count {
        let here = i as isize;
        let reach = whole as isize;
        let (left, right) = (at(here - reach - 1), at(here + reach + 1));
        let mut sum: Colour = std::array::from_fn(|c| part * (left[c] + right[c]));
        for j in here - reach..=here + reach {
            let colour = at(j);
            sum.iter_mut().zip(colour).for_each(|(sum, value)| *sum += value);
        }
        colours[start + i * step] = sum.map(|value| value * norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_the_mean_and_spreads_a_point() {
        let mut canvas = Canvas::new(21, 17);
        canvas.colours[8 * 21 + 10] = [1.0, 0.5, 0.0];
        blur(&mut canvas, 1.5);
        let sum: f32 = canvas.colours.iter().map(|c| c[0]).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        assert!((canvas.colours[8 * 21 + 10][0] - 1.0 / 16.0).abs() < 1e-6);
        assert!((canvas.colours[8 * 21 + 12][0] - 0.5 / 16.0).abs() < 1e-6);
    }

    #[test]
    fn hard_conditions_are_harder_than_easy_ones() {
        let mean = |hardness: f32| {
            let draw = |i| Light::draw(hardness, &mut Stream::at(0, "test", "", i, "light"));
            (0..100).map(draw).map(|light| light.noise + light.thickness + light.defocus).sum::<f32>() / 100.0
        };
        assert!(mean(0.0) + 0.5 < mean(0.5) && mean(0.5) + 0.5 < mean(1.0));
    }
}
