//! Binding: a spec says what is meant, the files say what is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::base::digest::Digest;
use crate::base::fs::FileError;
use crate::base::{canon, fs};
use crate::data::dataset::Dataset;
use crate::data::problem::DataProblems;
use crate::data::subset::Subset;
use crate::plan::Bound;
use crate::plan::bound::Ids;
use crate::spec::experiment::Experiment;

/// Data that was opened, and what a plan has to know of it.
#[derive(Clone)]
pub struct Opened {
    /// The images.
    pub dataset: Arc<Dataset>,
    /// Their digests and ids.
    pub bound: Bound,
}

/// What two experiments share when they read the same data and split.
pub fn binding(experiment: &Experiment) -> Digest {
    canon::digest("stpp binding v1", &(&experiment.data, &experiment.split))
}

/// Opens the data of experiments; the same data and split is opened once.
pub struct Binder<'a> {
    cache: &'a Path,
    opened: BTreeMap<Digest, Opened>,
    weights: BTreeMap<std::path::PathBuf, Digest>,
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
}

impl<'a> Binder<'a> {
    /// A binder that caches manifests in a folder.
    pub fn new(cache: &'a Path) -> Self {
        Self { cache, opened: BTreeMap::new(), weights: BTreeMap::new() }
    }

    /// Opens an experiment's data, split and weights.
    ///
    /// # Errors
    /// Every problem of the data at once.
    pub fn bind(&mut self, experiment: &Experiment) -> Result<Opened, BindError> {
        let which = binding(experiment);
        if !self.opened.contains_key(&which) {
            self.opened.insert(which, open(experiment, self.cache)?);
        }
        let mut opened = self.opened[&which].clone();
        if let Some(path) = &experiment.model.weights {
            if !self.weights.contains_key(path) {
                let bytes = fs::read(path).map_err(BindError::Weights)?;
                self.weights.insert(path.clone(), Digest::of(&bytes));
            }
            opened.bound.weights = Some(self.weights[path]);
        }
        Ok(opened)
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
    Ok(Opened { dataset: Arc::new(dataset), bound })
}
