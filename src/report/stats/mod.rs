//! What may be said from a few runs: paired differences, their interval, and an exact test.
//!
//! Two arms of an ablation share seeds, splits and often the teacher, so they are compared pair by pair. With three to
//! ten pairs there is no large-sample theory to lean on: the interval is Student's, the test enumerates every sign
//! pattern, and both say what so few pairs can show at all.
//!
//! | file | what |
//! |---|---|
//! | [`summary`] | mean, standard deviation (n − 1), median |
//! | [`paired`] | the differences of two arms, summarised |
//! | [`interval`] | the t interval of a mean |
//! | [`student`] | Student's t for whole degrees of freedom, the same bits on every machine |
//! | [`mod@sign_flip`] | the exact two-sided test, and the smallest p that n pairs can reach |
//! | [`mod@holm`] | p-values of several arms against one baseline |

pub mod holm;
pub mod interval;
pub mod paired;
pub mod sign_flip;
pub mod student;
pub mod summary;

pub use holm::holm;
pub use interval::{Interval, t_interval};
pub use paired::Paired;
pub use sign_flip::{SignFlip, sign_flip};
pub use summary::{mean, median, sd};
