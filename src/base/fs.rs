//! Files that are there whole or not at all.

use std::fs::{self, DirEntry, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What failed, and on which path.
#[derive(Debug, thiserror::Error)]
#[error("{action} {path}")]
pub struct FileError {
    /// The action as a verb: "write", "read", "create".
    pub action: &'static str,
    /// The path as it was asked for.
    pub path: PathBuf,
    /// The system's word.
    #[source]
    pub source: io::Error,
}

impl FileError {
    fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }

    /// Whether the path simply does not exist.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// Reads a whole file.
///
/// # Errors
/// [`FileError`] with the path.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(FileError::on("read", path))
}

/// Reads a whole UTF-8 file.
///
/// # Errors
/// [`FileError`] with the path, also for a file that is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(FileError::on("read", path))
}

/// Creates a folder and the ones above it.
///
/// # Errors
/// [`FileError`] with the path.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(FileError::on("create the folder", path))
}

/// How the names of files in the making begin; [`list`] does not see them.
const TEMPORARY: &str = ".tmp-";

/// Writes a file so that a reader sees the old content or the new, and the new survives a power cut:
/// a temporary file beside it, synced, renamed over it, folder synced. Missing folders are created.
///
/// # Errors
/// [`FileError`] with the path; the old content is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    create_folder(folder)?;
    let fail = || FileError::on("write", path);
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder).map_err(fail())?;
    file.write_all(bytes).map_err(fail())?;
    file.as_file().sync_all().map_err(fail())?;
    file.persist(path).map_err(|error| fail()(error.error))?;
    sync_folder(folder).map_err(fail())
}

/// Writes a file as [`write_atomically`] does, unless it has that very content: what is written again and again, and
/// hardly ever changes, then costs no waiting for the disk.
///
/// # Errors
/// [`FileError`] with the path; the old content is then untouched.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    match fs::read(path) {
        Ok(there) if there == bytes => Ok(()),
        _ => write_atomically(path, bytes),
    }
}

/// What is directly in a folder, sorted by name; none when there is no such folder. Files that another call is writing,
/// or did not finish, are not there yet.
///
/// # Errors
/// [`FileError`] with the path.
pub fn list(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::on("list", path)(error)),
    };
    let mut found = entries
        .filter(|entry| !entry.as_ref().is_ok_and(is_in_the_making))
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(FileError::on("list", path))?;
    found.sort();
    Ok(found)
}

fn is_in_the_making(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(TEMPORARY)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/file");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(list(path.parent().unwrap()).unwrap(), [path]);
    }

    #[test]
    fn a_file_that_has_its_content_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let written = || fs::metadata(&path).unwrap().modified().unwrap();
        write_if_changed(&path, b"one").unwrap();
        let first = written();
        std::thread::sleep(std::time::Duration::from_millis(20));
        write_if_changed(&path, b"one").unwrap();
        assert_eq!(written(), first);
        write_if_changed(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_ne!(written(), first);
    }

    #[test]
    fn a_file_in_the_making_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        write_atomically(&folder.path().join("whole"), b"").unwrap();
        fs::write(folder.path().join(".tmp-half"), b"").unwrap();
        assert_eq!(list(folder.path()).unwrap(), [folder.path().join("whole")]);
    }

    #[test]
    fn an_error_names_the_path() {
        let error = read(Path::new("no/such/file")).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), "read no/such/file");
    }
}
