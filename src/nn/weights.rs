//! A network's numbers as bytes, and weights from elsewhere.
//!
//! The bytes are safetensors: names sorted, no metadata, so that equal networks have equal digests. Weights from
//! elsewhere come as .safetensors or as .pth files in PyTorch's zip format (since 1.6), plain or under `"model"` or
//! `"state_dict"`, with or without the prefix `module.` of `DataParallel`.

pub mod difference;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::pickle::PthTensors;
use candle_core::{DType, Device, Tensor, Var};

/// Tensors by name.
#[derive(Debug, Clone, Default)]
pub struct State(BTreeMap<String, Tensor>);

/// Weights read from a file, on the CPU, in single precision.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    tensors: State,
}

/// How well tensors fit a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WeightsReport {
    /// Tensors that fit.
    pub loaded: usize,
    /// Names that the network has and the file has not.
    pub missing: Vec<String>,
    /// Names that the file has and the network has not.
    pub unused: Vec<String>,
    /// Names that both have, in different shapes.
    pub misshaped: Vec<Misshaped>,
}

/// A tensor of the wrong shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misshaped {
    /// Its name.
    pub name: String,
    /// The shape in the file.
    pub found: Vec<usize>,
    /// The shape in the network.
    pub expected: Vec<usize>,
}

/// Why weights could not be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file can't be read at all.
    #[error("read weights from {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: candle_core::Error,
    },
    /// The file is of the right kind, and broken.
    #[error("read weights from {}: it is damaged or cut short; copy or download it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        #[source]
        source: candle_core::Error,
    },
    /// Something else under the name of weights.
    #[error(
        "read weights from {}: it is neither .safetensors nor a .pth file of PyTorch; \
         a web page may have been saved in its place, so look into it, and download it again",
        path.display()
    )]
    NoWeights {
        /// The file.
        path: PathBuf,
    },
    /// PyTorch's format before 1.6.
    #[error(
        "read weights from {}: it is in PyTorch's old format; convert it with \
         `torch.save(torch.load(path, map_location=\"cpu\"), new_path)`",
        path.display()
    )]
    OldFormat {
        /// The file.
        path: PathBuf,
    },
    /// A tensor that shares its memory with others: candle would read the wrong part of it.
    #[error(
        "read {name} from {}: it is a view into a larger tensor; save `{{k: v.clone() for k, v in weights.items()}}` \
         instead",
        path.display()
    )]
    View {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A file with nothing in it that looks like weights.
    #[error(
        "find weights in {}: no tensors at its top level, under \"model\" or under \"state_dict\"",
        path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Weights of another architecture or width.
    #[error(
        "use the weights in {} for this backbone: they are of another network, or of another width: {report}",
        path.display()
    )]
    OtherBackbone {
        /// The file.
        path: PathBuf,
        /// What fits and what does not.
        report: WeightsReport,
    },
    /// Weights of another family of networks, or of a size that has none.
    #[error("use the weights in {} for this backbone: {reason}", path.display())]
    OtherFamily {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A state of another network.
    #[error("load the state of another network: {report}")]
    OtherNetwork {
        /// What fits and what does not.
        report: WeightsReport,
    },
    /// The bytes are no safetensors, or the device refused.
    #[error("convert weights")]
    Tensor(#[source] candle_core::Error),
}

impl State {
    /// The tensor of a name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.0.insert(name.into(), tensor);
    }

    /// Names and tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The state as safetensors; equal states give equal bytes.
    ///
    /// # Errors
    /// When a tensor can't be copied from its device.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        safetensors::serialize(&self.0, None).map_err(|e| WeightsError::Tensor(candle_core::Error::wrap(e)))
    }

    /// The state in some safetensors bytes.
    ///
    /// # Errors
    /// When the bytes are damaged or the device has no room.
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, WeightsError> {
        let tensors = candle_core::safetensors::load_buffer(bytes, device).map_err(WeightsError::Tensor)?;
        Ok(tensors.into_iter().collect())
    }

    /// How the tensors here fit variables of the same names.
    pub(crate) fn fit(&self, vars: &BTreeMap<&str, &Var>) -> WeightsReport {
        let mut report = WeightsReport::default();
        for (&name, var) in vars {
            match self.get(name) {
                None => report.missing.push(name.to_owned()),
                Some(tensor) if tensor.dims() == var.dims() => report.loaded += 1,
                Some(tensor) => report.misshaped.push(Misshaped {
                    name: name.to_owned(),
                    found: tensor.dims().to_vec(),
                    expected: var.dims().to_vec(),
                }),
            }
        }
        report.unused = self.0.keys().filter(|name| !vars.contains_key(name.as_str())).cloned().collect();
        report
    }

    /// Copies every tensor that fits into the variable of its name.
    pub(crate) fn fill(&self, vars: &BTreeMap<&str, &Var>) -> Result<(), WeightsError> {
        for (&name, var) in vars {
            if let Some(tensor) = self.get(name).filter(|t| t.dims() == var.dims()) {
                let tensor = tensor.to_device(var.device()).and_then(|t| t.to_dtype(var.dtype()));
                tensor.and_then(|t| var.set(&t)).map_err(WeightsError::Tensor)?;
            }
        }
        Ok(())
    }
}

impl FromIterator<(String, Tensor)> for State {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl WeightsFile {
    /// Reads all tensors of a file.
    ///
    /// # Errors
    /// When the file can't be read, is damaged, in PyTorch's old format or no weights at all, or has no tensors.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let is_safetensors = path.extension().is_some_and(|e| e == "safetensors");
        let tensors = if is_safetensors { read_safetensors(path) } else { read_pth(path) }?;
        let mut state = State::default();
        for (name, tensor) in tensors {
            let name = name.strip_prefix("module.").unwrap_or(&name);
            if !name.ends_with("num_batches_tracked") {
                let tensor = tensor.to_dtype(DType::F32).map_err(WeightsError::Tensor)?;
                state.insert(name, tensor);
            }
        }
        if state.is_empty() {
            return Err(WeightsError::Empty { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), tensors: state })
    }

    /// Where the weights are from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors, by the names in the file less `module.`.
    pub fn tensors(&self) -> &State {
        &self.tensors
    }

    /// The tensors of a backbone, those under `backbone.` if there are any, else all; and how they fit variables of
    /// the same names.
    ///
    /// # Errors
    /// When more than a tenth of the variables is missing or of another shape, or more than a tenth of the tensors is
    /// unused: a classifier is much less, another network much more.
    pub(crate) fn for_backbone(
        &self,
        own: &BTreeMap<&str, &Var>,
    ) -> Result<(State, WeightsReport), WeightsError> {
        const PREFIX: &str = "backbone.";
        let whole = self.tensors.iter().any(|(name, _)| name.starts_with(PREFIX));
        let (mut state, mut outside) = (State::default(), Vec::new());
        for (name, tensor) in self.tensors.iter() {
            match name.strip_prefix(PREFIX) {
                Some(inner) => state.insert(inner, tensor.clone()),
                None if whole => outside.push(name.to_owned()),
                None => state.insert(name, tensor.clone()),
            }
        }
        let mut report = state.fit(own);
        let lacking = report.missing.len() + report.misshaped.len();
        let other = lacking * 10 > own.len() || report.unused.len() * 10 > state.len();
        report.unused.extend(outside);
        if other {
            return Err(WeightsError::OtherBackbone { path: self.path.clone(), report });
        }
        Ok((state, report))
    }
}

fn read_safetensors(path: &Path) -> Result<Vec<(String, Tensor)>, WeightsError> {
    let path = || path.to_owned();
    let bytes = std::fs::read(path()).map_err(|e| WeightsError::Read { path: path(), source: e.into() })?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
    Ok(tensors.map_err(|source| WeightsError::Damaged { path: path(), source })?.into_iter().collect())
}

/// The tensors of a zip .pth file, at its top level or under one of the usual keys.
fn read_pth(path: &Path) -> Result<Vec<(String, Tensor)>, WeightsError> {
    let damaged = |source| WeightsError::Damaged { path: path.to_owned(), source };
    let mut start = [0; 2];
    let opened = File::open(path).and_then(|mut file| file.read(&mut start));
    opened.map_err(|e| WeightsError::Read { path: path.to_owned(), source: e.into() })?;
    match &start {
        b"PK" => {}
        // A pickle of its second protocol, as all old files are.
        b"\x80\x02" => return Err(WeightsError::OldFormat { path: path.to_owned() }),
        _ => return Err(WeightsError::NoWeights { path: path.to_owned() }),
    }
    for key in [None, Some("model"), Some("state_dict")] {
        let file = match PthTensors::new(path, key) {
            Ok(file) => file,
            Err(source) if key.is_none() => return Err(damaged(source)),
            // There is no such key.
            Err(_) => continue,
        };
        if file.tensor_infos().is_empty() {
            continue;
        }
        let infos: BTreeMap<_, _> = file.tensor_infos().iter().collect();
        let mut tensors = Vec::with_capacity(infos.len());
        for (name, info) in infos {
            if info.layout.start_offset() != 0 {
                return Err(WeightsError::View { path: path.to_owned(), name: name.clone() });
            }
            if let Some(tensor) = file.get(name).map_err(damaged)? {
                tensors.push((name.clone(), tensor));
            }
        }
        return Ok(tensors);
    }
    Err(WeightsError::Empty { path: path.to_owned() })
}

impl WeightsReport {
    /// Whether every name and shape agrees.
    pub fn is_exact(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.misshaped.is_empty()
    }
}

/// How many names of a long list are shown.
const SHOWN: usize = 8;

impl fmt::Display for WeightsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tensors fit", self.loaded)?;
        let misshaped: Vec<_> = self
            .misshaped
            .iter()
            .map(|m| format!("{} is {:?} in the file and {:?} here", m.name, m.found, m.expected))
            .collect();
        for (what, names) in
            [("missing", &self.missing), ("unused", &self.unused), ("of another shape", &misshaped)]
        {
            if names.is_empty() {
                continue;
            }
            write!(f, "; {} {what}: {}", names.len(), names[..names.len().min(SHOWN)].join(", "))?;
            if let Some(more) = names.len().checked_sub(SHOWN).filter(|&more| more > 0) {
                write!(f, " and {more} more")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
