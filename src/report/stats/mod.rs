//! What may be said from a few runs: intervals, exact tests, and what so few runs can show at all.
//!
//! Two arms of an ablation share seeds, splits and often the teacher, so they are compared pair by pair. Two questions
//! are kept apart. Would the *procedure* do it again, on another split, with another seed? With three to ten units there
//! is no large-sample theory to lean on: the interval is Student's, and the test enumerates every sign pattern. Would
//! these *models* do it again on other images? There are hundreds of images, and they are resampled.
//!
//! | file | what |
//! |---|---|
//! | [`summary`] | mean, standard deviation (n − 1), median, quantiles |
//! | [`layout`] | a value per seed and split, and which of them are independent draws |
//! | [`procedure`] | paired differences as a statement about the training procedure |
//! | [`interval`] | the t interval of a mean |
//! | [`student`] | Student's t for whole degrees of freedom, the same bits on every machine |
//! | [`mod@sign_flip`] | the exact two-sided test, and the smallest p that n units can reach |
//! | [`mod@holm`] | p-values of several arms against one baseline |
//! | [`superiority`] | P(A > B): how often an arm is above its baseline |
//! | [`binomial`] | the exact interval of a share |
//! | [`components`] | how much of the spread is the split's, and how much the seed's |
//! | [`power`] | the smallest effect that n units find, and the units that an effect needs |
//! | [`noncentral`] | the noncentral t distribution, which that takes |
//! | [`counts`] | a run's evaluation, image by image, in the form that resampling needs |
//! | [`resamples`] | which images are drawn, and what a run scores on them |
//! | [`bootstrap`] | intervals of scores and of their differences, over images |
//!
//! The bench `coverage` (`cargo bench --bench coverage`) measures on synthetic studies how often the intervals cover
//! what they are about, and how often the tests are wrong.

pub mod binomial;
pub mod bootstrap;
pub mod components;
pub mod counts;
pub mod holm;
pub mod interval;
pub mod layout;
pub mod noncentral;
pub mod power;
pub mod procedure;
pub mod resamples;
pub mod sign_flip;
pub mod student;
pub mod summary;
pub mod superiority;

pub use bootstrap::{BootstrapError, ImageInterval, difference_over_images, mean_over_images};
pub use components::Components;
pub use counts::{ClassCounts, ImageCounts};
pub use holm::holm;
pub use interval::{Interval, t_interval};
pub use layout::{Cell, Layout, Unit};
pub use procedure::Procedure;
pub use resamples::{REPLICATES, Replicates, Resamples, Score};
pub use sign_flip::{SignFlip, sign_flip};
pub use summary::{mean, median, quantile, sd};
pub use superiority::Superiority;
