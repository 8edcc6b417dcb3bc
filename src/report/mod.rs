//! What a study found: a page and six tables, as a pure function of what the store holds.
//!
//! A [`Study`] is plain data: no path, no host, no hour can reach a report, because none is in it. From it come
//!
//! - [`rows`]: the rows of the tables that [`crate::track::frame`] writes as Parquet
//! - [`render`]: `report.md`, which says what is outside the noise and what is not
//!
//! The way there: [`scores`] (one number per run and subset, and what is missing) → [`compare`] (arms, paired on seed
//! and split; [`stats`] has the formulas) → [`regime`] (budget line, headroom line), [`contrast`] (image against pixel
//! level, and either against chance), [`quality`] (of selections and pseudo labels) → [`answer`] and [`sections`]
//! (words and tables) → [`page`] (the template).
//!
//! Two rules hold everywhere. A mean is never taken over fewer runs than the reader is told of. And a difference is
//! called one only where the 95 % interval of the paired difference excludes 0.

pub mod answer;
pub mod arm;
pub mod compare;
pub mod contrast;
pub mod markdown;
pub mod number;
pub mod page;
pub mod quality;
pub mod query;
pub mod regime;
pub mod rows;
pub mod scores;
pub mod sections;
pub mod stats;
pub mod study;

pub use page::render;
pub use rows::{MetricRow, TableDigest};
pub use study::Study;
