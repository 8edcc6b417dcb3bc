//! The operations of a segmentation network, forward and backward.
//!
//! Every operation has two implementations:
//! - **the reference path**, plain tensor operations of candle whose gradients are candle's own: it runs on any device;
//! - **the CPU kernel**, plain Rust on slices, which writes its gradient on a [tape](super::tape). It is
//!   several times as fast, and has what candle lacks or refuses: gradients of strided convolutions of odd sizes,
//!   padded max pooling, gradients of resizing.
//!
//! Both are tested against PyTorch, values and gradients (`tests/fixtures/nn/make.py`).
//!
//! **Same bits, always.** A kernel's parallel work items are cut by the sizes of the tensors, never by the number
//! of threads; each item is computed by one thread; what several items add to is summed in a fixed order afterwards.
//! Matrix products run over at most 512 terms at a time ([`gemm`]), because beyond that the library splits
//! them by the cache sizes it finds. `exp` is our own ([`exp`]), and nothing relies on fused multiply-add.
//!
//! **On an NVIDIA card** the reference path runs, except that convolutions go through cuDNN where the feature `cudnn` is
//! built in. What it is made of, which kernels that comes to with candle 0.11, and which ones its gradients take:
//!
//! | tensor operation | kernel | gradient |
//! |---|---|---|
//! | matrix product (convolution, resizing, pooling) | cuBLAS `gemmStridedBatchedEx`, f32 without TF32 | two more |
//! | `+ - × ÷`, broadcast or not | `badd`, `bsub`, `bmul`, `bdiv`: a thread per value | the same; of what was broadcast, a sum |
//! | sum, maximum over dimensions | `fast_sum`, `fast_sum_small`, `fast_max`: a block or a thread per result, always in the same order | a broadcast; of a maximum, `eq` and `bmul` |
//! | `affine`, square, root, exponential, logarithm, change of type | a thread per value | of the same kind |
//! | comparison, choice (activations, max pooling, the class of a pixel) | `lt`, …, `where`: a thread per value | `where` |
//! | narrow, transpose, reshape, pad, concatenate | copies: `ucopy`, `copy2d` | copies into zeros, and `badd` |
//! | convolution with `cudnn` | one fixed algorithm (`conv2d/cudnn.rs`) | one fixed algorithm each |
//!
//! None of these adds with atomics, so a card gives the same bits again; candle's convolution and its gradient are not
//! among them. No card was at hand to see it: [`super::selftest`] is what shows it on one.
//!
//! [`conv2d`] · [`batch_norm`] · [`activation`] · [`max_pool`] · [`pool`] · [`resize`] · [`dropout`] · [`softmax`] ·
//! [`cross_entropy`] · [`mod@concat`] · [`sum`]; for frozen transformers [`layer_norm`] · [`attention`] · [`gelu`];
//! underneath: [`gemm`] · [`exp`] · [`memory`].

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod concat;
pub mod conv2d;
pub mod cross_entropy;
pub mod dropout;
pub mod exp;
pub mod gelu;
pub mod gemm;
pub mod layer_norm;
pub mod max_pool;
pub mod memory;
pub mod pool;
pub mod resize;
pub mod softmax;
pub mod sum;

use crate::base::simd;

#[cfg(test)]
pub(crate) mod fixture;
