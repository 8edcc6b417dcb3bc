//! The stages: the only place where the store and learning meet.
//!
//! Every file is the glue of one kind of stage: read the inputs' artifacts, call `train` or `method`, keep what
//! came out. What a stage may read is in its [`Context`]; what it leaves is [`Left`]; the executor commits it.

pub mod desk;
pub mod evaluate;
pub mod label;
pub mod metrics;
pub mod model;
pub mod pixels;
pub mod prepare;
pub mod preview;
pub mod samples;
pub mod score;
pub mod select;
mod statistics;
pub mod tile;
pub mod train;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use candle_core::Device;

use crate::base::canon;
use crate::base::digest::Digest;
use crate::base::progress::Interrupted;
use crate::data::dataset::Dataset;
use crate::data::decode::DecodeError;
use crate::data::problem::DataProblems;
use crate::data::reader::{PixelError, Pixels};
use crate::method::select::image::ScoreError;
use crate::method::select::pixel::PixelError as RuleError;
use crate::nn::network::NetworkError;
use crate::nn::weights::WeightsError;
use crate::plan::graph::Want;
use crate::plan::work::Work;
use crate::plan::{Role, StageKey};
use crate::spec::preset::default_palette;
use crate::store::{Artifact, Mark, Record, Store, StoreError};
use crate::train::evaluate::InferenceError;
use crate::train::fit::FitError;
pub use desk::Desk;
use pixels::PreparedPixels;

/// What a stage may read.
pub struct Context<'a> {
    /// Where the artifacts of its inputs are.
    pub store: &'a Store,
    /// Where its own go: the same store, or one that is looked at and thrown away.
    pub keeps: &'a Store,
    /// Its key.
    pub key: StageKey,
    /// The data behind the `prepare` stage.
    pub dataset: &'a Arc<Dataset>,
    /// Its pixels; none while they are being prepared.
    pub pixels: Option<Arc<PreparedPixels>>,
    /// Where to compute.
    pub device: &'a Device,
    /// Files with pretrained weights, by digest.
    pub weights: &'a BTreeMap<Digest, PathBuf>,
    /// The model it trains or reads.
    pub role: Option<Role>,
    /// Outputs that someone wants.
    pub wants: &'a BTreeSet<Want>,
    /// The records of its inputs, in the order its work documents.
    pub inputs: Vec<&'a Record>,
}

/// What a stage leaves.
#[derive(Debug, Default)]
pub struct Left {
    /// Artifacts by name.
    pub outputs: BTreeMap<String, Artifact>,
    /// Small results by name.
    pub values: BTreeMap<String, f64>,
    /// The trace of a training.
    pub trace: Option<Digest>,
    /// The trace along the way.
    pub marks: Vec<Mark>,
    /// One line for the screen.
    pub headline: String,
}

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The data is not as it should be.
    #[error(transparent)]
    Data(#[from] DataProblems),
    /// An image can't be read.
    #[error(transparent)]
    Pixels(#[from] PixelError),
    /// An artifact of ours can't be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A training failed.
    #[error(transparent)]
    Fit(Box<FitError<StageError>>),
    /// An inference pass failed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// Image-level selection failed.
    #[error(transparent)]
    Criterion(#[from] ScoreError),
    /// Pixel-level selection failed.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The network can't be built.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Weights can't be loaded.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A tensor operation failed.
    #[error("compute")]
    Compute(#[from] candle_core::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No pixel of the evaluated images counts.
    #[error(
        "evaluate on the {subset} images: every pixel of every mask is ignored; `stpp data check` shows the shares"
    )]
    NothingCounts {
        /// `val` or `test`.
        subset: String,
    },
    /// An input lacks something that this version of the stage leaves.
    #[error("read `{output}` of {stage}: its record does not name it; move the record away and run again")]
    NoOutput {
        /// The input.
        stage: String,
        /// What is missing.
        output: String,
    },
    /// A resume point of a network that is built otherwise now.
    #[error(
        "go on with {stage} after step {step}: its resume point is of another network; remove its folder in \
         running-v1 and run again, and the stage begins anew"
    )]
    OtherResume {
        /// The stage.
        stage: String,
        /// The step.
        step: u64,
        /// What does not fit.
        #[source]
        source: Box<WeightsError>,
    },
    /// An artifact of ours has another form.
    #[error("read `{output}` of {stage}: {what}; move its record away and run again")]
    BadOutput {
        /// The input.
        stage: String,
        /// Which output.
        output: String,
        /// What is wrong with it.
        what: String,
    },
}

impl StageError {
    /// Whether the user asked for it.
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::Interrupted(_) | Self::Inference(InferenceError::Interrupted(_)) => true,
            Self::Data(problems) => problems.is_interrupted(),
            _ => false,
        }
    }

    /// Whether the user's own files are to blame: their images or pretrained weights.
    pub fn is_of_input(&self) -> bool {
        matches!(self, Self::Data(_) | Self::Weights(_) | Self::Network(_))
    }

    /// Whether what was stored is damaged.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::NoOutput { .. } | Self::BadOutput { .. } => true,
            _ => false,
        }
    }
}

impl From<FitError<StageError>> for StageError {
    fn from(error: FitError<StageError>) -> Self {
        match error {
            FitError::Interrupted(interrupted) => Self::Interrupted(interrupted),
            FitError::Look(error) => error,
            other => Self::Fit(Box::new(other)),
        }
    }
}

/// Runs a stage.
///
/// # Errors
/// [`StageError`]; nothing is committed then.
pub fn run(work: &Work, context: &Context<'_>, desk: &mut dyn Desk) -> Result<Left, StageError> {
    match work {
        Work::Prepare(_) => prepare::run(context, desk),
        Work::Train(work) => train::run(work, context, desk),
        Work::Score(work) => score::run(work, context, desk),
        Work::Label(work) => label::run(work, context, desk),
        Work::SelectImages(work) => select::images(work, context),
        Work::SelectPixels(work) => select::pixels(work, context, desk),
        Work::Evaluate(work) => evaluate::run(work, context, desk),
    }
}

/// Puts bytes into the store as an artifact.
///
/// # Errors
/// Whatever writing reports.
pub fn keep(store: &Store, bytes: &[u8]) -> Result<Artifact, StoreError> {
    Ok(Artifact { digest: store.put(bytes)?, bytes: bytes.len() as u64 })
}

/// The parsed JSON of an output of a stage that is done.
fn read_output<T: serde::de::DeserializeOwned>(
    store: &Store,
    record: &Record,
    output: &str,
) -> Result<T, StageError> {
    let stage = || format!("{} {}", record.kind, record.key.short());
    let missing = || StageError::NoOutput { stage: stage(), output: output.to_owned() };
    let bytes = store.get(record.output(output).ok_or_else(missing)?)?;
    serde_json::from_slice(&bytes).map_err(|error| StageError::BadOutput {
        stage: stage(),
        output: output.to_owned(),
        what: error.to_string(),
    })
}

impl Context<'_> {
    /// The colours that stored masks carry: always the same ones, since `data.palette` is for people and in no key.
    fn colours(&self) -> Vec<[u8; 3]> {
        default_palette(self.dataset.classes.len())
    }

    /// The pixels of the prepared data.
    fn pixels(&self) -> &Arc<PreparedPixels> {
        self.pixels.as_ref().expect("every stage but prepare comes after it")
    }

    /// The bytes of an input's output.
    fn read(&self, input: usize, output: &str) -> Result<Vec<u8>, StageError> {
        let record = self.inputs[input];
        let digest = record.output(output).ok_or_else(|| StageError::NoOutput {
            stage: format!("{} {}", record.kind, record.key.short()),
            output: output.to_owned(),
        })?;
        Ok(self.store.get(digest)?)
    }

    /// The parsed JSON of an input's output.
    fn read_json<T: serde::de::DeserializeOwned>(&self, input: usize, output: &str) -> Result<T, StageError> {
        let bytes = self.read(input, output)?;
        serde_json::from_slice(&bytes).map_err(|error| self.bad(input, output, &error.to_string()))
    }

    /// A pack that an input left.
    fn read_pack(&self, input: usize, output: &str) -> Result<crate::store::pack::Pack, StageError> {
        let bytes = self.read(input, output)?;
        crate::store::pack::Pack::read(bytes).map_err(|error| self.bad(input, output, &error.to_string()))
    }

    /// `teacher 3f2a…`
    fn name(&self) -> String {
        let role = self.role.map_or("stage", Role::word);
        format!("{role} {}", self.key.short())
    }

    /// Tells executions apart whose results of single images must not be mixed.
    fn identity(&self) -> Digest {
        canon::digest("stpp images v1", &(self.key, self.wants))
    }

    fn bad(&self, input: usize, output: &str, what: &str) -> StageError {
        let record = self.inputs[input];
        StageError::BadOutput {
            stage: format!("{} {}", record.kind, record.key.short()),
            output: output.to_owned(),
            what: what.to_owned(),
        }
    }

    /// The true mask of an unlabeled image, for diagnostics.
    fn truth(&self, id: &str) -> Result<Option<Arc<crate::data::image::Mask>>, PixelError> {
        self.pixels().truth(id)
    }
}
