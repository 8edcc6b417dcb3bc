//! Signals that ask for an end, at places where that is inconvenient.

use crate::address::of_names;
use crate::place::{Place, completes};
use crate::reference::reference;
use crate::together::each;

fn ends_clean_after(signal: &str) {
    let names = ["step.forward", "step.moved", "resume.half", "artifact.half", "record.half", "journal.half"];
    let addresses = of_names(&reference().addresses, &names);
    assert!(addresses.len() >= 6, "{addresses:?}");
    each(&addresses, |address| {
        let place = Place::new();
        // What is signalled within the last stage may still finish.
        place.run().fault(&format!("{address}={signal}")).end().one_of(&[5, 0]);
        completes(&place);
    });
}

#[test]
fn a_termination_at_any_place_loses_nothing() {
    ends_clean_after("term");
}

#[test]
fn a_schedulers_warning_at_any_place_loses_nothing() {
    ends_clean_after("usr1");
}

#[test]
fn a_signal_in_a_training_is_answered_with_code_5() {
    for signal in ["int", "term", "usr1"] {
        let place = Place::new();
        let ended = place.run().fault(&format!("step.moved#2={signal}")).end().code(5);
        ended.says("run the same command again");
        completes(&place);
    }
}
