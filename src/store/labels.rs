//! Which packs hold pseudo labels of one model under one augmentation: overlapping sets of images share them.

use serde::{Deserialize, Serialize};

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
}

impl Store {
    /// What `label` stages wrote with one labeller (prepared data, model, augmentation), in a fixed order.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn label_indices(&self, labeller: Digest) -> Result<Vec<LabelIndex>, StoreError> {
        fs::list(&layout::labels(self.root(), labeller))?
            .into_iter()
            .map(|path| {
                serde_json::from_slice(&fs::read(&path)?).map_err(|error| StoreError::Unreadable {
                    what: format!("it is no index of labels ({error})"),
                    path,
                })
            })
            .collect()
    }

    /// Notes what a `label` stage wrote.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn note_labels(&self, labeller: Digest, index: &LabelIndex) -> Result<(), StoreError> {
        let name = canon::digest("stpp label index v1", index);
        let path = layout::labels(self.root(), labeller).join(format!("{name}.json"));
        let text = serde_json::to_vec(index).expect("an index is plain data");
        Ok(fs::write_atomically(&path, &text)?)
    }
}
