//! Disks that are full, that can't be written, that fail.

use crate::address::of_names;
use crate::place::{Place, completes};
use crate::reference::reference;
use crate::together::each;

#[test]
fn a_disk_that_fills_up_is_named_and_loses_nothing() {
    let names = [
        "artifact.half",
        "folder",
        "journal.half",
        "labels.begin",
        "record.begin",
        "record.synced",
        "report.half",
        "resume.half",
        "study.half",
        "table.unsynced",
    ];
    let addresses = of_names(&reference().addresses, &names);
    assert!(addresses.len() >= names.len(), "{addresses:?}");
    each(&addresses, |address| {
        let place = Place::new();
        let ended = place.run().fault(&format!("{address}=full")).end().one_of(&[2, 3]);
        let names_a_path = ["store", "report"].iter().any(|folder| {
            ["write", "create the folder", "append to"]
                .iter()
                .any(|verb| ended.all().contains(&format!("{verb} {folder}")))
        });
        assert!(names_a_path, "{}", ended.all());
        ended.says("No space left on device").says("free some space");
        completes(&place);
    });
}

#[test]
fn a_disk_that_fails_is_named_and_loses_nothing() {
    let addresses = of_names(&reference().addresses, &["artifact.half", "record.half", "resume.half"]);
    each(&addresses, |address| {
        let place = Place::new();
        place.run().fault(&format!("{address}=broken")).end().one_of(&[2, 3]).says("store/");
        completes(&place);
    });
}

#[test]
fn a_store_that_cannot_be_written_is_left_as_it_is() {
    for place in [Place::new(), Place::half_way()] {
        let (before, report) = (place.files("store"), place.files("report"));
        let ended = place.run().fault("read-only").end().code(2);
        ended.says("store").says("can't be written").says("--store").says("Read-only file system");
        assert_eq!(place.files("store"), before);
        assert_eq!(place.files("report"), report);
        completes(&place);
    }
}
