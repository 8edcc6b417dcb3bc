use crate::data::image::Rgb;
use crate::spec::normalisation::Normalisation;

/// The image as a network sees it: `(3, H, W)`, each channel normalised.
///
/// # Panics
/// When `out` does not hold `3 * H * W` numbers.
pub fn normalize_into(image: &Rgb, normalisation: &Normalisation, out: &mut [f32]) {
    let Normalisation { unit, mean, std } = *normalisation;
    let area = image.width * image.height;
    assert_eq!(out.len(), 3 * area, "room for an image of {}x{}", image.width, image.height);
    for (channel, plane) in out.chunks_exact_mut(area).enumerate() {
        let table: [f32; 256] = std::array::from_fn(|v| (v as f32 / unit - mean[channel]) / std[channel]);
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
        normalize_into(&image, &Normalisation::IMAGENET, &mut ours);
        let bits = |numbers: &[f32]| numbers.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&ours), bits(&Reference::open("weak").floats("normalize")));
    }

    #[test]
    fn lite_numbers_are_exact() {
        let image = Rgb::new(2, 1, vec![0, 127, 255, 1, 63, 191]);
        let mut ours = vec![0.0; 6];
        normalize_into(&image, &Normalisation::LITE, &mut ours);
        assert_eq!(ours, [-127.0, -126.0, 0.0, -64.0, 128.0, 64.0].map(|v| v / 128.0));
    }
}
