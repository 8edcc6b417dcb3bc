//! Pixel-level selection: believe some pixels of every image.
//!
//! A rule learns its cut from all images and then decides image by image, so that a dataset is never in memory:
//!
//! ```text
//! rule ──▶ Step::Look(looker) ── observe every image, in any order ── finish ──▶ Step::Look | Step::Ready(cut)
//!                                                                                                │
//!                                                        cut.decide(image) ── in any order ◀─────┘
//! ```
//!
//! How often a rule looks is its own affair: [`threshold`] and [`oracle`] never, [`class_balanced`] and [`entropy`]
//! once, [`matched`] twice (the cut, then who shares the pixels that lie on it). [`learn`] drives all of them.
//! Confidence and entropy are those of the probabilities that wrote the label, in 16 bits ([`label`]); what a look
//! gathers are counts ([`histogram`]), so no order of images changes a bit.

pub mod class_balanced;
pub mod entropy;
pub mod histogram;
pub mod label;
pub mod matched;
pub mod oracle;
pub mod rule;
pub mod threshold;

pub use label::{LabelRecord, kept};
pub use rule::{Cut, Look, PixelError, Step, learn, rule};
