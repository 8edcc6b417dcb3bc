//! Pixels in memory: 8-bit RGB images and class-id masks, row-major.

/// The mask value of pixels that count nowhere.
pub const IGNORE: u8 = 255;

/// An RGB image, `(H, W, 3)` interleaved.
#[derive(Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width * 3` bytes.
    pub data: Vec<u8>,
}

/// A class id per pixel, `(H, W)`; [`IGNORE`] where a pixel counts nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width` class ids.
    pub data: Vec<u8>,
}

impl Rgb {
    /// An image from its bytes.
    ///
    /// # Panics
    /// When there are not `height * width * 3` of them.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Self {
        assert_eq!(data.len(), width * height * 3, "an RGB image of {width}x{height}");
        Self { width, height, data }
    }

    /// An image of one colour.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        let data = colour.iter().copied().cycle().take(width * height * 3).collect();
        Self::new(width, height, data)
    }

    /// The colour at column `x`, row `y`.
    #[inline]
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let i = (y * self.width + x) * 3;
        [self.data[i], self.data[i + 1], self.data[i + 2]]
    }
}

impl Mask {
    /// A mask from its class ids.
    ///
    /// # Panics
    /// When there are not `height * width` of them.
    pub fn new(width: usize, height: usize, data: Vec<u8>) -> Self {
        assert_eq!(data.len(), width * height, "a mask of {width}x{height}");
        Self { width, height, data }
    }

    /// A mask of one class.
    pub fn filled(width: usize, height: usize, class: u8) -> Self {
        Self::new(width, height, vec![class; width * height])
    }
}

impl std::fmt::Debug for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rgb({}x{})", self.width, self.height)
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({}x{})", self.width, self.height)
    }
}
