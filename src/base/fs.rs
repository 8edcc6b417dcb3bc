//! Files that are there whole or not at all.

use std::fs::{self, DirEntry, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::failpoint;

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
    /// That an action failed on a path.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }

    /// Says of an error of the system on which path it was, and what was tried.
    pub fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::new(action, path, source)
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

/// Reads a whole file, if it is there.
///
/// # Errors
/// [`FileError`] with the path, but for a file that does not exist.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a whole UTF-8 file.
///
/// # Errors
/// [`FileError`] with the path, also for a file that is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(FileError::on("read", path))
}

/// Creates a folder and the ones above it, which survive a power cut from then on.
///
/// # Errors
/// [`FileError`] with the path.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    if path.is_dir() || path.as_os_str().is_empty() {
        return Ok(());
    }
    let missing: Vec<&Path> = path.ancestors().take_while(|above| !above.is_dir()).collect();
    let create = || {
        failpoint::io("folder")?;
        fs::create_dir_all(path)?;
        missing.iter().filter_map(|new| new.parent()).try_for_each(|above| match sync_folder(above) {
            // A folder that may be entered and not listed.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        })
    };
    create().map_err(FileError::on("create the folder", path))
}

/// How the names of files in the making begin; [`list`] does not see them.
pub(super) const TEMPORARY: &str = ".tmp-";

/// How files in the making are made: readable for whom the user's umask says, as any other file of hers.
pub(super) fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Writes a file so that a reader sees the old content or the new, and the new survives a power cut:
/// a temporary file beside it, synced, renamed over it, folder synced. Missing folders are created.
///
/// # Errors
/// [`FileError`] with the path; the old content is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    create_folder(folder)?;
    replace(path, folder, bytes).map_err(FileError::on("write", path))
}

fn replace(path: &Path, folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let what = failpoint::what_is_written(path);
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    failpoint::io(format_args!("{what}.begin"))?;
    let mut file = temporary().tempfile_in(folder)?;
    file.write_all(first)?;
    failpoint::io(format_args!("{what}.half"))?;
    file.write_all(rest)?;
    failpoint::io(format_args!("{what}.unsynced"))?;
    file.as_file().sync_all()?;
    failpoint::io(format_args!("{what}.synced"))?;
    file.persist(path).map_err(|error| error.error)?;
    failpoint::hit(format_args!("{what}.renamed"));
    sync_folder(folder)
}

/// Makes a file that is not there yet, and says whether it did: of several processes one does. Where the file system
/// has hard links, a reader never sees the file without its bytes.
///
/// # Errors
/// [`FileError`] with the path.
pub fn create_exclusively(path: &Path, bytes: &[u8]) -> Result<bool, FileError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    create_folder(folder)?;
    let fail = || FileError::on("create", path);
    let what = failpoint::what_is_written(path);
    failpoint::io(format_args!("{what}.begin")).map_err(fail())?;
    let mut whole = temporary().tempfile_in(folder).map_err(fail())?;
    whole.write_all(bytes).map_err(fail())?;
    failpoint::io(format_args!("{what}.unmade")).map_err(fail())?;
    let made = fs::hard_link(whole.path(), path).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Err(error),
        _ => File::options().write(true).create_new(true).open(path)?.write_all(bytes),
    });
    match made {
        Ok(()) => {
            failpoint::hit(format_args!("{what}.made"));
            Ok(true)
        }
        // A network file system may have lost its first answer, and say of our own file that it is there already.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(fs::read(path).is_ok_and(|there| there == bytes))
        }
        Err(error) => Err(fail()(error)),
    }
}

/// Writes a file so that a reader sees the old content or the new, as [`write_atomically`], but leaves it to the system
/// when that reaches the disk: for what means nothing after a power cut. The folder is there.
///
/// # Errors
/// [`FileError`] with the path; the old content is then untouched.
pub fn overwrite(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let fail = || FileError::on("write", path);
    failpoint::io(format_args!("{}.overwrite", failpoint::what_is_written(path))).map_err(fail())?;
    let mut file = temporary().tempfile_in(folder).map_err(fail())?;
    file.write_all(bytes).map_err(fail())?;
    file.persist(path).map_err(|error| fail()(error.error))?;
    Ok(())
}

/// A new folder that is removed, with all in it, when this goes.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// A scratch folder in another one, which is created if it is missing.
    ///
    /// # Errors
    /// [`FileError`] with the path.
    pub fn new(inside: &Path) -> Result<Self, FileError> {
        create_folder(inside)?;
        let folder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(inside);
        folder.map(Self).map_err(FileError::on("create a folder in", inside))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Removes a file; one that is gone already is fine.
///
/// # Errors
/// [`FileError`] with the path.
pub fn remove(path: &Path) -> Result<(), FileError> {
    failpoint::hit(format_args!("{}.remove", failpoint::what_is_written(path)));
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Removes a folder and all in it; one that is gone already is fine.
///
/// # Errors
/// [`FileError`] with the path.
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    if cfg!(feature = "failpoints")
        && let Some(first) = list(path)?.first()
    {
        remove(first)?;
        failpoint::hit("folder.half-removed");
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Opens a file to be read bit by bit.
///
/// # Errors
/// [`FileError`] with the path.
pub fn open(path: &Path) -> Result<File, FileError> {
    File::open(path).map_err(FileError::on("open", path))
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
    match failpoint::io("folder").and_then(|()| fs::create_dir(path)) {
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
    let what = failpoint::what_is_written(to);
    failpoint::io(format_args!("{what}.move"))
        .and_then(|()| fs::rename(from, to))
        .map_err(FileError::on("move", from))?;
    failpoint::hit(format_args!("{what}.moved"));
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
        failpoint::io(format_args!("{}.line", failpoint::what_is_written(path)))?;
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
    #[cfg(unix)]
    fn a_file_is_for_whom_the_umask_says() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomically(&ours, b"").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
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
