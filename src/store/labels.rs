//! Which packs hold pseudo labels of one model under one augmentation: overlapping sets of images share them.

use serde::{Deserialize, Serialize};

use super::sealed::{self, Form, Found};
use super::{Store, StoreError, layout};
use crate::base::canon;
use crate::base::digest::Digest;
use crate::base::fs;

/// The packs that one `label` stage wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelIndex {
    /// Masks.
    pub masks: Digest,
    /// Confidence, where it was wanted.
    pub confidence: Option<Digest>,
    /// Entropy, where it was wanted.
    pub entropy: Option<Digest>,
    /// How good the labels are, image by image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Digest>,
}

impl LabelIndex {
    /// What its file is named by.
    pub fn name(&self) -> Digest {
        canon::digest("stpp label index v1", self)
    }

    /// The packs that it names.
    pub fn packs(&self) -> impl Iterator<Item = Digest> {
        std::iter::once(self.masks).chain(self.confidence).chain(self.entropy)
    }
}

impl Store {
    /// What `label` stages wrote with one labeller (prepared data, model, augmentation), in a fixed order.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn label_indices(&self, labeller: Digest) -> Result<Vec<LabelIndex>, StoreError> {
        let folders = [
            (layout::labels(self.root(), labeller), Form::Sealed),
            (layout::v1::labels(self.root(), labeller), Form::Bare),
        ];
        let mut found: Vec<Found<LabelIndex>> = sealed::read_all(&folders, "index of labels", false)?;
        found.sort_by(|one, other| one.path.file_name().cmp(&other.path.file_name()));
        found.into_iter().map(|found| found.content).collect()
    }

    /// The index of every labeller, each with its path, in a fixed order; also those that can't be read.
    ///
    /// # Errors
    /// A folder that can't be listed.
    pub fn label_files(&self) -> Result<Vec<Found<LabelIndex>>, StoreError> {
        let mut found = Vec::new();
        let buckets = [
            (layout::all_labels(self.root()), Form::Sealed),
            (layout::v1::all_labels(self.root()), Form::Bare),
        ];
        for (bucket, form) in buckets {
            let folders: Vec<_> = fs::list(&bucket)?.into_iter().map(|folder| (folder, form)).collect();
            found.extend(sealed::read_all(&folders, "index of labels", true)?);
        }
        Ok(found)
    }

    /// Notes what a `label` stage wrote.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn note_labels(&self, labeller: Digest, index: &LabelIndex) -> Result<(), StoreError> {
        let path = layout::label_index(self.root(), labeller, index.name());
        Ok(fs::write_atomically(&path, &sealed::seal(index))?)
    }
}
