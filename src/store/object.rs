//! Artifacts, named by the digest of their bytes.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek};
use std::path::PathBuf;

use super::{Store, StoreError, layout};
use crate::base::digest::{ByteHasher, Digest};
use crate::base::fs::{self, FileError};

impl Store {
    /// Keeps some bytes; the same bytes are kept once.
    ///
    /// # Errors
    /// Whatever writing reports; and [`StoreError::Damaged`] where others, which were once the same, have their place:
    /// whoever runs the stage tells it, sets them aside, and runs it again.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        match self.get(digest) {
            Err(StoreError::Lost { path, .. }) => {
                fs::write_atomically(&path, bytes)?;
                fs::make_read_only(&path);
                Ok(digest)
            }
            there => there.map(|_| digest),
        }
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

    /// The bytes with a digest, checked, to be read bit by bit.
    ///
    /// # Errors
    /// As of [`Self::get`].
    pub fn open_object(&self, digest: Digest) -> Result<BufReader<File>, StoreError> {
        let path = layout::object(self.root(), digest);
        let fail = |error| FileError::new("read", &path, error);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Lost { path, digest });
            }
            Err(error) => return Err(fail(error).into()),
        };
        let mut bytes = BufReader::new(file);
        let mut hasher = ByteHasher::default();
        std::io::copy(&mut bytes, &mut hasher).map_err(fail)?;
        let found = hasher.finish();
        if found != digest {
            return Err(StoreError::Damaged { path, expected: digest, found });
        }
        bytes.rewind().map_err(fail)?;
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

        assert!(store.open_object(digest).unwrap_err().is_damage());
        let error = store.put(b"weights").unwrap_err();
        assert_eq!(error.damaged_object(), Some(digest), "what is damaged is told, and not written over");
        std::fs::remove_file(&path).unwrap();
        store.put(b"weights").unwrap();
        assert_eq!(store.get(digest).unwrap(), b"weights");

        std::fs::remove_file(&path).unwrap();
        let error = store.get(digest).unwrap_err();
        assert!(matches!(error, StoreError::Lost { .. }) && error.is_damage());
        assert_eq!(error.damaged_object(), Some(digest));
    }
}
