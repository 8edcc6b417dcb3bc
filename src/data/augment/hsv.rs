//! Pillow's RGB to HSV and back, in 8 bits (`libImaging/Convert.c`), without a branch.
//!
//! Pillow mixes single and double precision. Single precision alone, in the forms below, gives the same bytes for
//! every input there is, which the tests try one by one.

use super::colours::cut;

/// The HSV of a colour. The H of a gray means nothing.
#[inline(always)]
pub(super) fn hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let middle = r.max(g).min(r.min(g).max(b));
    let range = f32::from(high - low);
    // A gray has no range and no hue: what it is divided by is of no matter.
    let share = f32::from(high - middle) / range.max(1.0);
    // In sixths of the circle, between the primary colour of the highest channel and that of the middle one.
    let (start, sign) = match (r == high, g == high) {
        (true, _) => {
            if g == low {
                (-1.0, 1.0)
            } else {
                (1.0, -1.0)
            }
        }
        (_, true) => {
            if r == low {
                (3.0, -1.0)
            } else {
                (1.0, 1.0)
            }
        }
        _ => {
            if g == low {
                (5.0, -1.0)
            } else {
                (3.0, 1.0)
            }
        }
    };
    let turn: f32 = (start + sign * share) / 6.0;
    let hue = if turn < 0.0 { turn + 1.0 } else { turn };
    let saturation = range / f32::from(high).max(1.0);
    [cut(hue * 255.0), cut(saturation * 255.0), high]
}

/// The colour of an HSV.
#[inline(always)]
pub(super) fn rgb([h, s, v]: [u8; 3]) -> [u8; 3] {
    let position = u32::from(h) * 6;
    // position / 255 for every position there is.
    let sector = (position * 257 + 257) >> 16;
    let fraction = position - sector * 255;
    let colourful = (u32::from(s) * u32::from(v)) as f32;
    let shade = |share: u32| cut(f32::from(v) + 0.5 - colourful * share as f32 * (1.0 / (255.0 * 255.0)));
    // Where colours fall, and where they rise, towards the next sector.
    let (p, q, t) = (shade(255), shade(fraction), shade(255 - fraction));
    match sector {
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        5 => [v, p, q],
        // The circle closes: red is at both ends.
        _ => [v, t, p],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    /// As in Pillow: quotients rounded to single precision, sums in double precision, the result cut.
    fn pillow_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        if high == low {
            return [0, 0, high];
        }
        let range = f32::from(high - low);
        let [to_red, to_green, to_blue] = [r, g, b].map(|v| f32::from(high - v) / range);
        let sector = if r == high {
            to_blue - to_green
        } else if g == high {
            (2.0 + f64::from(to_red) - f64::from(to_blue)) as f32
        } else {
            (4.0 + f64::from(to_green) - f64::from(to_red)) as f32
        };
        let hue = ((f64::from(sector) / 6.0 + 1.0) % 1.0) as f32;
        let saturation = range / f32::from(high);
        [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, high]
    }

    /// As in Pillow: fractions in single precision, products in double precision, the result rounded.
    fn pillow_rgb([h, s, v]: [u8; 3]) -> [u8; 3] {
        if s == 0 {
            return [v; 3];
        }
        let position = f64::from(h) * 6.0 / 255.0;
        let sector = position.floor();
        let fraction = (position - sector) as f32;
        let saturation = (f64::from(s) / 255.0) as f32;
        let shade = |share: f64| (f64::from(v) * (1.0 - share)).round() as u8;
        let p = shade(f64::from(saturation));
        let q = shade(f64::from(saturation * fraction));
        let t = shade(f64::from(saturation) * (1.0 - f64::from(fraction)));
        match sector as u8 % 6 {
            0 => [v, t, p],
            1 => [q, v, p],
            2 => [p, v, t],
            3 => [p, q, v],
            4 => [t, p, v],
            _ => [v, p, q],
        }
    }

    fn all() -> impl ParallelIterator<Item = [u8; 3]> {
        (0..1u32 << 24).into_par_iter().map(|i| [i as u8, (i >> 8) as u8, (i >> 16) as u8])
    }

    #[test]
    fn every_colour_has_pillows_hsv() {
        all().for_each(|colour| {
            let is_gray = colour == [colour[0]; 3];
            let meant = |[h, s, v]: [u8; 3]| ((!is_gray).then_some(h), s, v);
            assert_eq!(meant(hsv(colour)), meant(pillow_hsv(colour)), "{colour:?}");
        });
    }

    #[test]
    fn every_hsv_has_pillows_colour() {
        all().for_each(|colour| assert_eq!(rgb(colour), pillow_rgb(colour), "{colour:?}"));
    }
}
