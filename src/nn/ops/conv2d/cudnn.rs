//! Convolution on an NVIDIA card, through cuDNN.
//!
//! candle's convolution lets cuDNN's heuristics choose an algorithm, and its gradients don't use cuDNN at all. Here
//! each pass is one call of cuDNN with one algorithm, whatever the sizes:
//!
//! | pass | algorithm |
//! |---|---|
//! | result | `FWD_ALGO_IMPLICIT_PRECOMP_GEMM` |
//! | gradient of the input | `BWD_DATA_ALGO_1` |
//! | gradient of the weight | `BWD_FILTER_ALGO_1` |
//!
//! All three take any groups and any dilation, and cuDNN's manual calls their results deterministic (not so those of
//! `BWD_DATA_ALGO_0`, `BWD_FILTER_ALGO_0` and `BWD_FILTER_ALGO_3`, which add with atomics). The math type
//! `FMA` keeps factors in f32: the default would round them to the ten bits of TF32 on cards that have it.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::cudnn::{
    ConvBackwardData, ConvBackwardFilter, ConvDescriptor, ConvForward, Cudnn, FilterDescriptor,
    TensorDescriptor, sys,
};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::cuda_backend::{CudaDevice, DeviceId};
use candle_core::{CpuStorage, CudaStorage, CustomOp2, DType, Error, Layout, Result, Shape, Tensor, bail};

use super::geometry::Geometry;
use super::sides::even;

const RESULT: sys::cudnnConvolutionFwdAlgo_t =
    sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
const TO_INPUT: sys::cudnnConvolutionBwdDataAlgo_t =
    sys::cudnnConvolutionBwdDataAlgo_t::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
const TO_WEIGHT: sys::cudnnConvolutionBwdFilterAlgo_t =
    sys::cudnnConvolutionBwdFilterAlgo_t::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;

/// cuDNN's alpha and beta: what it computes takes the place of what was there.
const REPLACE: (f32, f32) = (1.0, 0.0);

/// Whether cuDNN takes these tensors: both of them f32 on a card.
pub(super) fn takes(x: &Tensor, weight: &Tensor) -> bool {
    [x, weight].iter().all(|t| t.device().is_cuda() && t.dtype() == DType::F32)
}

/// `conv2d` on a card; its gradients are part of candle's graph.
pub(super) fn conv2d(x: &Tensor, weight: &Tensor, g: Geometry) -> Result<Tensor> {
    let (x, geometry) = even(x, g)?;
    x.contiguous()?.apply_op2(&weight.contiguous()?, Convolution { geometry, pass: Pass::Result })
}

/// One pass of a convolution whose padding is even.
struct Convolution {
    geometry: Geometry,
    pass: Pass,
}

#[derive(Debug, Clone, Copy)]
enum Pass {
    /// Input and weight to result.
    Result,
    /// Gradient of the result and weight to gradient of the input.
    ToInput,
    /// Gradient of the result and input to gradient of the weight.
    ToWeight,
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("cuDNN was given tensors of the CPU")
    }

    fn cuda_fwd(
        &self,
        a: &CudaStorage,
        a_layout: &Layout,
        b: &CudaStorage,
        b_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let device = &a.device;
        let shape = Shape::from(self.sizes());
        // SAFETY: cuDNN writes every value of it.
        let mut out = unsafe { device.alloc::<f32>(shape.elem_count())? };
        let (a, b) = (values(a, a_layout)?, values(b, b_layout)?);
        self.run(device, &a, &b, &mut out).map_err(|error| {
            error.context(format!("cuDNN, {:?} of a convolution of {:?}", self.pass, self.geometry))
        })?;
        Ok((CudaStorage::wrap_cuda_slice(out, device.clone()), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let pass = |of: &Tensor, other: &Tensor, pass| {
            let op = Self { geometry: self.geometry, pass };
            of.track_op().then(|| grad.apply_op2_no_bwd(other, &op)).transpose()
        };
        Ok((pass(x, weight, Pass::ToInput)?, pass(weight, x, Pass::ToWeight)?))
    }
}

impl Convolution {
    /// The sizes of what the pass computes.
    fn sizes(&self) -> (usize, usize, usize, usize) {
        let g = &self.geometry;
        match self.pass {
            Pass::Result => (g.batch, g.outputs, g.out_height, g.out_width),
            Pass::ToInput => (g.batch, g.inputs, g.height, g.width),
            Pass::ToWeight => (g.outputs, g.inputs / g.groups, g.kernel.0, g.kernel.1),
        }
    }

    /// Computes the pass from its two arguments.
    fn run(
        &self,
        device: &CudaDevice,
        a: &CudaView<'_, f32>,
        b: &CudaView<'_, f32>,
        out: &mut CudaSlice<f32>,
    ) -> Result<()> {
        let Described { conv, x, weight, result } = &Described::new(device, &self.geometry)?;
        match self.pass {
            Pass::Result => {
                let call = ConvForward { conv, x, w: weight, y: result };
                let mut space = workspace(device, call.get_workspace_size(RESULT)?)?;
                // SAFETY: all are contiguous f32 values on this device, as many as described.
                unsafe { call.launch(RESULT, space.as_mut(), REPLACE, a, b, out)? };
            }
            Pass::ToInput => {
                let call = ConvBackwardData { conv, dx: x, w: weight, dy: result };
                let mut space = workspace(device, call.get_workspace_size(TO_INPUT)?)?;
                // SAFETY: as above.
                unsafe { call.launch(TO_INPUT, space.as_mut(), REPLACE, out, b, a)? };
            }
            Pass::ToWeight => {
                let call = ConvBackwardFilter { conv, x, dw: weight, dy: result };
                let mut space = workspace(device, call.get_workspace_size(TO_WEIGHT)?)?;
                // SAFETY: as above.
                unsafe { call.launch(TO_WEIGHT, space.as_mut(), REPLACE, b, out, a)? };
            }
        }
        Ok(())
    }
}

/// A convolution as cuDNN describes it.
struct Described {
    conv: ConvDescriptor<f32>,
    x: TensorDescriptor<f32>,
    weight: FilterDescriptor<f32>,
    result: TensorDescriptor<f32>,
}

impl Described {
    fn new(device: &CudaDevice, g: &Geometry) -> Result<Self> {
        let cudnn = handle(device)?;
        let window = |down: usize, across: usize| Ok::<_, Error>([int(down)?, int(across)?]);
        let mut conv = cudnn.create_conv2d(
            window(g.padding.0, g.padding.1)?,
            window(g.stride, g.stride)?,
            window(g.dilation, g.dilation)?,
            sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
        )?;
        conv.set_math_type(sys::cudnnMathType_t::CUDNN_FMA_MATH)?;
        conv.set_group_count(int(g.groups)?)?;
        let layout = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        let x = cudnn.create_4d_tensor(layout, sizes([g.batch, g.inputs, g.height, g.width])?)?;
        let kernel = [g.outputs, g.inputs / g.groups, g.kernel.0, g.kernel.1];
        let weight = cudnn.create_4d_filter(layout, sizes(kernel)?)?;
        let result = [g.batch, g.outputs, g.out_height, g.out_width];
        let result = cudnn.create_4d_tensor(layout, sizes(result)?)?;
        Ok(Self { conv, x, weight, result })
    }
}

/// Sizes as cuDNN counts, which also counts the values of a tensor in 32 bits.
fn sizes(dims: [usize; 4]) -> Result<[c_int; 4]> {
    int(dims.iter().product())?;
    let [a, b, c, d] = dims;
    Ok([int(a)?, int(b)?, int(c)?, int(d)?])
}

fn int(n: usize) -> Result<c_int> {
    match c_int::try_from(n) {
        Ok(n) => Ok(n),
        Err(_) => bail!("{n} is more than cuDNN can count to: use a smaller batch or smaller images"),
    }
}

/// The contiguous f32 values of an argument.
fn values<'a>(storage: &'a CudaStorage, layout: &Layout) -> Result<CudaView<'a, f32>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<f32>()?.slice(start..end)),
        None => bail!("cuDNN was given values that are not contiguous, of strides {:?}", layout.stride()),
    }
}

/// Memory for a call's intermediate results.
fn workspace(device: &CudaDevice, bytes: usize) -> Result<Option<CudaSlice<u8>>> {
    // SAFETY: cuDNN doesn't read what it has not written.
    (bytes > 0).then(|| unsafe { device.alloc::<u8>(bytes) }).transpose()
}

thread_local! {
    /// The handle that this thread used last. It is not to be shared by threads, and takes long to create.
    static HANDLE: RefCell<Option<(DeviceId, Arc<Cudnn>)>> = const { RefCell::new(None) };
}

fn handle(device: &CudaDevice) -> Result<Arc<Cudnn>> {
    HANDLE.with_borrow_mut(|kept| {
        if let Some((id, cudnn)) = kept
            && *id == device.id()
        {
            return Ok(Arc::clone(cudnn));
        }
        let cudnn = Cudnn::new(device.cuda_stream())?;
        *kept = Some((device.id(), Arc::clone(&cudnn)));
        Ok(cudnn)
    })
}
