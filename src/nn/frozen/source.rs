//! Layers that are filled from a file by name, and the names that don't fit.

use std::cell::RefCell;
use std::collections::BTreeSet;

use candle_core::{DType, Device, Result, Tensor};

use crate::nn::ops::conv2d::{Window, add_bias, conv2d};
use crate::nn::ops::layer_norm::layer_norm;
use crate::nn::tape::Tape;
use crate::nn::weights::{Misshaped, State, WeightsError, WeightsFile, WeightsReport};

/// A file's tensors on a device, and a note of what was asked of them.
pub(super) struct Source<'a> {
    file: &'a WeightsFile,
    tensors: State,
    /// Names of what belongs to other parts of a model.
    others: Vec<String>,
    device: &'a Device,
    asked: RefCell<BTreeSet<String>>,
    report: RefCell<WeightsReport>,
}

impl<'a> Source<'a> {
    /// The tensors of a file, by what is left of their names under `prefix` where there are any; without those whose
    /// names begin with one of `others`, which belong to other parts of a model.
    pub(super) fn new(file: &'a WeightsFile, prefix: &str, others: &[&str], device: &'a Device) -> Self {
        let is_other = |name: &str| others.iter().any(|other| name.starts_with(other));
        let is_prefixed = file.tensors().iter().any(|(name, _)| name.starts_with(prefix));
        let tensors = file
            .tensors()
            .iter()
            .filter(|(name, _)| !is_other(name))
            .map(|(name, tensor)| {
                let inner = if is_prefixed { name.strip_prefix(prefix).unwrap_or(name) } else { name };
                (inner.to_owned(), tensor.clone())
            })
            .collect();
        let names = file.tensors().iter().map(|(name, _)| name);
        let others = names.filter(|name| is_other(name)).map(str::to_owned).collect();
        Self { file, tensors, others, device, asked: RefCell::default(), report: RefCell::default() }
    }

    /// The shape of a tensor of `N` dimensions that the sizes of the network are read from.
    ///
    /// # Errors
    /// When there is none of this name.
    pub(super) fn shape<const N: usize>(&self, name: &str) -> std::result::Result<[usize; N], WeightsError> {
        let found = self.tensors.get(name).map(|tensor| tensor.dims());
        found.and_then(|dims| dims.try_into().ok()).ok_or_else(|| {
            let rank = |dims: &[usize]| format!("it has {} dimensions, not {N}", dims.len());
            let what = found.map_or_else(|| "it is not there".to_owned(), rank);
            self.refuse(format!("the size of the network is read from `{name}`, and {what}"))
        })
    }

    /// Whether there is a tensor of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.get(name).is_some()
    }

    /// How many numbers in a row, from 0, stand behind `prefix` in names.
    pub(super) fn count(&self, prefix: &str) -> usize {
        let stands = |number: &usize| {
            let start = format!("{prefix}{number}.");
            self.tensors.iter().any(|(name, _)| name.starts_with(&start))
        };
        (0..).take_while(stands).count()
    }

    /// A module of this name.
    pub(super) fn at(&self, name: &str) -> Module<'_> {
        Module { source: self, name: name.to_owned() }
    }

    /// An error that says why the file does not do.
    pub(super) fn refuse(&self, reason: String) -> WeightsError {
        WeightsError::OtherFamily { path: self.file.path().to_owned(), reason }
    }

    /// `network` and how the file fits it, unless there was too little or too much for it.
    pub(super) fn finish<T>(
        self,
        network: Result<T>,
    ) -> std::result::Result<(T, WeightsReport), WeightsError> {
        let network = network.map_err(WeightsError::Tensor)?;
        let (asked, mut report) = (self.asked.into_inner(), self.report.into_inner());
        let unused = self.tensors.iter().map(|(name, _)| name).filter(|name| !asked.contains(*name));
        report.unused = unused.map(str::to_owned).collect();
        if report.is_exact() {
            report.unused = self.others;
            Ok((network, report))
        } else {
            Err(WeightsError::OtherBackbone { path: self.file.path().to_owned(), report })
        }
    }
}

/// A place in the tree of a file's names.
pub(super) struct Module<'a> {
    source: &'a Source<'a>,
    name: String,
}

impl<'a> Module<'a> {
    /// A module inside.
    pub(super) fn at(&self, name: impl std::fmt::Display) -> Module<'a> {
        Module { source: self.source, name: format!("{}.{name}", self.name) }
    }

    /// The parameter `name`; zeros instead where it is missing or has another shape, which is noted.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let name = if self.name.is_empty() { name.to_owned() } else { format!("{}.{name}", self.name) };
        let mut report = self.source.report.borrow_mut();
        let found = self.source.tensors.get(&name);
        self.source.asked.borrow_mut().insert(name.clone());
        match found {
            Some(tensor) if tensor.dims() == shape => {
                report.loaded += 1;
                return tensor.to_device(self.source.device);
            }
            Some(tensor) => {
                let (found, expected) = (tensor.dims().to_vec(), shape.to_vec());
                report.misshaped.push(Misshaped { name, found, expected });
            }
            None => report.missing.push(name),
        }
        Tensor::zeros(shape, DType::F32, self.source.device)
    }

    /// This module, a convolution with a weight of `shape` `(O, I / groups, k, k)`.
    pub(super) fn conv(&self, shape: [usize; 4], window: Window) -> Result<Affine> {
        Ok(Affine { weight: self.tensor("weight", &shape)?, bias: self.tensor("bias", &shape[..1])?, window })
    }

    /// This module, a linear map of the channels of every pixel.
    pub(super) fn linear(&self, inputs: usize, outputs: usize) -> Result<Affine> {
        let weight = self.tensor("weight", &[outputs, inputs])?.reshape((outputs, inputs, 1, 1))?;
        Ok(Affine { weight, bias: self.tensor("bias", &[outputs])?, window: Window::POINT })
    }

    /// This module, a layer norm.
    pub(super) fn norm(&self, channels: usize, eps: f64) -> Result<Norm> {
        Ok(Norm { weight: self.tensor("weight", &[channels])?, bias: self.tensor("bias", &[channels])?, eps })
    }
}

/// A convolution with a bias; a linear map is one of a single tap.
pub(super) struct Affine {
    weight: Tensor,
    bias: Tensor,
    window: Window,
}

impl Affine {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let tape = Tape::silent(x.device());
        add_bias(&tape, &conv2d(&tape, x, &self.weight, self.window)?, &self.bias)
    }

    /// The same, followed by a multiplication of every channel with its factor.
    pub(super) fn scaled(self, factors: &Tensor) -> Result<Self> {
        let outputs = factors.elem_count();
        let weight = self.weight.broadcast_mul(&factors.reshape((outputs, 1, 1, 1))?)?;
        Ok(Self { weight, bias: (self.bias * factors)?, window: self.window })
    }
}

/// A layer norm.
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl Norm {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}
