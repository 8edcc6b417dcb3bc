//! Which pseudo labels to believe: whole images, or pixels of every image.
//!
//! | level | what is read | one file per | the result |
//! |---|---|---|---|
//! | [`image`] | an [`ImageRecord`](super::record::ImageRecord) of every image | criterion ([`image::ImageScore`]) | a ranking, cut at a fraction |
//! | [`pixel`] | a [`LabelRecord`](pixel::LabelRecord) of every image | rule ([`pixel::Look`], [`pixel::Cut`]) | masks with dropped pixels set to 255 |
//!
//! The two meet in [`pixel::matched`], which keeps exactly as many pixels as an image-level selection does: without that
//! a comparison of levels is one of label counts.

pub mod image;
pub mod pixel;
