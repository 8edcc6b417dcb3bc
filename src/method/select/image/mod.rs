//! Image-level selection: rank the images by a score, believe the best (paper §3.3).
//!
//! A criterion is one file that reads one [`ImageRecord`](crate::method::record::ImageRecord):
//! [`stability`] (the paper's), [`confidence`], [`entropy`], the control [`random`], and the ceiling [`oracle`].
//! [`ranking`] sorts and cuts, the same way for all of them.

pub mod confidence;
pub mod entropy;
pub mod oracle;
pub mod random;
pub mod ranking;
pub mod score;
pub mod stability;

pub use ranking::{Selection, select};
pub use score::{ImageScore, ScoreError, criterion};
