//! Where a run computes: what was asked for, what is there.

use candle_core::Device;

#[cfg(feature = "cuda")]
use super::cuda::open;

/// A device that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A name that is none.
    #[error("use the device `{0}`: expected auto, cpu or cuda:N, such as cuda:0")]
    Unknown(String),
    /// This binary was built without CUDA.
    #[error(
        "use {0}: this stpp was built without CUDA; build one with `cargo build --release --features cuda,cudnn`, \
         or use --device cpu"
    )]
    NotBuilt(String),
    /// CUDA is built in, but the device is not there.
    #[error("use {name}: {reason}; check `nvidia-smi`, or use --device cpu")]
    NotThere {
        /// What was asked for.
        name: String,
        /// What is missing.
        reason: String,
    },
}

/// A device and, where `auto` had to choose, why it is this one.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The device.
    pub device: Device,
    /// `cpu` or `cuda:0`.
    pub name: String,
    /// Why `auto` chose it.
    pub reason: Option<String>,
}

/// Finds the device with a name: `auto` takes the first GPU where there is one, and says so where there is none.
///
/// # Errors
/// [`DeviceError`] for a name that is none, and for a GPU that is not there.
pub fn choose(name: &str) -> Result<Chosen, DeviceError> {
    let cpu = |reason: Option<String>| Chosen { device: Device::Cpu, name: "cpu".to_owned(), reason };
    let gpu = |device, name: &str| Chosen { device, name: name.to_owned(), reason: None };
    match name {
        "cpu" => Ok(cpu(None)),
        "auto" => Ok(open(0).map_or_else(|reason| cpu(Some(reason)), |device| gpu(device, "cuda:0"))),
        _ => {
            let ordinal = name
                .strip_prefix("cuda:")
                .and_then(|ordinal| ordinal.parse().ok())
                .ok_or_else(|| DeviceError::Unknown(name.to_owned()))?;
            if !cfg!(feature = "cuda") {
                return Err(DeviceError::NotBuilt(name.to_owned()));
            }
            let device =
                open(ordinal).map_err(|reason| DeviceError::NotThere { name: name.to_owned(), reason })?;
            Ok(gpu(device, name))
        }
    }
}

/// Opens a GPU, or says why there is none.
#[cfg(not(feature = "cuda"))]
fn open(_: usize) -> Result<Device, String> {
    Err("built without CUDA".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_is_always_there() {
        assert_eq!(choose("cpu").unwrap().name, "cpu");
        assert!(choose("auto").is_ok());
    }

    #[test]
    fn a_device_that_is_none_is_named() {
        assert!(matches!(choose("gpu"), Err(DeviceError::Unknown(_))));
        assert!(matches!(choose("cuda:x"), Err(DeviceError::Unknown(_))));
        #[cfg(not(feature = "cuda"))]
        assert!(matches!(choose("cuda:0"), Err(DeviceError::NotBuilt(_))));
    }
}
