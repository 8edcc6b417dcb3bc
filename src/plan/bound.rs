//! What a plan knows of the data: digests, ids and counts, bound when the files were read.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::canon;
use crate::base::digest::Digest;

/// A list of image ids that is hashed as the set it is and cheap to share.
///
/// It is written as the digest of its sorted ids: a list of ten thousand images is one line in a record.
#[derive(Clone, PartialEq, Eq)]
pub struct Ids {
    list: Arc<[String]>,
    digest: Digest,
}

impl Ids {
    /// Ids in the order of their list.
    pub fn new(list: impl Into<Arc<[String]>>) -> Self {
        let list = list.into();
        let mut sorted: Vec<&String> = list.iter().collect();
        sorted.sort();
        let digest = canon::digest("stpp ids v1", &sorted);
        Self { list, digest }
    }

    /// The ids, in the order of their list.
    pub fn list(&self) -> &Arc<[String]> {
        &self.list
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Digest of the sorted ids.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Digest of the ids in the order of the list, for rules that depend on it.
    pub fn order_digest(&self) -> Digest {
        canon::digest("stpp ids in order v1", &self.list[..])
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ids({} of {})", self.digest.short(), self.len())
    }
}

impl Serialize for Ids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.digest.serialize(serializer)
    }
}

/// What the files of an experiment turned out to be.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Digest of the manifest: content of every image and mask, classes, shrinking.
    pub manifest: Digest,
    /// Classes C.
    pub classes: usize,
    /// Labeled training images.
    pub labeled: Ids,
    /// Unlabeled training images, in the order of their list.
    pub unlabeled: Ids,
    /// Validation images.
    pub val: Ids,
    /// Test images; empty where the dataset has none.
    pub test: Ids,
    /// Digest of the pretrained weights.
    pub weights: Option<Digest>,
}

impl Bound {
    /// The experiment's id: what was meant (its spec id) and what was found.
    pub fn experiment_id(&self, spec_id: Digest) -> Digest {
        canon::digest(
            "stpp experiment v1",
            &(spec_id, self.manifest, self.labeled.digest(), self.unlabeled.digest(), self.weights),
        )
    }
}

/// The run's id: an experiment on one numerics class.
pub fn run_id(experiment_id: Digest, numerics: &str) -> Digest {
    canon::digest("stpp run v1", &(experiment_id, numerics))
}

impl<'de> Deserialize<'de> for Ids {
    /// Only the digest survives a round trip: records are compared, never run from.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { list: Arc::from([]), digest: Digest::deserialize(deserializer)? })
    }
}
