//! What is measured, each measure in one file that also knows its unit and which way is better.
//!
//! | file | what |
//! |---|---|
//! | [`confusion`] | pixel counts, true class × predicted class; everything below about masks starts here |
//! | [`miou`] | intersection over union per class, and its mean over the classes that occur |
//! | [`accuracy`] | the share of right pixels |
//! | [`calibration`] | whether a confidence of .9 is right in nine of ten pixels |
//! | [`rank`] | Spearman's rank correlation: does a score order images as their true quality does? |
//! | [`risk`] | area under the risk–coverage curve: what the best-ranked images cost in quality |
//! | [`mean`] | the mean that skips what is absent, in NumPy's order of summation |
//! | [`kind`] | name, unit and direction of every measure, for tables and reports |
//!
//! All values are shares in [0, 1] unless the [`kind::Unit`] says otherwise; only a report multiplies by 100.

pub mod accuracy;
pub mod calibration;
pub mod confusion;
pub mod kind;
pub mod mean;
pub mod miou;
pub mod rank;
pub mod risk;

pub use confusion::Confusion;
pub use kind::Metric;

#[cfg(test)]
pub(crate) mod fixture;
