//! What a study found: a report to cite, and its tables, as a pure function of what the store holds.
//!
//! A [`Study`] is plain data: no path, no host, no hour can reach a report, because none is in it.
//!
//! ```text
//! store ─query─┐                     ┌─▶ rows ─▶ tables (Parquet), which hold every number
//!              ├─▶ Study ─▶ Scores ──┤
//! tables ─restore                    └─▶ Findings ─▶ words, grids, figures ─▶ form: HTML, Markdown, LaTeX, CSV, JSON
//! ```
//!
//! | step | modules |
//! |---|---|
//! | facts | [`study`]; read by [`query`] from a store, by [`restore`] from tables alone; several as one by [`across`] |
//! | tables | [`rows`] decides what a row says; [`crate::track`] knows only tables |
//! | a number per run | [`scores`] |
//! | what may be said | [`compare`] (arms, paired on seed and split), [`resampled`] (on other images), [`claim`], [`regime`], [`contrast`], [`quality`], [`sensitivity`]; [`stats`] has the formulas |
//! | all of it, once | [`findings`] |
//! | words, tables, pictures | [`answer`], [`sections`], [`sheet`], [`published`], [`figures`] made by [`picture`] |
//! | files | [`form`] |
//! | two runs alone | [`duel`] |
//!
//! Three rules hold everywhere. A mean is never taken over fewer runs than the reader is told of. A difference is called one
//! only where the 95 % interval of training anew excludes 0; what these models do on other images stands beside it and decides
//! nothing. And every form is made of the same findings, so that no number exists twice.

pub mod across;
pub mod answer;
pub mod arm;
pub mod claim;
pub mod compare;
pub mod contrast;
pub mod duel;
pub mod figures;
pub mod findings;
pub mod form;
pub mod grid;
pub mod number;
pub mod picture;
pub mod published;
pub mod quality;
pub mod query;
pub mod regime;
pub mod resampled;
pub mod restore;
pub mod rows;
pub mod scores;
pub mod sections;
pub mod sensitivity;
pub mod sheet;
pub mod stats;
pub mod study;

pub use rows::MetricRow;
pub use study::Study;
