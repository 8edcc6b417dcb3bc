use crate::data::image::Rgb;

/// ImageNet's mean colour, of channels in [0, 1].
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// ImageNet's standard deviation of colour, of channels in [0, 1].
pub const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The image as a network sees it: `(3, H, W)`, `(v / 255 - mean) / std` in each channel
/// (`dataset/transform.py`, `normalize`).
///
/// # Panics
/// When `out` does not hold `3 * H * W` numbers.
pub fn normalize_into(image: &Rgb, out: &mut [f32]) {
    let area = image.width * image.height;
    assert_eq!(out.len(), 3 * area, "room for an image of {}x{}", image.width, image.height);
    for (channel, plane) in out.chunks_exact_mut(area).enumerate() {
        let table: [f32; 256] = std::array::from_fn(|v| (v as f32 / 255.0 - MEAN[channel]) / STD[channel]);
        for (number, pixel) in plane.iter_mut().zip(image.data.chunks_exact(3)) {
            *number = table[usize::from(pixel[channel])];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{self, Reference};

    #[test]
    fn numbers_are_torchvisions_to_the_bit() {
        let image = reference::image();
        let mut ours = vec![0.0; 3 * 40 * 56];
        normalize_into(&image, &mut ours);
        let bits = |numbers: &[f32]| numbers.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&ours), bits(&Reference::open("weak").floats("normalize")));
    }
}
