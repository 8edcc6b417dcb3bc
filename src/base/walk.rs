//! All that is under a folder.

use std::fs;
use std::io;
use std::path::Path;

use super::fs::{FileError, TEMPORARY};

/// A file of a folder, at any depth.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Where, relative to the folder, with `/` between its parts.
    pub path: String,
    /// How large.
    pub bytes: u64,
}

impl Entry {
    /// Whether another call is writing it, or did not finish.
    pub fn is_in_the_making(&self) -> bool {
        self.path.rsplit('/').next().is_some_and(|name| name.starts_with(TEMPORARY))
    }
}

/// Every file under a folder, also those in the making, sorted by path; none when there is no such folder.
/// Links are files, whatever they lead to.
///
/// # Errors
/// [`FileError`] with the path of the folder that can't be listed.
pub fn walk(root: &Path) -> Result<Vec<Entry>, FileError> {
    let mut found = Vec::new();
    walk_into(root, "", &mut found)?;
    found.sort();
    Ok(found)
}

fn walk_into(folder: &Path, prefix: &str, found: &mut Vec<Entry>) -> Result<(), FileError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::on("list", folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(FileError::on("list", folder))?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // What was removed meanwhile is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            walk_into(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push(Entry { path, bytes: metadata.len() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fs::write_atomically;

    #[test]
    fn files_of_any_depth_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        assert!(walk(&folder.path().join("none")).unwrap().is_empty());
        write_atomically(&folder.path().join("b/c/d"), b"12").unwrap();
        write_atomically(&folder.path().join("a"), b"1").unwrap();
        fs::write(folder.path().join("b/.tmp-half"), b"").unwrap();
        let found = walk(folder.path()).unwrap();
        let seen: Vec<_> = found.iter().map(|e| (e.path.as_str(), e.bytes, e.is_in_the_making())).collect();
        assert_eq!(seen, [("a", 1, false), ("b/.tmp-half", 0, true), ("b/c/d", 2, false)]);
    }
}
