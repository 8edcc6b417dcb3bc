//! SIGKILL at every kind of place, and at any time.

use std::time::Duration;

use crate::address::choose;
use crate::place::{Place, completes};
use crate::reference::reference;
use crate::together::{Numbers, each};

/// So many addresses are tried at least.
const ADDRESSES: usize = 150;

#[test]
fn killed_at_any_place_the_same_command_completes_to_the_same_bytes() {
    let addresses = choose(&reference().addresses, ADDRESSES);
    assert!(addresses.len() >= ADDRESSES, "{} addresses", addresses.len());
    each(&addresses, |address| {
        let place = Place::new();
        // Half of the places within a stage, without resume points.
        let is_within = ["step.", "journal.", "images."].iter().any(|part| address.name.starts_with(part));
        let call =
            if is_within && address.count % 2 == 0 { place.run_without_resume_points() } else { place.run() };
        let ended = call.fault(&format!("{address}=kill")).end();
        if !address.is_timed() || ended.was_killed() {
            ended.killed();
        }
        completes(&place);
    });
}

#[test]
fn killed_at_any_time_the_same_command_completes_to_the_same_bytes() {
    let wanted = if crate::is_full() { 200 } else { 20 };
    let mut numbers = Numbers(4);
    let mut killed = 0;
    for _ in 0..5 * wanted {
        let place = Place::new();
        let delay = Duration::from_secs_f64(numbers.unit() * reference().seconds);
        // A call that was faster is no kill.
        killed += usize::from(place.run().start().kill_after(delay).was_killed());
        completes(&place);
        if killed == wanted {
            return;
        }
    }
    panic!("only {killed} calls were killed");
}

#[test]
fn a_run_that_is_killed_after_every_stage_comes_to_its_end() {
    let place = Place::new();
    let stages = reference().stages.len();
    for done in 1..=stages {
        place.run().fault("record.renamed#1=kill").end().killed();
        assert_eq!(place.committed().len(), done, "every call gets one stage further");
    }
    completes(&place);
}

#[test]
fn a_run_that_is_killed_over_and_over_comes_to_its_end() {
    let mut numbers = Numbers(11);
    let place = Place::new();
    for call in 0.. {
        assert!(call < 100, "it gets nowhere: {} stages are done", place.committed().len());
        let delay = Duration::from_secs_f64((0.2 + 0.3 * numbers.unit()) * reference().seconds);
        if !place.run().start().kill_after(delay).was_killed() {
            break;
        }
    }
    completes(&place);
}

#[test]
fn three_kills_in_a_row_are_as_one() {
    let sequences = if crate::is_full() { 60 } else { 6 };
    let places: Vec<&str> = {
        let mut names: Vec<&str> = reference().addresses.iter().map(|address| &*address.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let mut numbers = Numbers(7);
    let sequences: Vec<String> = (0..sequences)
        .map(|_| {
            let mut fault = || format!("{}#{}", places[numbers.below(places.len())], 1 + numbers.below(3));
            format!("{} {} {}", fault(), fault(), fault())
        })
        .collect();
    each(&sequences, |sequence| {
        let place = Place::new();
        for fault in sequence.split(' ') {
            // Not every place is passed by what is left to do.
            place.run().fault(&format!("{fault}=kill")).end();
        }
        completes(&place);
    });
}

#[test]
fn several_jobs_at_once_are_killed_and_go_on_alike() {
    let faults: Vec<String> = (1..=reference().stages.len())
        .step_by(6)
        .flat_map(|n| {
            [format!("record.half#{n}"), format!("step.moved#{}", 2 * n), format!("artifact.half#{n}")]
        })
        .collect();
    each(&faults, |fault| {
        for (first, second) in [("--jobs=2", "--jobs=1"), ("--jobs=1", "--jobs=3")] {
            let place = Place::new();
            let call = place.run().arg(first).env("RAYON_NUM_THREADS", "2");
            call.fault(&format!("{fault}=kill")).end().killed();
            let before = place.committed();
            let ended = place.run().arg(second).end().code(0);
            assert!(ended.finished().keys().all(|key| !before.contains(key)));
            place.is_as_it_should_be();
        }
    });
}

#[test]
fn what_is_resumed_costs_no_more_than_the_step_at_hand() {
    // Of 12 steps of the teacher, 9 were taken, and a resume point was kept after each of them.
    let place = Place::killed_at("step.forward#10");
    place.run().env("STPP_FAILPOINT_LOG", "log").end().code(0);
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    let steps = |log: &str| log.lines().filter(|line| line.starts_with("step.forward#")).count();
    let all = reference().addresses.iter().filter(|address| address.name == "step.forward").count();
    assert_eq!(steps(&log), all - 9, "the steps before the kill are not taken again");
}
