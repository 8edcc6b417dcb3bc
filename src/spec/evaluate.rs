//! `[evaluate]`: on which images, and how often along the way.

use serde::{Deserialize, Serialize};

/// `[evaluate]`. One scale, one confusion matrix over the dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluate {
    /// The headline's images.
    pub on: EvaluateOn,
    /// Validation is looked at after floor(total · k / points) for k = 1..=points, the last being the end.
    /// Changes no bits; the best of these is the "best epoch" column.
    pub points: u64,
    /// Windows that the headline's images are seen through; whole images where there are none (the official code).
    /// The looks along the way see whole images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
}

/// Overlapping square windows: memory that does not grow with the image, and a field of view like the training's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Side, in pixels; an image smaller than that is one window.
    pub side: usize,
    /// Pixels from one window to the next; the last one ends where the image does.
    pub stride: usize,
}

impl Windows {
    /// Where windows start along `size` pixels, and how long they are.
    pub fn along(&self, size: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let side = self.side.clamp(1, size.max(1));
        let last = size.saturating_sub(side);
        let stride = self.stride.max(1);
        (0..last.div_ceil(stride) + 1).map(move |n| ((n * stride).min(last), side))
    }
}

/// Which images the headline is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvaluateOn {
    /// `test` where the dataset has one, else `val`.
    Auto,
    /// Validation images.
    Val,
    /// Test images.
    Test,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windows_cover_every_pixel_and_stay_inside(size in 1usize..300, side in 1usize..100, part in 1usize..=100) {
            let windows = Windows { side, stride: (side * part).div_ceil(100) };
            let mut covered = 0;
            for (start, length) in windows.along(size) {
                prop_assert!(start <= covered, "a gap before {start}");
                prop_assert!(start + length > covered, "a window too many");
                covered = start + length;
            }
            prop_assert_eq!(covered, size);
        }
    }
}
