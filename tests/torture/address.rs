//! The places that a run passes, and which of them are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The N-th time that a process passes a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The place.
    pub name: String,
    /// N, from 1.
    pub count: usize,
}

impl Address {
    /// Reads a log of `NAME#N`.
    pub fn read(log: &str) -> Vec<Self> {
        let read = |line: &str| {
            let (name, count) = line.split_once('#').expect("NAME#N");
            Self { name: name.to_owned(), count: count.parse().expect("a count") }
        };
        log.lines().map(read).collect()
    }

    /// Whether time decides how often this place is passed, and not work.
    pub fn is_timed(&self) -> bool {
        self.name == "lease.overwrite"
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}#{}", self.name, self.count)
    }
}

/// The first, a middle and the last address of every name, then more of them at equal distances up to a number;
/// in the order of the run.
pub fn choose(all: &[Address], at_least: usize) -> Vec<Address> {
    if super::is_full() {
        return all.to_vec();
    }
    let mut of_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, address) in all.iter().enumerate() {
        of_name.entry(&address.name).or_default().push(at);
    }
    let mut chosen = BTreeSet::new();
    for places in of_name.values() {
        chosen.extend([places[0], places[places.len() / 2], places[places.len() - 1]]);
    }
    let more = at_least.saturating_sub(chosen.len());
    let others: Vec<usize> = (0..all.len()).filter(|at| !chosen.contains(at)).collect();
    chosen.extend((0..more.min(others.len())).map(|n| others[n * others.len() / more]));
    chosen.into_iter().map(|at| all[at].clone()).collect()
}

/// The first, a middle and the last address of some names.
pub fn of_names(all: &[Address], names: &[&str]) -> Vec<Address> {
    let of = |address: &&Address| names.contains(&address.name.as_str());
    let some: Vec<Address> = all.iter().filter(of).cloned().collect();
    choose(&some, 0)
}

#[test]
fn every_name_is_chosen_at_its_ends() {
    let log: String = (1..=40).map(|n| format!("step#{n}\n")).chain(["record#1\n".to_owned()]).collect();
    let all = Address::read(&log);
    let chosen = choose(&all, 10);
    let text: Vec<String> = chosen.iter().map(ToString::to_string).collect();
    for wanted in ["step#1", "step#21", "step#40", "record#1"] {
        assert!(text.contains(&wanted.to_owned()), "{text:?}");
    }
    assert!(chosen.len() >= 10 || super::is_full());
}
