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
        self.log_damage(inside, to.strip_prefix(self.root()).expect("it is in the store"), why)?;
        Ok(to)
    }

    /// Writes into the log that a file is gone, which nothing can be set aside of.
    ///
    /// # Errors
    /// Whatever writing reports.
    ///
    /// # Panics
    /// When the path is not in the store.
    pub fn note_lost(&self, path: &Path, why: &str) -> Result<(), StoreError> {
        let inside = path.strip_prefix(self.root()).expect("what is missed is a file of the store");
        self.log_damage(inside, inside, why)
    }

    /// The damage in the log that no exit code has told of yet.
    ///
    /// # Errors
    /// A log that can't be read.
    pub fn untold_damage(&self) -> Result<Vec<Quarantined>, StoreError> {
        let told = match fs::read_text(&layout::quarantine_told(self.root())) {
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(error) if error.is_not_found() => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(self.quarantined()?.into_iter().skip(told).collect())
    }

    /// Notes that an exit code tells of all damage in the log so far.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn damage_is_told(&self) -> Result<(), StoreError> {
        let lines = self.quarantined()?.len();
        Ok(fs::write_atomically(&layout::quarantine_told(self.root()), format!("{lines}\n").as_bytes())?)
    }

    fn log_damage(&self, from: &Path, to: &Path, why: &str) -> Result<(), StoreError> {
        let words = |path: &Path| path.to_string_lossy().into_owned();
        let line = Quarantined { from: words(from), to: words(to), why: why.to_owned() };
        let line = serde_json::to_string(&line).expect("a line is plain data");
        fs::create_folder(&layout::quarantine(self.root()))?;
        Ok(fs::append_line(&layout::quarantine_log(self.root()), &line)?)
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

        assert_eq!(store.untold_damage().unwrap(), log);
        store.damage_is_told().unwrap();
        assert!(store.untold_damage().unwrap().is_empty());
        store.note_lost(&path, "it is gone").unwrap();
        assert_eq!(store.untold_damage().unwrap()[0].why, "it is gone");
    }

    #[test]
    fn what_is_gone_is_noted_where_nothing_was_set_aside_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let path = folder.path().join("objects-v1/ab/cd");
        store.note_lost(&path, "it is gone").unwrap();
        assert_eq!(store.untold_damage().unwrap()[0].from, "objects-v1/ab/cd");
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
