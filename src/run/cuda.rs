//! NVIDIA cards: opening one, and what of it may change bits.

use std::ffi::c_int;

use candle_core::cuda_backend::cudarc::cublas::sys as cublas;
use candle_core::cuda_backend::cudarc::driver::sys::{CUdevice_attribute, CUresult};
use candle_core::cuda_backend::cudarc::driver::{DriverError, result as driver};
use candle_core::cuda_backend::{CudaDevice, CudaError};
use candle_core::{Device, Error, Tensor};

/// Opens a card and computes a little on it.
///
/// # Errors
/// What is missing.
pub(super) fn open(ordinal: usize) -> Result<Device, String> {
    let cards = driver::init().and_then(|()| driver::device::get_count()).map_err(|error| explain(&error))?;
    if !usize::try_from(cards).is_ok_and(|cards| ordinal < cards) {
        return Err(match cards {
            0 => NO_CARD.to_owned(),
            1 => "the NVIDIA driver finds one card, cuda:0".to_owned(),
            _ => format!("the NVIDIA driver finds {cards} cards, cuda:0 to cuda:{}", cards - 1),
        });
    }
    // One stream for all threads. By default candle's devices have one per thread, and nothing would keep a thread from
    // reading what another one's stream has not written yet.
    let device = Device::new_cuda_with_stream(ordinal).map_err(|error| of_candle(&error))?;
    let computed = |device: &Device| Tensor::new(&[1f32, 2.0], device)?.affine(2.0, 1.0)?.to_vec1::<f32>();
    match computed(&device) {
        Ok(values) if values == [3.0, 5.0] => {}
        Ok(values) => return Err(format!("it computes 2 · (1, 2) + 1 and finds {values:?}")),
        Err(error) => return Err(of_candle(&error)),
    }
    #[cfg(feature = "cudnn")]
    if let Device::Cuda(card) = &device {
        candle_core::cuda_backend::cudarc::cudnn::Cudnn::new(card.cuda_stream())
            .map_err(|error| format!("cuDNN does not start: {error}"))?;
    }
    Ok(device)
}

const NO_CARD: &str = "there is an NVIDIA driver, but it finds no card (CUDA_VISIBLE_DEVICES may hide one)";

fn of_candle(error: &Error) -> String {
    if let Error::Cuda(inner) = error
        && let Some(CudaError::Cuda(error) | CudaError::Load { cuda: error, .. }) = inner.downcast_ref()
    {
        return explain(error);
    }
    error.to_string()
}

/// What the driver's word means here.
fn explain(error: &DriverError) -> String {
    match error.0 {
        CUresult::CUDA_ERROR_NO_DEVICE => NO_CARD.to_owned(),
        CUresult::CUDA_ERROR_STUB_LIBRARY => {
            "libcuda.so.1 is the CUDA toolkit's stand-in: there is no NVIDIA driver".to_owned()
        }
        CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
        | CUresult::CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE
        | CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => {
            format!("the NVIDIA driver is older than the CUDA that this stpp was built with ({:?})", error.0)
        }
        CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU
        | CUresult::CUDA_ERROR_INVALID_PTX
        | CUresult::CUDA_ERROR_INVALID_IMAGE => format!(
            "this stpp was built for other cards ({:?}): build it with CUDA_COMPUTE_CAP set to what \
             `nvidia-smi --query-gpu=compute_cap --format=csv` says, without the dot",
            error.0
        ),
        other => format!("the NVIDIA driver says {other:?}"),
    }
}

/// The name of a card's model.
pub(super) fn card_name(card: &CudaDevice) -> Option<String> {
    card.cuda_stream().context().name().ok()
}

/// The part of the numerics class that is a card's: its compute capability and the number of its multiprocessors, by
/// both of which NVIDIA's libraries choose kernels, and the versions of these libraries.
/// `sm80x108-cublas13.1.0-cudnn92100`.
pub(super) fn class(card: &CudaDevice) -> String {
    let stream = card.cuda_stream();
    let context = stream.context();
    let (major, minor) = context.compute_capability().unwrap_or_default();
    let processors =
        context.attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT).unwrap_or_default();
    let [a, b, c] = [
        cublas::libraryPropertyType::MAJOR_VERSION,
        cublas::libraryPropertyType::MINOR_VERSION,
        cublas::libraryPropertyType::PATCH_LEVEL,
    ]
    .map(|property| {
        let mut value: c_int = 0;
        // SAFETY: cuBLAS writes one integer, or nothing.
        unsafe { cublas::cublasGetProperty(property, &raw mut value) };
        value
    });
    let class = format!("sm{major}{minor}x{processors}-cublas{a}.{b}.{c}");
    #[cfg(feature = "cudnn")]
    let class = format!("{class}-cudnn{}", candle_core::cuda_backend::cudarc::cudnn::result::get_version());
    class
}
