//! Several processes on one store and one ablation.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::place::{Place, completes};
use crate::program::{Ended, Running};
use crate::reference::reference;

fn start(place: &Place, count: usize) -> Vec<Running> {
    (0..count).map(|_| place.run().start()).collect()
}

/// How often each stage was finished, over all processes.
fn finished(ended: &[Ended]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for (key, times) in ended.iter().flat_map(Ended::finished) {
        *count.entry(key).or_default() += times;
    }
    count
}

fn share_the_work(count: usize) {
    let place = Place::new();
    let processes = start(&place, count);
    let ended: Vec<Ended> = processes.into_iter().map(|process| process.end().code(0)).collect();
    let finished = finished(&ended);
    let stages: Vec<&String> = finished.keys().collect();
    assert_eq!(stages, reference().stages.iter().collect::<Vec<_>>());
    assert!(finished.values().all(|&times| times == 1), "some stages were run twice: {finished:?}");
    place.is_as_it_should_be();
}

#[test]
fn two_processes_share_the_work() {
    share_the_work(2);
}

#[test]
fn four_processes_share_the_work() {
    share_the_work(4);
}

fn go_on_without_the_dead(count: usize, event: &str) {
    let place = Place::new();
    let mut processes = start(&place, count);
    // In the middle of a stage of its own: the first that says so dies.
    let from = Instant::now();
    let dies = loop {
        assert!(from.elapsed() < Duration::from_secs(60), "none of {count} processes said {event}");
        let mut at_work = processes.iter().map(|process| process.has_said(event));
        if let Some(first) = at_work.position(|said| said) {
            break processes.remove(first);
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let dead = dies.kill_after(Duration::ZERO).killed();
    let mut ended: Vec<Ended> = processes.into_iter().map(|process| process.end().code(0)).collect();
    ended.push(dead);
    let finished = finished(&ended);
    assert!(finished.values().all(|&times| times == 1), "some stages were finished twice: {finished:?}");
    // A process may die between a record and the word of it.
    assert!(finished.len() + 1 >= reference().stages.len(), "{finished:?}");
    place.is_as_it_should_be();
}

#[test]
fn one_of_two_processes_is_killed_and_the_other_finishes() {
    go_on_without_the_dead(2, "\"started\"");
}

#[test]
fn one_of_four_processes_is_killed_and_the_others_finish() {
    go_on_without_the_dead(4, "\"started\"");
    go_on_without_the_dead(4, "\"finished\"");
}

#[test]
fn what_a_process_holds_is_waited_for_and_taken_over_when_it_dies() {
    let place = Place::new();
    // Holds the only stage that nothing else can begin without, with its artifact half written.
    let mut holds = place.run().env("STPP_FAILPOINT_LOG", "log").fault("artifact.half#1=pause").start();
    let log = place.path("log");
    holds.until("the place", |_| {
        std::fs::read_to_string(&log).is_ok_and(|text| text.lines().any(|line| line == "artifact.half#1"))
    });
    let mut waits = place.run().start();
    waits.until("its plan", |said| said.contains("\"planned\""));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(place.committed().len(), 0, "nobody runs what somebody runs");
    holds.kill_after(Duration::ZERO).killed();
    let ended = waits.end().code(0);
    assert_eq!(ended.finished().len(), reference().stages.len());
    place.is_as_it_should_be();
}

#[test]
fn a_process_that_comes_later_finds_the_work_done() {
    let place = Place::new();
    start(&place, 2).into_iter().for_each(|process| {
        process.end().code(0);
    });
    assert!(completes(&place).finished().is_empty());
}

#[test]
fn processes_that_stop_and_start_at_random_come_to_the_end() {
    let place = Place::new();
    for round in 0..4 {
        let mut processes = start(&place, 3);
        let dies = processes.remove(0);
        dies.kill_after(Duration::from_secs_f64(reference().seconds * f64::from(1 + round) / 5.0));
        let dies = processes.remove(0);
        dies.kill_after(Duration::from_secs_f64(reference().seconds / 5.0));
        if round == 3 {
            processes.remove(0).end().code(0);
        }
    }
    completes(&place);
}
