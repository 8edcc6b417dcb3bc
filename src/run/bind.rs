//! Binding: a spec says what is meant, the files say what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::digest::Digest;
use crate::base::fs::FileError;
use crate::base::{canon, fs};
use crate::data::dataset::Dataset;
use crate::data::problem::DataProblems;
use crate::data::size::ImageSize;
use crate::data::subset::Subset;
use crate::nn::network::fit_of;
use crate::nn::weights::{WeightsError, WeightsFile};
use crate::plan::Bound;
use crate::plan::bound::Ids;
use crate::spec::data::{Data, Split};
use crate::spec::experiment::Experiment;
use crate::spec::model::{Backbone, Model};

/// Data that was opened, and what a plan has to know of it.
#[derive(Clone)]
pub struct Opened {
    /// The images.
    pub dataset: Arc<Dataset>,
    /// Their digests and ids.
    pub bound: Bound,
    /// The image with the shortest side.
    pub smallest: Option<ImageSize>,
}

/// What two experiments share when they read the same data and split.
pub fn binding(experiment: &Experiment) -> Digest {
    canon::digest("stpp binding v1", &(&experiment.data, &experiment.split))
}

/// Opens the data of experiments; the same data and split is opened once.
pub struct Binder<'a> {
    cache: &'a Path,
    /// What was opened, by the data and split it was asked for. A study has few of them, and most members ask for what
    /// the one before asked for.
    opened: Vec<(Data, Split, Opened)>,
    weights: BTreeMap<PathBuf, Digest>,
    /// Weights and the backbones that they were found to fit.
    fitting: BTreeSet<Digest>,
}

/// Why an experiment can't be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The data is not as it should be.
    #[error(transparent)]
    Data(#[from] DataProblems),
    /// The weights can't be read.
    #[error("read the pretrained weights of `model.weights`")]
    Weights(#[source] FileError),
    /// The weights are damaged, or of another network.
    #[error("start a {backbone} of width {width} from `model.weights`")]
    Pretrained {
        /// The network.
        backbone: Backbone,
        /// Its width.
        width: f64,
        /// Why not.
        #[source]
        source: Box<WeightsError>,
    },
}

impl<'a> Binder<'a> {
    /// A binder that caches manifests in a folder.
    pub fn new(cache: &'a Path) -> Self {
        Self { cache, opened: Vec::new(), weights: BTreeMap::new(), fitting: BTreeSet::new() }
    }

    /// Opens an experiment's data, split and weights.
    ///
    /// # Errors
    /// Every problem of the data at once.
    pub fn bind(&mut self, experiment: &Experiment) -> Result<Opened, BindError> {
        let mut opened = self.opened(experiment)?;
        if let Some(path) = &experiment.model.weights {
            if !self.weights.contains_key(path) {
                let bytes = fs::read(path).map_err(BindError::Weights)?;
                self.weights.insert(path.clone(), Digest::of(&bytes));
            }
            let digest = self.weights[path];
            self.fits(&experiment.model, path, digest)?;
            opened.bound.weights = Some(digest);
        }
        Ok(opened)
    }

    fn opened(&mut self, experiment: &Experiment) -> Result<Opened, BindError> {
        let is_same = |(data, split, _): &&(Data, Split, Opened)| {
            (data, split) == (&experiment.data, &experiment.split)
        };
        if let Some((_, _, opened)) = self.opened.iter().rev().find(is_same) {
            return Ok(opened.clone());
        }
        let opened = open(experiment, self.cache)?;
        self.opened.push((experiment.data.clone(), experiment.split.clone(), opened.clone()));
        Ok(opened)
    }

    /// Whether the weights are those of the model's backbone, which each pair of them is asked once.
    fn fits(&mut self, model: &Model, path: &Path, weights: Digest) -> Result<(), BindError> {
        let pair = canon::digest("stpp fitting v1", &(weights, model.backbone, model.width));
        if self.fitting.insert(pair) {
            let fit = WeightsFile::read(path).and_then(|file| fit_of(model, &file));
            let (backbone, width) = (model.backbone, model.width);
            fit.map_err(|error| BindError::Pretrained { backbone, width, source: Box::new(error) })?;
        }
        Ok(())
    }
}

fn open(experiment: &Experiment, cache: &Path) -> Result<Opened, DataProblems> {
    let (dataset, split) = Dataset::open(&experiment.data, &experiment.split, cache)?;
    let ids = |subset| Ids::new(dataset.subset(subset).map(|entry| entry.id.clone()).collect::<Vec<_>>());
    let bound = Bound {
        manifest: dataset.manifest.digest(),
        classes: dataset.classes.len(),
        labeled: Ids::new(split.labeled),
        unlabeled: Ids::new(split.unlabeled),
        val: ids(Subset::Val),
        test: ids(Subset::Test),
        weights: None,
    };
    let smallest = dataset.smallest();
    Ok(Opened { dataset: Arc::new(dataset), bound, smallest })
}
