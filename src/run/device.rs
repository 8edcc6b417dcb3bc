//! Where a run computes: what was asked for, what is there.

use candle_core::Device;

/// A device that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A name that is none.
    #[error("use the device `{0}`: expected auto, cpu or cuda:N, such as cuda:0")]
    Unknown(String),
    /// This binary was built without CUDA.
    #[error(
        "use {0}: this stpp was built without CUDA; build one with `cargo build --release --features cuda`, \
         or use --device cpu"
    )]
    NotBuilt(String),
    /// CUDA is built in, but the device is not there.
    #[error("use {name}: {reason}; check `nvidia-smi`, or use --device cpu")]
    NotThere {
        /// What was asked for.
        name: String,
        /// The driver's word.
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
    match name {
        "cpu" => Ok(cpu(None)),
        "auto" if !cfg!(feature = "cuda") => Ok(cpu(Some("built without CUDA".to_owned()))),
        "auto" => Ok(match Device::new_cuda(0) {
            Ok(device) => Chosen { device, name: "cuda:0".to_owned(), reason: None },
            Err(error) => cpu(Some(format!("no CUDA device: {error}"))),
        }),
        _ => {
            let ordinal = name
                .strip_prefix("cuda:")
                .and_then(|ordinal| ordinal.parse().ok())
                .ok_or_else(|| DeviceError::Unknown(name.to_owned()))?;
            if !cfg!(feature = "cuda") {
                return Err(DeviceError::NotBuilt(name.to_owned()));
            }
            let device = Device::new_cuda(ordinal).map_err(|error| DeviceError::NotThere {
                name: name.to_owned(),
                reason: error.to_string(),
            })?;
            Ok(Chosen { device, name: name.to_owned(), reason: None })
        }
    }
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
