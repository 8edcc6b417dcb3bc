//! Feature extractors.

pub mod resnet;

/// Channels of a layer of `base` channels in a network of width `width`: rounded, and at least 8.
pub fn scaled(base: usize, width: f64) -> usize {
    ((base as f64 * width).round() as usize).max(8)
}
