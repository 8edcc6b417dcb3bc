//! Artifacts, named by the digest of their bytes.

use std::path::PathBuf;

use super::{Store, StoreError, layout};
use crate::base::digest::Digest;
use crate::base::fs;

impl Store {
    /// Keeps some bytes; the same bytes are kept once. Where their place is taken by others, which is damage, those are
    /// set aside.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = layout::object(self.root(), digest);
        match self.get(digest) {
            Ok(_) => return Ok(digest),
            Err(StoreError::Lost { .. }) => {}
            Err(error @ StoreError::Damaged { .. }) => {
                self.quarantine(&path, &error.to_string())?;
            }
            Err(error) => return Err(error),
        }
        fs::write_atomically(&path, bytes)?;
        fs::make_read_only(&path);
        Ok(digest)
    }

    /// The bytes with a digest, checked.
    ///
    /// # Errors
    /// A missing file, or bytes that are not what was written.
    pub fn get(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let path = layout::object(self.root(), digest);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Err(StoreError::Lost { path, digest }),
            Err(error) => return Err(error.into()),
        };
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(StoreError::Damaged { path, expected: digest, found });
        }
        Ok(bytes)
    }

    /// Where the bytes with a digest lie, and whether they do.
    pub fn object_path(&self, digest: Digest) -> Option<PathBuf> {
        let path = layout::object(self.root(), digest);
        path.exists().then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let digest = store.put(b"weights").unwrap();
        assert_eq!(store.put(b"weights").unwrap(), digest);
        assert_eq!(store.get(digest).unwrap(), b"weights");

        let path = store.object_path(digest).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, b"weightz").unwrap();
        assert!(store.get(digest).unwrap_err().is_damage());

        store.put(b"weights").unwrap();
        assert_eq!(store.get(digest).unwrap(), b"weights", "damage is no reason to keep the bytes away");
        assert_eq!(store.quarantined().unwrap().len(), 1);

        std::fs::remove_file(&path).unwrap();
        let error = store.get(digest).unwrap_err();
        assert!(matches!(error, StoreError::Lost { .. }) && error.is_damage());
        assert_eq!(error.damaged_object(), Some(digest));
    }
}
