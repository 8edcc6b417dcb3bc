//! Training: how parameters move, and what a trained network says of an image.
//!
//! | file | what it is |
//! |---|---|
//! | [`fit`] | the loop: batch, loss, step, looks along the way |
//! | [`course`] | a training under way, and all that it goes on from after an interruption |
//! | [`sgd`] | stochastic gradient descent with momentum, as PyTorch does it |
//! | [`schedule`] | the learning rate of a step |
//! | [`trace`] | a rolling digest that two equal trainings share |
//! | [`predict`] | class probabilities of a whole image, with or without test-time augmentation |
//! | [`evaluate`] | confusion matrices of whole images |

pub mod course;
pub mod evaluate;
pub mod fit;
pub mod predict;
pub mod schedule;
pub mod sgd;
pub mod trace;
