//! Many small things in one artifact: blobs, then an index, then the index's length.
//!
//! ```text
//! blob … blob | index (JSON) | length of the index, u64 little-endian | "stpp-pack-v1\n"
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;

const MAGIC: &[u8] = b"stpp-pack-v1\n";

/// One thing in a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    id: String,
    offset: u64,
    length: u64,
    digest: Digest,
}

/// Writes a pack.
#[derive(Debug, Default)]
pub struct PackWriter {
    bytes: Vec<u8>,
    index: Vec<Entry>,
}

impl PackWriter {
    /// Adds a blob. Ids are expected in the order in which a reader should see them.
    pub fn add(&mut self, id: &str, blob: &[u8]) {
        self.index.push(Entry {
            id: id.to_owned(),
            offset: self.bytes.len() as u64,
            length: blob.len() as u64,
            digest: Digest::of(blob),
        });
        self.bytes.extend_from_slice(blob);
    }

    /// The pack's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        let index = serde_json::to_vec(&self.index).expect("an index is plain data");
        self.bytes.extend_from_slice(&index);
        self.bytes.extend_from_slice(&(index.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(MAGIC);
        self.bytes
    }
}

/// A pack that was read.
#[derive(Debug, Default)]
pub struct Pack {
    bytes: Vec<u8>,
    index: Vec<Entry>,
    position: BTreeMap<String, usize>,
}

/// Bytes that are no pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a pack: the bytes are not in the form that stpp writes")]
pub struct NotAPack;

impl Pack {
    /// Reads a pack from its bytes.
    ///
    /// # Errors
    /// [`NotAPack`] for anything that [`PackWriter`] did not write.
    pub fn read(bytes: Vec<u8>) -> Result<Self, NotAPack> {
        let body = bytes.strip_suffix(MAGIC).ok_or(NotAPack)?;
        let (body, length) = body.split_last_chunk::<8>().ok_or(NotAPack)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| NotAPack)?;
        let start = body.len().checked_sub(length).ok_or(NotAPack)?;
        let index: Vec<Entry> = serde_json::from_slice(&body[start..]).map_err(|_| NotAPack)?;
        if index.iter().any(|e| e.offset.checked_add(e.length).is_none_or(|end| end > start as u64)) {
            return Err(NotAPack);
        }
        let position = index.iter().enumerate().map(|(at, entry)| (entry.id.clone(), at)).collect();
        Ok(Self { bytes, index, position })
    }

    /// Whether bytes claim to be a pack.
    pub fn is_claimed_by(bytes: &[u8]) -> bool {
        bytes.ends_with(MAGIC)
    }

    /// The first blob whose bytes are not those that were added, by its id.
    pub fn first_damaged(&self) -> Option<&str> {
        let damaged = (0..self.len()).find(|&at| Digest::of(self.blob(at)) != self.index[at].digest)?;
        Some(&self.index[damaged].id)
    }

    /// The blob with an id.
    pub fn get(&self, id: &str) -> Option<&[u8]> {
        self.position.get(id).map(|&at| self.blob(at))
    }

    /// The ids, in the order in which they were written.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.index.iter().map(|entry| entry.id.as_str())
    }

    /// Number of blobs.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn blob(&self, at: usize) -> &[u8] {
        let entry = &self.index[at];
        &self.bytes[entry.offset as usize..(entry.offset + entry.length) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_went_in_comes_out(blobs in prop::collection::btree_map("[a-z/]{1,8}", prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut writer = PackWriter::default();
            for (id, blob) in &blobs {
                writer.add(id, blob);
            }
            let pack = Pack::read(writer.finish()).unwrap();
            prop_assert_eq!(pack.ids().collect::<Vec<_>>(), blobs.keys().collect::<Vec<_>>());
            for (id, blob) in &blobs {
                prop_assert_eq!(pack.get(id), Some(&blob[..]));
            }
        }

        #[test]
        fn a_flipped_bit_in_a_blob_is_found(at in 0usize..60, bit in 0u8..8) {
            let mut writer = PackWriter::default();
            writer.add("a", &[1; 50]);
            writer.add("b", &[2; 10]);
            let mut bytes = writer.finish();
            prop_assert!(Pack::is_claimed_by(&bytes));
            let sound = Pack::read(bytes.clone()).unwrap();
            prop_assert_eq!(sound.first_damaged(), None);
            bytes[at] ^= 1 << bit;
            let damaged = Pack::read(bytes).unwrap();
            prop_assert_eq!(damaged.first_damaged(), Some(if at < 50 { "a" } else { "b" }));
        }

        #[test]
        fn any_other_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Pack::read(bytes).is_err());
        }

        #[test]
        fn a_truncated_pack_is_refused(cut in 1usize..100) {
            let mut writer = PackWriter::default();
            writer.add("a", &[1; 50]);
            let mut bytes = writer.finish();
            bytes.truncate(bytes.len().saturating_sub(cut));
            prop_assert!(Pack::read(bytes).is_err());
        }
    }
}
