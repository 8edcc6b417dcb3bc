//! Files that are not what was written: named, computed anew, and told once by the exit code.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::place::Place;
use crate::reference::reference;
use crate::together::each;

/// What can happen to a file.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip,
    Truncate,
    Lose,
}

fn harm(path: &Path, harm: Harm) {
    let mut bytes = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    match harm {
        Harm::Flip => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        Harm::Truncate => bytes.truncate(bytes.len() / 2),
        Harm::Lose => return,
    }
    std::fs::write(path, bytes).unwrap();
}

/// A call after the damage: completes, says it with its exit code, and the next one finds nothing any more.
#[track_caller]
fn is_told_once_and_mended(place: &Place, damaged: &str) {
    let name = Path::new(damaged).file_name().unwrap().to_str().unwrap().to_owned();
    place.run().end().code(4).says(&name);
    place.is_as_it_should_be();
    place.run().end().code(0);
    place.is_as_it_should_be();
}

#[test]
fn a_damaged_artifact_is_computed_anew_and_told() {
    let half_way = Place::half_way();
    for kind in [Harm::Flip, Harm::Truncate, Harm::Lose] {
        let artifacts = half_way.stored("objects-v");
        let met = std::sync::Mutex::new(BTreeSet::new());
        each(&artifacts, |artifact| {
            let place = half_way.copy();
            harm(&place.path(artifact), kind);
            let ended = place.run().end().one_of(&[0, 4]);
            if ended.exit_code() == Some(4) {
                let name = Path::new(artifact).file_name().unwrap().to_str().unwrap().to_owned();
                ended.says(&name);
                met.lock().unwrap().insert(artifact.clone());
                place.is_as_it_should_be();
            } else {
                assert!(!matches!(kind, Harm::Lose), "what is gone can be seen without being read");
                is_left_and_found(&place, artifact);
            }
            place.run().end().code(0);
        });
        let met = met.into_inner().unwrap();
        assert!(met.len() * 3 > artifacts.len(), "{kind:?}: only {} of {}", met.len(), artifacts.len());
    }
}

#[test]
fn the_model_that_the_next_stage_needs_is_trained_again_if_it_was_damaged() {
    // Labels are made with the teacher's last model, which is its largest artifact.
    let before_labels = Place::killed_at("stage.begin.label#1");
    let sizes = before_labels.files("store");
    let models = sizes.iter().filter(|(name, _)| name.starts_with("objects-v"));
    let largest = models.clone().map(|(_, bytes)| bytes.len()).max().unwrap();
    let models: Vec<String> =
        models.filter(|(_, b)| b.len() == largest).map(|(name, _)| format!("store/{name}")).collect();
    let met = models.iter().filter(|model| {
        let place = before_labels.copy();
        harm(&place.path(model), Harm::Flip);
        let ended = place.run().end().one_of(&[0, 4]);
        ended.exit_code() == Some(4)
            && ended.finished().len() > reference().stages.len() - place.committed().len()
    });
    assert!(met.count() > 0, "none of {models:?} was read");
}

#[test]
fn a_damaged_record_is_written_anew_and_told() {
    let done = Place::new();
    done.run().end().code(0);
    let half_way = Place::half_way();
    let mut cases = Vec::new();
    for (state, place) in [("done", &done), ("half-way", &half_way)] {
        for kind in [Harm::Flip, Harm::Truncate] {
            let records = place.stored("records-v");
            assert!(records.len() > 4);
            cases.extend(records.into_iter().map(|record| Case { state, place, kind, file: record }));
        }
    }
    each(&cases, |case| {
        let place = case.place.copy();
        harm(&place.path(&case.file), case.kind);
        is_told_once_and_mended(&place, &case.file);
    });
}

#[test]
fn a_bit_anywhere_in_a_record_is_seen() {
    let done = Place::new();
    done.run().end().code(0);
    let record = done.stored("records-v").swap_remove(0);
    let bytes = std::fs::read(done.path(&record)).unwrap();
    let steps = if crate::is_full() { 1 } else { bytes.len() / 24 };
    let places: Vec<usize> = (0..bytes.len()).step_by(steps).collect();
    each(&places, |&at| {
        let place = done.copy();
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 7);
        std::fs::write(place.path(&record), flipped).unwrap();
        let ended = place.run().end().one_of(&[0, 4]);
        // Spaces between values say nothing, so another white space is the same record.
        assert!(ended.exit_code() == Some(4) || bytes[at].is_ascii_whitespace(), "{}", ended.all());
        place.run().end().code(0);
    });
}

#[test]
fn damaged_bookkeeping_is_told_and_made_anew() {
    let done = Place::new();
    done.run().end().code(0);
    let files = [done.stored("labels-v"), done.stored("studies-v")].concat();
    assert!(files.len() >= 2, "{files:?}");
    each(&files, |file| {
        let place = done.copy();
        harm(&place.path(file), Harm::Flip);
        let ended = place.run().end().one_of(&[0, 4]);
        if ended.exit_code() == Some(4) {
            ended.says(Path::new(file).file_name().unwrap().to_str().unwrap());
            place.is_as_it_should_be();
        } else {
            is_left_and_found(&place, file);
        }
        place.run().end().code(0);
    });
}

/// Nobody read it, so nobody could know, and it spoiled nothing; whoever looks at all of the store finds it.
#[track_caller]
fn is_left_and_found(place: &Place, file: &str) {
    place.is_as_it_should_be_but_for(&[file]);
    let verified = place.call(["store", "verify", "--store", "store"]).end().code(4);
    verified.says(Path::new(file).file_name().unwrap().to_str().unwrap());
}

#[test]
fn damaged_bookkeeping_of_a_store_that_is_half_way_is_told_and_made_anew() {
    let half_way = Place::half_way();
    let files = half_way.stored("labels-v");
    assert!(!files.is_empty());
    each(&files, |file| {
        let place = half_way.copy();
        harm(&place.path(file), Harm::Flip);
        is_told_once_and_mended(&place, file);
    });
}

#[test]
fn a_damaged_journal_or_resume_point_of_a_stage_at_work_is_told_and_costs_steps_alone() {
    let at_work = Place::killed_at("step.moved#5");
    let mut cases = Vec::new();
    for kind in [Harm::Flip, Harm::Truncate, Harm::Lose] {
        let files = at_work.stored("running-v");
        assert!(files.iter().any(|file| file.ends_with("/journal")), "{files:?}");
        assert!(files.iter().any(|file| file.contains("/resume")), "{files:?}");
        cases.extend(files.into_iter().map(|file| Case { state: "at work", place: &at_work, kind, file }));
    }
    let flipped_and_told = AtomicUsize::new(0);
    each(&cases, |case| {
        let place = case.place.copy();
        harm(&place.path(&case.file), case.kind);
        let ended = place.run().end().one_of(&[0, 4]);
        flipped_and_told.fetch_add(usize::from(ended.exit_code() == Some(4)), Ordering::Relaxed);
        // Of two resume points the older one is a spare: nobody reads it. And what is wanted of a stage is written anew
        // whenever it goes on. When it began stands beside everything, like costs.
        let newest = at_work.stored("/resume").pop().unwrap();
        let is_spare = case.file.contains("/resume") && case.file != newest;
        let is_read = !is_spare && !["/wants", "/began"].iter().any(|name| case.file.ends_with(name));
        if is_read && !matches!(case.kind, Harm::Lose) {
            // A torn tail is what a kill leaves; a flipped bit is not.
            let name = Path::new(&case.file).file_name().unwrap().to_str().unwrap();
            ended.says(name);
        }
        place.is_as_it_should_be();
        place.run().end().code(0);
    });
    // The journal, and the newest resume point, by a bit and by its half.
    assert!(flipped_and_told.into_inner() >= 3, "damage of a stage at work is told by the exit code, too");
}

#[test]
fn a_run_that_is_killed_while_it_mends_goes_on_mending() {
    let half_way = Place::half_way();
    let record = half_way.stored("records-v").swap_remove(0);
    let teacher = half_way.stored("records-v").into_iter().find(|path| path.contains("/teacher/")).unwrap();
    let faults: Vec<String> = ["move#1", "moved#1", "line#1", "moved#2"]
        .iter()
        .map(|place| format!("quarantine.{place}"))
        .chain(["stage.begin.teacher#1".to_owned(), "record.half#1".to_owned()])
        .collect();
    each(&faults, |fault| {
        let place = half_way.copy();
        harm(&place.path(&record), Harm::Flip);
        harm(&place.path(&teacher), Harm::Truncate);
        place.run().fault(&format!("{fault}=kill")).end().killed();
        // Whether anything is left to be told depends on how far it came.
        place.run().end().one_of(&[0, 4]);
        place.is_as_it_should_be();
        place.run().end().code(0);
    });
}

/// One file of one store.
struct Case<'a> {
    state: &'static str,
    place: &'a Place,
    kind: Harm,
    file: String,
}

impl std::fmt::Display for Case<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} {} of a store that is {}", self.kind, self.file, self.state)
    }
}
