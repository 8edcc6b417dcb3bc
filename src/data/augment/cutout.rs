//! Cutout: a rectangle of noise, ignored in the mask (`dataset/transform.py`, `cutout`).

use super::Pair;
use super::crop::Window;
use crate::base::stream::Stream;
use crate::data::image::IGNORE;
use crate::spec::augment::Cutout;

/// A draw from the official ranges fits with probability 0.27: a thousand failures mean that none can fit.
const TRIES: usize = 1000;

/// With probability `p`, a hole of random size and place is [`cut`]; none, if no hole of the ranges fits.
pub fn random_cutout(pair: &mut Pair, params: &Cutout, stream: &mut Stream) {
    if !stream.chance(params.p) {
        return;
    }
    let size = (pair.image.width, pair.image.height);
    if let Some(hole) = draw(size, params, stream) {
        let noise: Vec<u8> = (0..hole.width * hole.height * 3).map(|_| noise(stream)).collect();
        cut(pair, hole, &noise);
    }
}

/// A hole inside an image of (width, height): draws area, aspect, column and row until it fits.
pub fn draw(size: (usize, usize), params: &Cutout, stream: &mut Stream) -> Option<Window> {
    for _ in 0..TRIES {
        let area = stream.uniform(params.area[0], params.area[1]);
        let aspect = stream.uniform(params.aspect[0], params.aspect[1]);
        let (width, height) = shape(size, area, aspect);
        let x = stream.below(size.0 as u64) as usize;
        let y = stream.below(size.1 as u64) as usize;
        if x + width <= size.0 && y + height <= size.1 {
            return Some(Window { x, y, width, height });
        }
    }
    None
}

/// (width, height) of a hole of this share of the image's area, with `aspect` = height / width.
fn shape(size: (usize, usize), area: f64, aspect: f64) -> (usize, usize) {
    let pixels = area * size.1 as f64 * size.0 as f64;
    ((pixels / aspect).sqrt() as usize, (pixels * aspect).sqrt() as usize)
}

/// A value of the noise. The official code cuts uniform numbers in [0, 255) to integers, so 255 is never drawn.
fn noise(stream: &mut Stream) -> u8 {
    ((u64::from(stream.bits()) * 255) >> 32) as u8
}

/// Fills the hole with `noise`, `(height, width, 3)`, and its mask with [`IGNORE`].
///
/// # Panics
/// When the hole is not inside the image.
pub fn cut(pair: &mut Pair, hole: Window, noise: &[u8]) {
    hole.check((pair.image.width, pair.image.height));
    let width = pair.image.width;
    for (i, y) in hole.rows().enumerate() {
        let begin = y * width + hole.x;
        pair.image.data[begin * 3..][..hole.width * 3]
            .copy_from_slice(&noise[i * hole.width * 3..][..hole.width * 3]);
        pair.mask.data[begin..][..hole.width].fill(IGNORE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{self, Reference};
    use crate::spec::augment::Augment;

    #[test]
    fn holes_have_the_official_shape() {
        let official = Reference::open("strong");
        for name in official.under("cutout/") {
            let draws: Vec<f64> = name.split(',').map(|n| n.parse().unwrap()).collect();
            let (width, height) = shape((56, 40), draws[0], draws[1]);
            assert_eq!(
                [width as i64, height as i64],
                official.integers(&format!("cutout/{name}"))[..],
                "{name}"
            );
        }
    }

    #[test]
    fn a_hole_is_noise_in_the_image_and_ignored_in_the_mask() {
        let official = Reference::open("strong");
        let mut pair = Pair { image: reference::image(), mask: reference::mask() };
        let hole = Window { x: 3, y: 7, width: 14, height: 9 };
        cut(&mut pair, hole, &official.tensor("cut/3,7,14,9/noise").1);
        assert_eq!(pair.image, official.image("cut/3,7,14,9"));
        let whole = reference::mask();
        for (i, (&cut, &before)) in pair.mask.data.iter().zip(&whole.data).enumerate() {
            let inside = hole.columns().contains(&(i % 56)) && hole.rows().contains(&(i / 56));
            assert_eq!(cut, if inside { IGNORE } else { before }, "pixel {i}");
        }
    }

    #[test]
    fn holes_fit_and_fill_the_official_range() {
        let params = Augment::default().strong.cutout;
        let mut stream = Stream::at(0, "test", "", 0, "");
        let shares: Vec<f64> = (0..2000)
            .map(|_| {
                let hole = draw((321, 321), &params, &mut stream).unwrap();
                hole.check((321, 321));
                (hole.width * hole.height) as f64 / (321.0 * 321.0)
            })
            .collect();
        let (low, high) = shares.iter().fold((1.0f64, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
        assert!(low > 0.018 && low < 0.03 && high > 0.3 && high <= 0.4, "{low} to {high}");
    }

    #[test]
    fn a_hole_that_cannot_fit_is_not_cut() {
        let params = Cutout { p: 1.0, area: [0.9, 1.0], aspect: [8.0, 9.0] };
        let mut pair = Pair { image: reference::image(), mask: reference::mask() };
        random_cutout(&mut pair, &params, &mut Stream::at(0, "cutout", "", 0, ""));
        assert_eq!(pair, Pair { image: reference::image(), mask: reference::mask() });
    }

    #[test]
    fn noise_covers_0_to_254_evenly() {
        let mut stream = Stream::at(0, "test", "", 0, "");
        let mut counts = [0u32; 256];
        (0..255_000).for_each(|_| counts[usize::from(noise(&mut stream))] += 1);
        assert_eq!(counts[255], 0);
        assert!(counts[..255].iter().all(|n| (800..1200).contains(n)), "{counts:?}");
    }
}
