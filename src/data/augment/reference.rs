//! What Pillow and torchvision compute, from `tests/fixtures/augment` (tests only).

use std::path::PathBuf;

use crate::data::decode::{decode_mask, decode_rgb};
use crate::data::image::{Mask, Rgb};

/// The bytes of a fixture.
pub(crate) fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/augment").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The picture that every operation is tried on, 56 by 40.
pub(crate) fn image() -> Rgb {
    decode_rgb(&file("image.png"), "image.png").unwrap()
}

/// Its mask, with ignored pixels.
pub(crate) fn mask() -> Mask {
    decode_mask(&file("mask.png"), "mask.png").unwrap()
}

/// The largest and the mean difference of two images, in steps of 1/255.
pub(crate) fn difference(ours: &Rgb, theirs: &Rgb) -> (u8, f64) {
    assert_eq!((ours.width, ours.height), (theirs.width, theirs.height), "sizes differ");
    let each = || ours.data.iter().zip(&theirs.data).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = each().map(u64::from).sum();
    (each().max().unwrap_or(0), sum as f64 / ours.data.len() as f64)
}

/// One file of named reference tensors.
pub(crate) struct Reference(Vec<u8>);

impl Reference {
    pub(crate) fn open(area: &str) -> Self {
        Self(file(&format!("{area}.safetensors")))
    }

    /// Shape and bytes of a tensor.
    pub(crate) fn tensor(&self, name: &str) -> (Vec<usize>, Vec<u8>) {
        let tensors = safetensors::SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        (tensor.shape().to_vec(), tensor.data().to_vec())
    }

    pub(crate) fn image(&self, name: &str) -> Rgb {
        let (shape, data) = self.tensor(name);
        Rgb::new(shape[1], shape[0], data)
    }

    pub(crate) fn mask(&self, name: &str) -> Mask {
        let (shape, data) = self.tensor(name);
        Mask::new(shape[1], shape[0], data)
    }

    pub(crate) fn integers(&self, name: &str) -> Vec<i64> {
        let (_, data) = self.tensor(name);
        data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        let (_, data) = self.tensor(name);
        data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    /// The names that begin with `prefix`, without it.
    pub(crate) fn under(&self, prefix: &str) -> Vec<String> {
        let tensors = safetensors::SafeTensors::deserialize(&self.0).unwrap();
        let mut names: Vec<String> =
            tensors.names().iter().filter_map(|n| n.strip_prefix(prefix)).map(Into::into).collect();
        names.sort();
        assert!(!names.is_empty(), "no reference begins with {prefix}");
        names
    }
}
