//! Where damaged files go: out of the way, and kept.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, layout};
use crate::base::fs;

/// A line of the log: what was moved, where to, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Where it was, relative to the store.
    pub from: String,
    /// Where it is, relative to the store.
    pub to: String,
    /// What was wrong with it.
    pub why: String,
}

impl Store {
    /// Moves a damaged file or folder of this store out of the way and says so in the log. The answer is where it is now;
    /// a file that is not there (any more) stays where it is not.
    ///
    /// # Errors
    /// Whatever moving or writing the log reports.
    ///
    /// # Panics
    /// When the path is not in the store.
    pub fn quarantine(&self, path: &Path, why: &str) -> Result<PathBuf, StoreError> {
        let inside = path.strip_prefix(self.root()).expect("what is set aside is a file of the store");
        if !fs::is_there(path) {
            return Ok(path.to_owned());
        }
        // Whoever makes a numbered folder owns it, so that nothing is moved over anything.
        let mut number = 1u64;
        let folder = loop {
            let folder = layout::quarantine(self.root()).join(number.to_string());
            if fs::create_new_folder(&folder)? {
                break folder;
            }
            number += 1;
        };
        let to = folder.join(inside);
        fs::create_folder(to.parent().expect("it is in a folder"))?;
        match fs::rename(path, &to) {
            Ok(()) => {}
            // Another process was faster.
            Err(error) if error.is_not_found() => return Ok(path.to_owned()),
            Err(error) => return Err(error.into()),
        }
        let words = |path: &Path| path.to_string_lossy().into_owned();
        let line = Quarantined {
            from: words(inside),
            to: words(to.strip_prefix(self.root()).expect("it is in the store")),
            why: why.to_owned(),
        };
        let line = serde_json::to_string(&line).expect("a line is plain data");
        fs::append_line(&layout::quarantine_log(self.root()), &line)?;
        Ok(to)
    }

    /// What was moved out of the way, in order. A line that can't be understood is passed over.
    ///
    /// # Errors
    /// A log that can't be read.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        match fs::read(&layout::quarantine_log(self.root())) {
            Ok(bytes) => {
                let lines = bytes.split(|&byte| byte == b'\n');
                Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
            }
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_kept_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let digest = store.put(b"weights").unwrap();
        let path = store.object_path(digest).unwrap();
        let first = store.quarantine(&path, "a flipped bit").unwrap();
        assert_eq!(std::fs::read(&first).unwrap(), b"weights");
        assert!(!path.exists());

        store.put(b"weights").unwrap();
        let second = store.quarantine(&path, "again").unwrap();
        assert_ne!(first, second);
        assert!(first.exists() && second.exists());
        let log = store.quarantined().unwrap();
        assert_eq!(log.iter().map(|line| line.why.as_str()).collect::<Vec<_>>(), ["a flipped bit", "again"]);
        assert_eq!(store.root().join(&log[1].to), second);
        assert_eq!(store.root().join(&log[1].from), path);
    }

    #[test]
    fn what_is_gone_needs_no_quarantine() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let path = folder.path().join("records-v2/teacher/gone.json");
        assert_eq!(store.quarantine(&path, "it is gone").unwrap(), path);
        assert!(store.quarantined().unwrap().is_empty());
    }
}
