pub mod augment;
pub mod image;
