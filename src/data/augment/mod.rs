//! What is done to a training image, with the semantics of Pillow and torchvision as the official code uses them
//! (`dataset/semi.py`, `dataset/transform.py`), and with random numbers that depend on nothing but their address.
//!
//! [`weak()`] is for every training image: [`resize`] → pad and [`crop`] → [`flip`]. [`strong()`], the paper's SDA,
//! comes after it: colour [`jitter`] → [`grayscale`] → [`blur`] → [`cutout`]. [`normalize_into`] ends both.
//!
//! Each operation is a plain function of explicit parameters, tested against Pillow byte for byte, beside
//! a function that draws these parameters. A part draws from its own stream of an [`Address`], so that one part
//! switched off, or drawing more, changes no number of another: the arms of an ablation stay paired.
//! All pixel arithmetic is in integers, or in single IEEE operations, so that every CPU gives the same bytes.

mod address;
pub mod blur;
mod colours;
pub mod crop;
pub mod cutout;
pub mod flip;
pub mod grayscale;
mod hsv;
pub mod jitter;
mod normalize;
mod pair;
#[cfg(test)]
pub(crate) mod reference;
pub mod resize;
mod strong;
mod weak;

pub use address::Address;
pub use normalize::normalize_into;
pub use pair::Pair;
pub use strong::strong;
pub use weak::{only_flips, weak};
