//! Segmentation heads.

pub mod deeplabv3plus;
