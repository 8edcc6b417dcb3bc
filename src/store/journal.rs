//! What a stage measures, written down as it happens: the source of the tables.
//!
//! A journal is a file of [`frames`], each a line of JSON. It belongs to one execution of one stage,
//! which may be interrupted and go on any number of times. A training that goes on computes the steps between its
//! resume point and its end again: what is in the journal is then not written twice, but compared, and a value that
//! differs is a *fault*: the machine did not repeat its own bits. When the stage is done, the points become its
//! artifact `metrics`, and the journal goes with the working folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::frames::{self, End, FrameFile, Place};
use crate::plan::StageKey;

/// A measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// What: `loss`, `val/miou`.
    pub key: String,
    /// At which optimiser step.
    pub step: u64,
    /// The value; JSON has no NaN, which is null here.
    pub value: Option<f64>,
}

/// A value that did not come back when its step was computed again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub key: String,
    /// At which optimiser step.
    pub step: u64,
    /// What was measured first.
    pub before: Option<f64>,
    /// What was measured then.
    pub now: Option<f64>,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Entry {
    /// The first line: whose journal it is.
    Stage(StageKey),
    /// A process goes on after this step; 0 is the beginning.
    From(u64),
    /// A value.
    Point(Point),
    /// A value that differs from the one that stands above.
    Fault(Fault),
}

/// The journal of a stage that is being executed.
#[derive(Debug)]
pub struct Journal {
    file: FrameFile,
    points: BTreeMap<String, BTreeMap<u64, Option<f64>>>,
    faults: Vec<Fault>,
    attempts: u64,
}

/// What was wrong with a journal when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// Its last bytes were half a line, which was cut.
    Torn(u64),
    /// It is damaged, or another stage's: nothing of it is used.
    Damaged,
}

/// A reader that follows a journal while another thread or process writes it.
#[derive(Debug, Default)]
pub struct Follower {
    place: Place,
}

/// What a follower reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// The value.
    pub point: Point,
    /// Whether it stands there with another value already.
    pub differs: bool,
}

impl Follower {
    /// The points that were written since the last call.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn read_on(&mut self, path: &Path) -> Result<Vec<Followed>, StoreError> {
        let lines = frames::read_on(path, &mut self.place)?;
        let entries = lines.iter().filter_map(|line| serde_json::from_slice(line).ok());
        Ok(entries
            .filter_map(|entry| match entry {
                Entry::Point(point) => Some(Followed { point, differs: false }),
                Entry::Fault(Fault { key, step, now, .. }) => {
                    Some(Followed { point: Point { key, step, value: now }, differs: true })
                }
                Entry::Stage(_) | Entry::From(_) => None,
            })
            .collect())
    }
}

impl Journal {
    /// Opens the journal of a stage, or makes one. A damaged one is not opened: move it away first.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn open(path: &Path, key: StageKey) -> Result<(Option<Self>, Option<Wrong>), StoreError> {
        let (file, frames) = FrameFile::open(path)?;
        let mut journal = Self { file, points: BTreeMap::new(), faults: Vec::new(), attempts: 0 };
        let wrong = match frames.end {
            End::Whole => None,
            End::Torn(bytes) => Some(Wrong::Torn(bytes)),
            End::Damaged => return Ok((None, Some(Wrong::Damaged))),
        };
        for (at, payload) in frames.payloads.iter().enumerate() {
            match serde_json::from_slice(payload) {
                Ok(Entry::Stage(of)) if at == 0 && of == key => {}
                Ok(Entry::From(_)) if at > 0 => journal.attempts += 1,
                Ok(Entry::Point(point)) if at > 0 => {
                    journal.points.entry(point.key).or_default().insert(point.step, point.value);
                }
                Ok(Entry::Fault(fault)) if at > 0 => {
                    journal.points.entry(fault.key.clone()).or_default().insert(fault.step, fault.now);
                    journal.faults.push(fault);
                }
                _ => return Ok((None, Some(Wrong::Damaged))),
            }
        }
        if frames.payloads.is_empty() {
            journal.write(&[Entry::Stage(key)])?;
        }
        Ok((Some(journal), wrong))
    }

    /// Notes that a process goes on after a step. `known` are the points up to there that the resume point holds:
    /// those that the journal lacks are written again, and points that no step behind there will bring again are not.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn go_on(&mut self, step: u64, known: &[Point]) -> Result<(), StoreError> {
        self.attempts += 1;
        self.write(&[Entry::From(step)])?;
        for point in known {
            self.point(point.clone())?;
        }
        Ok(())
    }

    /// Writes a point, unless it stands there already. A fault is what stands there with another value.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn point(&mut self, point: Point) -> Result<Option<Fault>, StoreError> {
        let bits = |value: Option<f64>| value.map(f64::to_bits);
        let at = self.points.entry(point.key.clone()).or_default();
        match at.insert(point.step, point.value) {
            Some(before) if bits(before) == bits(point.value) => Ok(None),
            Some(before) => {
                let fault = Fault { key: point.key, step: point.step, before, now: point.value };
                self.write(&[Entry::Fault(fault.clone())])?;
                self.faults.push(fault.clone());
                Ok(Some(fault))
            }
            None => {
                self.write(&[Entry::Point(point)])?;
                Ok(None)
            }
        }
    }

    /// Every point, sorted by key and step.
    pub fn points(&self) -> Vec<Point> {
        let of_key = |(key, values): (&String, &BTreeMap<u64, Option<f64>>)| -> Vec<Point> {
            values.iter().map(|(&step, &value)| Point { key: key.clone(), step, value }).collect()
        };
        self.points.iter().flat_map(of_key).collect()
    }

    /// The values that did not come back.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// How many processes worked on this execution.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Makes all points survive a power cut.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync()
    }

    fn write(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let lines: Vec<Vec<u8>> =
            entries.iter().map(|entry| serde_json::to_vec(entry).expect("an entry is plain data")).collect();
        self.file.append(&lines.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use proptest::prelude::*;

    fn key() -> StageKey {
        StageKey(Digest::of(b"stage"))
    }

    fn loss(step: u64, value: f64) -> Point {
        Point { key: "loss".to_owned(), step, value: Some(value) }
    }

    fn opened(path: &Path) -> Journal {
        Journal::open(path, key()).unwrap().0.unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Interrupted anywhere, and gone on from any step before: the points are those of one go.
        #[test]
        fn a_step_is_never_written_twice(cut in 1usize..2000, stopped in 1u64..20, back in 0u64..20) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal");
            let point = |step: u64| loss(step, 1.0 / step as f64);
            let mut first = opened(&path);
            first.go_on(0, &[]).unwrap();
            (1..=stopped).for_each(|step| drop(first.point(point(step)).unwrap()));
            drop(first);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..cut.min(bytes.len())]).unwrap();

            let from = back.min(stopped);
            let known: Vec<Point> = (1..=from).map(point).collect();
            let mut second = opened(&path);
            second.go_on(from, &known).unwrap();
            for step in from + 1..=20 {
                prop_assert_eq!(second.point(point(step)).unwrap(), None);
            }
            let expected: Vec<Point> = (1..=20).map(point).collect();
            prop_assert_eq!(second.points(), expected.clone());
            let third = opened(&path);
            prop_assert_eq!(third.points(), expected);
            prop_assert!(third.faults().is_empty());
            let lines = super::super::frames::Frames::of(&std::fs::read(&path).unwrap()).payloads;
            let points = lines.iter().filter(|line| line.starts_with(b"{\"point\"")).count();
            prop_assert_eq!(points, 20);
        }
    }

    #[test]
    fn a_step_that_comes_out_otherwise_is_a_fault_and_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = opened(&path);
        journal.go_on(0, &[]).unwrap();
        journal.point(loss(1, 0.5)).unwrap();
        let next = f64::from_bits(0.5f64.to_bits() + 1);
        journal.go_on(0, &[]).unwrap();
        let fault = journal.point(loss(1, next)).unwrap().expect("one bit is a difference");
        assert_eq!((fault.before, fault.now), (Some(0.5), Some(next)));
        let again = opened(&path);
        assert_eq!(again.faults(), [fault]);
        assert_eq!(again.points(), [loss(1, next)], "the weights that follow are those of the second");
        assert_eq!(again.attempts(), 2);
    }

    #[test]
    fn a_follower_reads_each_point_once_and_a_fault_as_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut follower = Follower::default();
        assert!(follower.read_on(&path).unwrap().is_empty());
        let mut journal = opened(&path);
        journal.go_on(0, &[]).unwrap();
        journal.point(loss(1, 0.5)).unwrap();
        journal.point(loss(2, 0.25)).unwrap();
        let read = |point, differs| Followed { point, differs };
        assert_eq!(follower.read_on(&path).unwrap(), [read(loss(1, 0.5), false), read(loss(2, 0.25), false)]);
        journal.point(loss(2, 0.3)).unwrap();
        assert_eq!(follower.read_on(&path).unwrap(), [read(loss(2, 0.3), true)]);
        assert!(follower.read_on(&path).unwrap().is_empty());
    }

    #[test]
    fn a_torn_tail_is_told_and_damage_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = opened(&path);
        (1..5).for_each(|step| drop(journal.point(loss(step, 0.5)).unwrap()));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let (journal, wrong) = Journal::open(&path, key()).unwrap();
        assert!(matches!(wrong, Some(Wrong::Torn(_))), "{wrong:?}");
        assert_eq!(journal.unwrap().points().len(), 3);

        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (journal, wrong) = Journal::open(&path, key()).unwrap();
        assert!(journal.is_none() && wrong == Some(Wrong::Damaged));
    }

    #[test]
    fn another_stages_journal_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        drop(opened(&path));
        let (journal, wrong) = Journal::open(&path, StageKey(Digest::of(b"another"))).unwrap();
        assert!(journal.is_none() && wrong == Some(Wrong::Damaged));
    }
}
