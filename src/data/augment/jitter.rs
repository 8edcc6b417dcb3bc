//! Colour jitter (torchvision's `ColorJitter` on a Pillow image).
//!
//! Brightness, contrast and saturation blend the image with black, with its mean gray, and with its own gray;
//! a factor above 1 leads away from it. Blends are computed in single precision and cut, not rounded, to 8 bits
//! (`libImaging/Blend.c`). Hue turns the 8-bit H of Pillow's `super::hsv`.

use super::colours::{cut, recolour, total};
use super::grayscale::luma;
use super::hsv::{hsv, rgb};
use crate::base::simd::wide;
use crate::base::stream::Stream;
use crate::data::image::Rgb;
use crate::spec::augment::Jitter;

/// With probability `p`, the four parts in random order; a part whose range is 0 is left out.
pub fn random_jitter(image: &mut Rgb, params: &Jitter, stream: &mut Stream) {
    if !stream.chance(params.p) {
        return;
    }
    // All numbers are drawn, needed or not, so that one part's range changes no other part's numbers.
    let mut order = [0, 1, 2, 3];
    stream.shuffle(&mut order);
    let ranges = [params.brightness, params.contrast, params.saturation];
    let factors = ranges.map(|v| stream.uniform((1.0 - v).max(0.0), 1.0 + v) as f32);
    let turn = stream.uniform(-params.hue, params.hue);
    for part in order {
        match part {
            0 if params.brightness > 0.0 => brightness(image, factors[0]),
            1 if params.contrast > 0.0 => contrast(image, factors[1]),
            2 if params.saturation > 0.0 => saturation(image, factors[2]),
            3 if params.hue > 0.0 => hue(image, turn),
            _ => {}
        }
    }
}

/// Scales all values by `factor`.
pub fn brightness(image: &mut Rgb, factor: f32) {
    blend_with(image, 0, factor);
}

/// Scales the distance of all values from the image's mean gray by `factor`.
pub fn contrast(image: &mut Rgb, factor: f32) {
    let pixels = image.width * image.height;
    let mean = (total(image, luma) as f64 / pixels as f64 + 0.5) as u8;
    blend_with(image, mean, factor);
}

/// Scales the distance of each colour from its gray by `factor`.
pub fn saturation(image: &mut Rgb, factor: f32) {
    recolour(image, |colour| {
        let gray = luma(colour);
        colour.map(|value| blend(gray, value, factor))
    });
}

/// Turns the hue by `turn` of the colour circle, in [-0.5, 0.5].
pub fn hue(image: &mut Rgb, turn: f64) {
    // Cut to a whole 1/255 towards zero; below zero it wraps around like H itself.
    let step = (turn * 255.0) as i32 as u8;
    recolour(image, |colour| {
        let [h, s, v] = hsv(colour);
        rgb([h.wrapping_add(step), s, v])
    });
}

/// `from + factor · (to - from)`, cut to 8 bits.
#[inline(always)]
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    cut(f32::from(from) + factor * (f32::from(to) - f32::from(from)))
}

fn blend_with(image: &mut Rgb, from: u8, factor: f32) {
    wide(
        #[inline(always)]
        || image.data.iter_mut().for_each(|value| *value = blend(from, *value, factor)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{self, Reference, difference};

    fn check(part: &str, input: &Rgb, apply: impl Fn(&mut Rgb, f64)) {
        let pillow = Reference::open("strong");
        for name in pillow.under(&format!("{part}/")) {
            let mut image = input.clone();
            apply(&mut image, name.parse().unwrap());
            let theirs = pillow.image(&format!("{part}/{name}"));
            assert_eq!(difference(&image, &theirs), (0, 0.0), "{part} {name}");
        }
    }

    #[test]
    fn each_part_is_exactly_torchvisions() {
        check("brightness", &reference::image(), |image, factor| brightness(image, factor as f32));
        check("contrast", &reference::image(), |image, factor| contrast(image, factor as f32));
        check("saturation", &reference::image(), |image, factor| saturation(image, factor as f32));
        check("hue", &Reference::open("strong").image("lattice"), hue);
    }

    #[test]
    fn parts_in_a_row_are_exactly_torchvisions() {
        let mut image = reference::image();
        contrast(&mut image, 0.8);
        saturation(&mut image, 1.4);
        brightness(&mut image, 0.6);
        hue(&mut image, -0.2);
        let name = "jitter/contrast0.8,saturation1.4,brightness0.6,hue-0.2";
        assert_eq!(difference(&image, &Reference::open("strong").image(name)), (0, 0.0));
    }

    #[test]
    fn a_range_of_zero_leaves_a_part_out_and_the_others_as_they_are() {
        let official = Jitter { p: 1.0, brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.25 };
        let stream = || Stream::at(1, "jitter", "student", 1, "a#0");
        let run = |params: &Jitter| {
            let mut image = reference::image();
            random_jitter(&mut image, params, &mut stream());
            image
        };
        let nothing = Jitter { p: 1.0, brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0 };
        assert_eq!(run(&nothing), reference::image());
        assert_eq!(run(&Jitter { p: 0.0, ..official.clone() }), reference::image());
        assert_ne!(run(&official), reference::image());

        let mut s = stream();
        assert!(s.chance(1.0));
        s.shuffle(&mut [0, 1, 2, 3]);
        let mut expected = reference::image();
        s.uniform(0.5, 1.5);
        contrast(&mut expected, s.uniform(0.5, 1.5) as f32);
        assert_eq!(run(&Jitter { contrast: 0.5, ..nothing }), expected);
    }
}
