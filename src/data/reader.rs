//! Pixels by image id: from memory, from a pack, from files.

use std::sync::Arc;

use super::image::{Mask, Rgb};

/// Reads images and true masks by id.
pub trait Pixels: Send + Sync {
    /// The image.
    ///
    /// # Errors
    /// [`PixelError`] with the image's id.
    fn image(&self, id: &str) -> Result<Arc<Rgb>, PixelError>;

    /// The true mask, where there is one.
    ///
    /// # Errors
    /// [`PixelError`] with the image's id.
    fn truth(&self, id: &str) -> Result<Option<Arc<Mask>>, PixelError>;
}

/// An image that can't be had.
#[derive(Debug, thiserror::Error)]
#[error("read image {id}")]
pub struct PixelError {
    /// Its id.
    pub id: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl PixelError {
    /// An error of any kind about an image.
    pub fn new(id: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { id: id.to_owned(), source: source.into() }
    }
}
