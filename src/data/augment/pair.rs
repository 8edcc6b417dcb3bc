use crate::data::image::{Mask, Rgb};

/// An image and the mask it is trained on, of the same size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The picture.
    pub image: Rgb,
    /// Its class ids.
    pub mask: Mask,
}
