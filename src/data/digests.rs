//! Digests of files, remembered between runs.
//!
//! Hashing a dataset anew for every command would cost minutes on a large one. A remembered digest is used only
//! while the file's size, inode, modification time and change time are those of the moment it was hashed. Restoring
//! a modification time does not help a changed file past this: no program can set the change time. Times are only
//! as fine as the file system makes them, so a file that was touched less than two seconds before it was hashed is
//! not remembered at all (git calls such files racy).

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::base::clock;
use crate::base::digest::Digest;
use crate::base::fs::write_atomically;

/// Seconds that a file must have lain still before its digest is remembered.
const SETTLED_AFTER: i64 = 2;

/// What tells a file from its own past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Seconds and nanoseconds.
    changed: (i64, i64),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    stamp: Stamp,
    digest: Digest,
}

/// The digests of the files under one folder.
pub struct Digests {
    root: PathBuf,
    file: PathBuf,
    now: i64,
    seen: BTreeMap<String, Seen>,
}

impl Digests {
    /// What `cache` remembers of the files under `root`. A cache that cannot be read is an empty one.
    ///
    /// # Errors
    /// When `root` does not exist.
    pub fn open(root: &Path, cache: &Path) -> io::Result<Self> {
        Self::open_at(root, cache, clock::unix_seconds() as i64)
    }

    fn open_at(root: &Path, cache: &Path, now: i64) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let name = Digest::of(root.as_os_str().as_encoded_bytes()).short();
        let file = cache.join("digests-v1").join(format!("{name}.json"));
        let seen =
            fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok(Self { root, file, now, seen })
    }

    /// The digests of files, by their paths under the root, in order; hashed in parallel.
    pub fn of(&mut self, paths: &[&str]) -> Vec<io::Result<Digest>> {
        let found: Vec<io::Result<Seen>> = paths.par_iter().map(|path| self.hash(path)).collect();
        let mut digests = Vec::with_capacity(paths.len());
        for (path, seen) in paths.iter().zip(found) {
            digests.push(seen.map(|seen| {
                let digest = seen.digest;
                if self.is_settled(&seen.stamp) {
                    self.seen.insert((*path).to_owned(), seen);
                }
                digest
            }));
        }
        digests
    }

    /// Remembers what was hashed. A cache saves time and nothing else, so a folder that cannot be written
    /// is no reason to stop: the files are then hashed again.
    pub fn save(&self) {
        let bytes = serde_json::to_vec(&self.seen).expect("paths, numbers and digests have a JSON form");
        let _ = write_atomically(&self.file, &bytes);
    }

    fn hash(&self, path: &str) -> io::Result<Seen> {
        let full = self.root.join(path);
        // The stamp is taken first: a file that changes while it is read will not match it later.
        let stamp = stamp(&fs::metadata(&full)?);
        if let Some(seen) = self.seen.get(path)
            && seen.stamp == stamp
            && self.is_settled(&stamp)
        {
            return Ok(seen.clone());
        }
        Ok(Seen { digest: Digest::of_file(&full)?, stamp })
    }

    fn is_settled(&self, stamp: &Stamp) -> bool {
        stamp.modified.0.max(stamp.changed.0) + SETTLED_AFTER < self.now
    }
}

#[cfg(unix)]
fn stamp(file: &Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    Stamp {
        size: file.size(),
        inode: file.ino(),
        modified: (file.mtime(), file.mtime_nsec()),
        changed: (file.ctime(), file.ctime_nsec()),
    }
}

#[cfg(not(unix))]
fn stamp(file: &Metadata) -> Stamp {
    // Without a change time, a file that is rewritten with its size and modification time restored goes unnoticed.
    let since = file.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = since.map_or((i64::MAX / 2, 0), |d| (d.as_secs() as i64, i64::from(d.subsec_nanos())));
    Stamp { size: file.len(), inode: 0, modified, changed: modified }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(content: &str) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            fs::create_dir(folder.0.path().join("data")).unwrap();
            folder.write(content);
            folder
        }

        fn file(&self) -> PathBuf {
            self.0.path().join("data/a.png")
        }

        fn write(&self, content: &str) {
            fs::write(self.file(), content).unwrap();
        }

        /// The file's digest as a run `later` seconds from now finds it; whether it came from the cache.
        fn digest(&self, later: i64) -> (Digest, bool) {
            let now = clock::unix_seconds() as i64 + later;
            let mut digests =
                Digests::open_at(&self.0.path().join("data"), &self.0.path().join("cache"), now).unwrap();
            let remembered = digests.seen.contains_key("a.png");
            let digest = digests.of(&["a.png"]).pop().unwrap().unwrap();
            digests.save();
            (digest, remembered)
        }
    }

    #[test]
    fn a_settled_file_is_remembered() {
        let folder = Folder::with("one");
        assert_eq!(folder.digest(10), (Digest::of(b"one"), false));
        assert_eq!(folder.digest(11), (Digest::of(b"one"), true));
        // The cache is really used: a wrong digest in it comes back.
        let cache = walk(&folder.0.path().join("cache"));
        let text = fs::read_to_string(&cache).unwrap();
        fs::write(&cache, text.replace(&Digest::of(b"one").to_string(), &Digest::of(b"lie").to_string()))
            .unwrap();
        assert_eq!(folder.digest(12), (Digest::of(b"lie"), true));
    }

    #[test]
    fn a_file_that_was_just_written_is_not_remembered() {
        let folder = Folder::with("one");
        assert_eq!(folder.digest(0), (Digest::of(b"one"), false));
        folder.write("two");
        assert_eq!(folder.digest(1), (Digest::of(b"two"), false));
    }

    #[cfg(unix)]
    #[test]
    fn a_change_is_seen_though_size_and_modification_time_are_restored() {
        let folder = Folder::with("one");
        folder.digest(10);
        let modified = fs::metadata(folder.file()).unwrap().modified().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        folder.write("two");
        fs::File::options().write(true).open(folder.file()).unwrap().set_modified(modified).unwrap();
        assert_eq!(fs::metadata(folder.file()).unwrap().modified().unwrap(), modified);
        assert_eq!(folder.digest(20), (Digest::of(b"two"), true));
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let folder = Folder::with("one");
        folder.digest(10);
        fs::write(walk(&folder.0.path().join("cache")), "{\"a.png\":").unwrap();
        assert_eq!(folder.digest(11), (Digest::of(b"one"), false));
    }

    #[test]
    fn files_that_are_not_there_are_errors_in_their_place() {
        let folder = Folder::with("one");
        let mut digests = Digests::open(&folder.0.path().join("data"), folder.0.path()).unwrap();
        let found = digests.of(&["b.png", "a.png"]);
        assert_eq!(found[0].as_ref().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(*found[1].as_ref().unwrap(), Digest::of(b"one"));
    }

    fn walk(folder: &Path) -> PathBuf {
        let first = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        if first.is_dir() { walk(&first) } else { first }
    }
}
