//! The working folder of a stage that is not done: what an interrupted stage goes on from. Internal to the stage, and
//! removed when it is done.
//!
//! ```text
//! running-v1/<kind>-<key>/
//!   wants                   which checkpoints, looks and planes are wanted of it
//!   journal                 what was measured so far: see [`journal`](super::journal)
//!   resume-000000000300     a training after step 300: the newest two are kept
//!   images                  what was computed of single images, a frame each
//!   failed                  why its last execution ended, where that was no interruption
//!   began                   when its first execution began
//! ```
//!
//! What is damaged here is told, moved to quarantine and computed again: the worst that can be lost is time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::frames::{End, FrameFile};
use super::journal::{Followed, Follower, Journal, Point, Wrong};
use super::pack::{Pack, PackWriter};
use super::{Artifact, Record, Store, StoreError, layout};
use crate::base::digest::Digest;
use crate::base::fs;
use crate::plan::graph::Want;
use crate::plan::{Kind, StageKey};

/// Resume points that are kept: the newest may be the one that a dying disk wrote.
const KEPT: usize = 2;

/// What the head of a resume point is called in its pack.
const HEAD: &str = "head";

/// The file that says what was measured.
const JOURNAL: &str = "journal";

/// What a look at validation images measures, after the steps that someone wants.
const LOOK: &str = "val/miou";

/// The file that says why the stage failed.
const FAILED: &str = "failed";

/// The file that says when the stage began.
const BEGAN: &str = "began";

/// The file that says what is wanted of the stage.
const WANTS: &str = "wants";

/// How the names of resume points begin.
const RESUME: &str = "resume-";

/// The working folder of one stage.
#[derive(Debug)]
pub struct Running<'a> {
    store: &'a Store,
    folder: PathBuf,
    key: StageKey,
    remarks: Vec<Remark>,
}

/// Something a person should know of what was found in a working folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// In one line.
    pub text: String,
    /// Whether bytes are not what was written, as opposed to not written whole.
    pub is_damage: bool,
}

/// Where a stage stood.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResumeHead {
    /// Units that are done, such as optimiser steps.
    pub step: u64,
    /// What it had left until then.
    pub outputs: BTreeMap<String, Artifact>,
    /// Small results until then.
    pub values: BTreeMap<String, f64>,
    /// What it had measured until then.
    pub points: Vec<Point>,
    /// What only the stage understands.
    pub state: serde_json::Value,
}

/// A resume point: its head, and large things by name.
#[derive(Debug, Default)]
pub struct ResumePoint {
    /// Where the stage stood.
    pub head: ResumeHead,
    /// Tensors, as bytes.
    pub blobs: BTreeMap<String, Vec<u8>>,
}

/// What was computed of single images.
#[derive(Debug)]
pub struct Images {
    file: FrameFile,
    known: BTreeMap<String, Vec<u8>>,
}

/// A line of the file of images.
#[derive(Serialize, Deserialize)]
struct ImageHead {
    id: String,
}

impl Store {
    /// The working folder of a stage; nothing is made yet.
    pub fn running(&self, kind: Kind, key: StageKey) -> Running<'_> {
        Running { store: self, folder: layout::running(self.root(), kind, key), key, remarks: Vec::new() }
    }

    /// The stages that have a working folder, sorted.
    ///
    /// # Errors
    /// Whatever listing reports.
    pub fn running_stages(&self) -> Result<Vec<(Kind, StageKey)>, StoreError> {
        let folders = fs::list(&layout::all_running(self.root()))?;
        Ok(folders.iter().filter_map(|folder| layout::stage_of_running(folder)).collect())
    }
}

impl Running<'_> {
    /// What a person should know of what was found here.
    pub fn take_remarks(&mut self) -> Vec<Remark> {
        std::mem::take(&mut self.remarks)
    }

    /// Notes what is wanted of the stage: another execution may have other wishes.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn begin(&self, wants: &BTreeSet<Want>) -> Result<(), StoreError> {
        let text = serde_json::to_vec(wants).expect("wishes are plain data");
        fs::write_if_changed(&self.folder.join(WANTS), &text)?;
        Ok(fs::remove(&self.folder.join(FAILED))?)
    }

    /// When the first execution began, which is `now` where nobody has noted it.
    ///
    /// # Errors
    /// Whatever reading and writing report.
    pub fn began(&self, now: u64) -> Result<u64, StoreError> {
        if let Some(noted) = self.has_begun()? {
            return Ok(noted);
        }
        fs::overwrite(&self.folder.join(BEGAN), now.to_string().as_bytes())?;
        Ok(now)
    }

    /// When the first execution began, where that is noted.
    ///
    /// # Errors
    /// Whatever reading reports.
    pub fn has_begun(&self) -> Result<Option<u64>, StoreError> {
        let noted = fs::read_if_there(&self.folder.join(BEGAN))?;
        Ok(noted.and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok()))
    }

    /// Notes why the stage failed.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn note_failure(&self, words: &str) -> Result<(), StoreError> {
        Ok(fs::write_atomically(&self.folder.join(FAILED), words.as_bytes())?)
    }

    /// Why the stage failed, if its last execution did.
    ///
    /// # Errors
    /// Whatever reading reports.
    pub fn failure(&self) -> Result<Option<String>, StoreError> {
        let text = fs::read_if_there(&self.folder.join(FAILED))?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Whether the stage, as it was wanted here, is done: then the folder is of no use any more.
    ///
    /// # Errors
    /// Whatever reading reports.
    pub fn is_over(&self, record: &Record) -> Result<bool, StoreError> {
        let wants = fs::read_if_there(&self.folder.join(WANTS))?;
        let wants: Option<BTreeSet<Want>> = wants.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(record.fulfils(&wants.unwrap_or_default()))
    }

    /// The points that were measured since the follower's last call, as far as someone wants them.
    ///
    /// # Errors
    /// Whatever reading reports.
    pub fn follow(&self, kind: Kind, follower: &mut Follower) -> Result<Vec<Followed>, StoreError> {
        let mut points = follower.read_on(&self.folder.join(JOURNAL))?;
        if kind.trains() && points.iter().any(|followed| followed.point.key == LOOK) {
            let wants = fs::read_if_there(&self.folder.join(WANTS))?;
            let wants: BTreeSet<Want> =
                wants.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
            points.retain(|followed| is_wanted(&followed.point, &wants));
        }
        Ok(points)
    }

    /// The journal of this execution.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn journal(&mut self) -> Result<Journal, StoreError> {
        let path = self.folder.join(JOURNAL);
        let (journal, wrong) = Journal::open(&path, self.key)?;
        match wrong {
            None => {}
            Some(Wrong::Torn(bytes)) => self.torn(&path, bytes),
            Some(Wrong::Damaged) => self.set_aside(&path, "its lines are not what was written")?,
        }
        match journal {
            Some(journal) => Ok(journal),
            None => Ok(Journal::open(&path, self.key)?.0.expect("a new journal is whole")),
        }
    }

    /// Writes a resume point, whole or not at all, and drops all but the newest two.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn write_resume(&self, point: &ResumePoint) -> Result<(), StoreError> {
        let mut pack = PackWriter::default();
        pack.add(HEAD, &serde_json::to_vec(&point.head).expect("a head is plain data"));
        for (name, blob) in &point.blobs {
            pack.add(name, blob);
        }
        let pack = pack.finish();
        let mut bytes = Digest::of(&pack).as_bytes().to_vec();
        bytes.extend_from_slice(&pack);
        fs::write_atomically(&self.folder.join(format!("{RESUME}{:012}", point.head.step)), &bytes)?;
        for old in self.resume_points()?.iter().skip(KEPT) {
            fs::remove(old)?;
        }
        Ok(())
    }

    /// The newest resume point that is whole and suits.
    ///
    /// # Errors
    /// Whatever reading reports.
    pub fn resume(
        &mut self,
        mut suits: impl FnMut(&ResumeHead) -> bool,
    ) -> Result<Option<ResumePoint>, StoreError> {
        for path in self.resume_points()? {
            match read_resume(&fs::read(&path)?) {
                None => {
                    self.set_aside(&path, "it is no resume point, or its bytes are not what was written")?
                }
                Some(point) if suits(&point.head) => return Ok(Some(point)),
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// What was computed of single images by an execution with the same `identity`; of another one, nothing.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn images(&mut self, identity: Digest) -> Result<Images, StoreError> {
        let path = self.folder.join("images");
        let (mut file, frames) = FrameFile::open(&path)?;
        let mut known = BTreeMap::new();
        match frames.end {
            End::Whole => {}
            End::Torn(bytes) => self.torn(&path, bytes),
            End::Damaged => {
                self.set_aside(&path, "its frames are not what was written")?;
                return self.images(identity);
            }
        }
        let mut payloads = frames.payloads.into_iter();
        match payloads.next() {
            None => file.append(&[identity.as_bytes()])?,
            Some(of) if of == identity.as_bytes() => {
                for payload in payloads {
                    if let Some((id, bytes)) = split(&payload) {
                        known.insert(id, bytes);
                    }
                }
            }
            Some(_) => {
                fs::remove(&path)?;
                return self.images(identity);
            }
        }
        Ok(Images { file, known })
    }

    /// Removes the folder: the stage is done.
    ///
    /// # Errors
    /// Whatever removing reports.
    pub fn remove(self) -> Result<(), StoreError> {
        Ok(fs::remove_folder(&self.folder)?)
    }

    /// Newest first.
    fn resume_points(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut points = fs::list(&self.folder)?;
        points.retain(|path| is_resume_point(path));
        points.reverse();
        Ok(points)
    }

    fn torn(&mut self, path: &Path, bytes: u64) {
        let text = format!(
            "{}: {bytes} bytes at its end were half written when the last run ended, and were cut",
            path.display()
        );
        self.remarks.push(Remark { text, is_damage: false });
    }

    fn set_aside(&mut self, path: &Path, why: &str) -> Result<(), StoreError> {
        let to = self.store.quarantine(path, why)?;
        let text = format!(
            "damage: {}: {why}; it is in {} now, and what it held is computed again",
            path.display(),
            to.display()
        );
        self.remarks.push(Remark { text, is_damage: true });
        Ok(())
    }
}

/// Whether a point of a training is wanted. An execution that was interrupted may have had other wishes: its looks would
/// not be there in one go.
pub fn is_wanted(point: &Point, wants: &BTreeSet<Want>) -> bool {
    point.key != LOOK || wants.contains(&Want::Validation(point.step))
}

/// The artifacts that a file of a working folder names, which no record names yet: those of a resume point, where it is
/// whole. Other files name none.
///
/// # Errors
/// A file that can't be read.
pub fn named_by(path: &Path) -> Result<Option<Vec<Digest>>, StoreError> {
    if !is_resume_point(path) {
        return Ok(Some(Vec::new()));
    }
    // Where it is gone, its stage was done meanwhile.
    let Some(bytes) = fs::read_if_there(path)? else { return Ok(Some(Vec::new())) };
    let named = |point: ResumePoint| point.head.outputs.values().map(|output| output.digest).collect();
    Ok(read_resume(&bytes).map(named))
}

fn is_resume_point(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(RESUME))
}

fn read_resume(bytes: &[u8]) -> Option<ResumePoint> {
    let (digest, pack) = bytes.split_first_chunk::<32>()?;
    if Digest::of(pack).as_bytes() != digest {
        return None;
    }
    let pack = Pack::read(pack.to_vec()).ok()?;
    let head = serde_json::from_slice(pack.get(HEAD)?).ok()?;
    let names = pack.ids().filter(|name| *name != HEAD);
    let blobs = names.map(|name| Some((name.to_owned(), pack.get(name)?.to_vec()))).collect::<Option<_>>()?;
    Some(ResumePoint { head, blobs })
}

impl Images {
    /// What is known of an image.
    pub fn get(&self, id: &str) -> Option<&[u8]> {
        self.known.get(id).map(Vec::as_slice)
    }

    /// How many images something is known of.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing is known yet.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Keeps what was computed of some images.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn keep(&mut self, images: &[(&str, Vec<u8>)]) -> Result<(), StoreError> {
        let payloads: Vec<Vec<u8>> = images.iter().map(|(id, bytes)| join(id, bytes)).collect();
        self.file.append(&payloads.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Makes all of them survive a power cut.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync()
    }
}

/// `{"id":…}\n` and the bytes.
fn join(id: &str, bytes: &[u8]) -> Vec<u8> {
    let mut payload = serde_json::to_vec(&ImageHead { id: id.to_owned() }).expect("a head is plain data");
    payload.push(b'\n');
    payload.extend_from_slice(bytes);
    payload
}

fn split(payload: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = payload.iter().position(|&byte| byte == b'\n')?;
    let head: ImageHead = serde_json::from_slice(&payload[..end]).ok()?;
    Some((head.id, payload[end + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StageKey {
        StageKey(Digest::of(b"stage"))
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        (folder, store)
    }

    fn point(step: u64) -> ResumePoint {
        let head = ResumeHead { step, ..ResumeHead::default() };
        ResumePoint { head, blobs: [("network".to_owned(), vec![step as u8; 100])].into() }
    }

    #[test]
    fn the_newest_of_two_resume_points_is_taken_and_a_damaged_one_is_set_aside() {
        let (_folder, store) = store();
        let mut running = store.running(Kind::Teacher, key());
        assert!(running.resume(|_| true).unwrap().is_none());
        for step in [3, 20, 100] {
            running.write_resume(&point(step)).unwrap();
        }
        let kept = running.resume_points().unwrap();
        assert_eq!(kept.len(), 2, "{kept:?}");
        let found = running.resume(|_| true).unwrap().unwrap();
        assert_eq!((found.head.step, found.blobs["network"][0]), (100, 100));
        assert_eq!(running.resume(|head| head.step < 100).unwrap().unwrap().head.step, 20);

        let mut bytes = fs::read(&kept[0]).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&kept[0], bytes).unwrap();
        assert_eq!(running.resume(|_| true).unwrap().unwrap().head.step, 20);
        let remarks = running.take_remarks();
        assert!(remarks.len() == 1 && remarks[0].is_damage, "{remarks:?}");
        assert_eq!(running.resume_points().unwrap().len(), 1);
        running.remove().unwrap();
        assert!(store.running(Kind::Teacher, key()).resume(|_| true).unwrap().is_none());
    }

    #[test]
    fn a_failure_is_remembered_until_the_stage_begins_again() {
        let (_folder, store) = store();
        let running = store.running(Kind::Teacher, key());
        assert_eq!(running.failure().unwrap(), None);
        running.begin(&BTreeSet::new()).unwrap();
        assert_eq!(running.began(17).unwrap(), 17);
        running.note_failure("failed to train: the loss is not finite").unwrap();
        assert_eq!(running.failure().unwrap().as_deref(), Some("failed to train: the loss is not finite"));
        running.begin(&BTreeSet::new()).unwrap();
        assert_eq!(running.failure().unwrap(), None);
        assert_eq!(running.began(18).unwrap(), 17, "it began once");
    }

    #[test]
    fn what_is_known_of_images_comes_back_unless_something_else_was_asked() {
        let (_folder, store) = store();
        let mut running = store.running(Kind::Label, key());
        let identity = Digest::of(b"with confidence");
        let mut images = running.images(identity).unwrap();
        images.keep(&[("a/b.jpg", vec![1, b'\n', 2]), ("c", vec![])]).unwrap();
        let again = running.images(identity).unwrap();
        assert_eq!(again.len(), 2);
        assert_eq!(again.get("a/b.jpg"), Some(&[1, b'\n', 2][..]));
        assert_eq!(again.get("c"), Some(&[][..]));
        assert!(running.images(Digest::of(b"other")).unwrap().is_empty());
        assert!(running.images(identity).unwrap().is_empty(), "the other execution began anew");
    }

    #[test]
    fn a_damaged_journal_is_set_aside_and_begun_again() {
        let (_folder, store) = store();
        let mut running = store.running(Kind::Teacher, key());
        let mut journal = running.journal().unwrap();
        let loss = |step| Point { key: "loss".to_owned(), step, value: Some(0.5) };
        (1..9).for_each(|step| drop(journal.point(loss(step)).unwrap()));
        let path = running.folder.join("journal");
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(running.journal().unwrap().points().is_empty());
        assert!(running.take_remarks()[0].is_damage);
    }
}
