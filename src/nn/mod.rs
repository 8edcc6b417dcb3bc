//! The networks: operations with gradients, backbones, heads, and the weights that fill them.
//!
//! | file | what it is |
//! |---|---|
//! | [`ops`] | the operations a network is made of; on a CPU each one is a kernel of ours, elsewhere tensor operations |
//! | [`tape`] | gradients: who wrote down what, read from the end |
//! | [`layer`] | convolution, and convolution + batch norm + ReLU, in training and in inference |
//! | [`backbone`], [`head`] | what torchvision and the official ST++ code build, with the same parameter names |
//! | [`frozen`] | feature extractors that are not trained: DINOv2, SegFormer's encoder |
//! | [`params`] | trainable parameters and running statistics by name, and their addressed initial values |
//! | [`weights`] | a network's state as safetensors bytes; pretrained weights read from files |
//! | [`network`] | all of it together: [`network::Network`] |
//! | [`heap`] | memory that is kept from step to step |
//! | [`selftest`] | every operation on a device, against double precision |
//! | [`threads`] | whose threads compute, and what a program should do about it |
//!
//! **Numbers.** f32, `(B, C, H, W)`, contiguous. On a CPU the bits of every result depend on the inputs and
//! on the SIMD level of the machine alone: not on the number of threads, nor on the sizes of caches. See [`ops`].

pub mod backbone;
pub mod frozen;
pub mod head;
pub mod heap;
pub mod layer;
pub mod network;
pub mod ops;
pub mod params;
pub mod selftest;
pub mod tape;
pub mod threads;
pub mod weights;

pub use network::{DropoutAt, Network, NetworkError};
pub use weights::{State, WeightsError, WeightsFile, WeightsReport};
