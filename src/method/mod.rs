//! The paper, readable beside it: ST++ (CVPR 2022, arXiv 2106.05095).
//!
//! A teacher learns from the labeled images and labels the rest. Plain self-training believes all of it; ST trains on
//! it under strong augmentation; ST++ asks first *which* pseudo labels to believe. Its answer: those of images on which
//! the teacher stopped changing its mind. K checkpoints are kept over the teacher's training, each predicts a mask of
//! every unlabeled image, and the images whose masks hardly moved are called reliable. A first student learns from
//! these, labels the others anew, and a second student learns from all.
//!
//! | paper | here |
//! |---|---|
//! | §3.3 K checkpoints of the teacher; one pass over the unlabeled images | [`record`]: all that selection may know of an image |
//! | Eq. 4 stability of an image's masks | [`stability`] |
//! | §3.3 the top R of the images are reliable | [`select::image`], one file per criterion |
//! | §4 the alternative: trust pixels, not images | [`select::pixel`], one file per rule |
//!
//! The strong augmentations of §3.2 are in [`data::augment`](crate::data::augment).
//!
//! Where paper and official code differ (sum or mean over checkpoints, which epoch labels, what happens to ties), the
//! spec names a switch, and the module that obeys it says what each side does.

pub mod record;
pub mod select;
pub mod stability;
