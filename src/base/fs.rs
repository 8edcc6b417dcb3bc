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
    /// Says of an error of the system on which path it was, and what was tried.
    pub fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
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
pub(super) const TEMPORARY: &str = ".tmp-";

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

/// Opens a file to be read bit by bit.
///
/// # Errors
/// [`FileError`] with the path.
pub fn open(path: &Path) -> Result<File, FileError> {
    File::open(path).map_err(FileError::on("open", path))
}

/// Removes a file; one that is gone already is fine.
///
/// # Errors
/// [`FileError`] with the path.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::on("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a folder if it is empty; whether it was.
pub fn remove_empty(path: &Path) -> bool {
    fs::remove_dir(path).is_ok()
}

/// Makes people and programs unable to edit a file by accident; a file system without permissions is fine too.
pub fn make_read_only(path: &Path) {
    if let Ok(metadata) = fs::metadata(path) {
        let mut permissions = metadata.permissions();
        permissions.set_readonly(true);
        drop(fs::set_permissions(path, permissions));
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

/// Whether something has that path: a file, a folder, or a link that leads nowhere.
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Creates a folder that nobody else created; whether it did. Folders above it are created as needed.
///
/// # Errors
/// [`FileError`] with the path.
pub fn create_new_folder(path: &Path) -> Result<bool, FileError> {
    if let Some(above) = path.parent() {
        create_folder(above)?;
    }
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FileError::on("create the folder", path)(error)),
    }
}

/// Moves a file or folder; what has the new path is replaced. The move survives a power cut.
///
/// # Errors
/// [`FileError`] with the path that it had.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(FileError::on("move", from))?;
    let folders = [from.parent(), to.parent()];
    folders
        .into_iter()
        .flatten()
        .try_for_each(|folder| sync_folder(folder).map_err(FileError::on("move", from)))
}

/// Adds a line to a file, which is made where it is missing; lines of several processes don't mix.
///
/// # Errors
/// [`FileError`] with the path.
pub fn append_line(path: &Path, line: &str) -> Result<(), FileError> {
    let append = || {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    };
    append().map_err(FileError::on("write", path))
}

fn is_in_the_making(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(TEMPORARY)
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
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
    fn a_file_in_the_making_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        write_atomically(&folder.path().join("whole"), b"").unwrap();
        fs::write(folder.path().join(".tmp-half"), b"").unwrap();
        assert_eq!(list(folder.path()).unwrap(), [folder.path().join("whole")]);
    }

    #[test]
    fn a_line_is_added_and_a_folder_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        append_line(&log, "one").unwrap();
        append_line(&log, "two").unwrap();
        assert_eq!(read_text(&log).unwrap(), "one\ntwo\n");
        assert!(create_new_folder(&folder.path().join("a/b")).unwrap());
        assert!(!create_new_folder(&folder.path().join("a/b")).unwrap());
    }

    #[test]
    fn an_error_names_the_path() {
        let error = read(Path::new("no/such/file")).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), "read no/such/file");
    }
}
