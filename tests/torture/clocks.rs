//! Clocks that jump: between calls, within one, and in the times of files.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::place::{Place, completes};

const TEN_YEARS: u64 = 10 * 365 * 24 * 3600;

#[test]
fn a_clock_that_jumps_between_calls_changes_nothing() {
    for (first, second) in [("315360000", "-315360000"), ("-315360000", "315360000"), ("-9999999999", "0")] {
        let place = Place::new();
        let killed = place.run().env("STPP_CLOCK_OFFSET", first).fault("step.moved#9=kill");
        killed.end().killed();
        let before = place.committed();
        let ended = place.run().env("STPP_CLOCK_OFFSET", second).end().code(0);
        assert!(ended.finished().keys().all(|key| !before.contains(key)));
        place.is_as_it_should_be();
    }
}

#[test]
fn a_clock_that_jumps_within_a_call_changes_nothing() {
    let place = Place::new();
    place.run().env("STPP_CLOCK_OFFSET", "0,315360000,-315360000,86400,-1").end().code(0);
    place.is_as_it_should_be();
}

#[test]
fn times_of_files_decide_nothing() {
    for time in [SystemTime::now() + Duration::from_secs(TEN_YEARS), SystemTime::UNIX_EPOCH] {
        let place = Place::killed_at("step.moved#9");
        set_times(&place.path("store"), time);
        completes(&place);
    }
}

fn set_times(folder: &Path, time: SystemTime) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            set_times(&path, time);
        } else {
            File::open(&path).unwrap().set_modified(time).unwrap();
        }
    }
}
