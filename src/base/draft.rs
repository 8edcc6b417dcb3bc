//! Files that are too large for memory, and are there whole or not at all as well.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::fs::{FileError, create_folder, sync_folder, temporary};

/// A file in the making, for content that does not fit into memory: what was written is there once it is
/// [kept](Draft::keep), and never was where it is dropped before.
pub struct Draft {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Starts a file; missing folders are created.
    ///
    /// # Errors
    /// [`FileError`] with the path.
    pub fn new(path: &Path) -> Result<Self, FileError> {
        let folder = folder_of(path);
        create_folder(folder)?;
        let file = temporary().tempfile_in(folder);
        Ok(Self { file: file.map_err(FileError::on("write", path))?, path: path.to_owned() })
    }

    /// Gives the file its name, over the old content, as [`write_atomically`](super::fs::write_atomically) does.
    ///
    /// # Errors
    /// [`FileError`] with the path; the old content is then untouched.
    pub fn keep(mut self) -> Result<(), FileError> {
        let fail = || FileError::on("write", &self.path);
        self.file.flush().map_err(fail())?;
        self.file.as_file().sync_all().map_err(fail())?;
        self.file.persist(&self.path).map_err(|error| FileError::on("write", &self.path)(error.error))?;
        sync_folder(folder_of(&self.path)).map_err(FileError::on("write", &self.path))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The folder of a file; that of a bare name is the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::{list, read};

    #[test]
    fn a_draft_is_there_once_it_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("new");
        let path = folder.join("file");
        let mut dropped = Draft::new(&path).unwrap();
        dropped.write_all(b"one").unwrap();
        drop(dropped);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left of it");
        let mut kept = Draft::new(&path).unwrap();
        kept.write_all(b"two").unwrap();
        assert!(list(&folder).unwrap().is_empty(), "it is in the making");
        kept.keep().unwrap();
        assert_eq!(list(&folder).unwrap(), [&*path]);
        assert_eq!(read(&path).unwrap(), b"two");
    }
}
