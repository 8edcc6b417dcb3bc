//! A real disk that is too small, and one that is mounted read-only; where mounts are possible.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::place::{Place, completes};
use crate::reference::reference;

/// A file system of its own.
struct Mount(PathBuf);

impl Mount {
    /// Mounts a file system of some size at a folder, or says that a test is skipped.
    fn new(at: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={bytes}");
        let is_mounted = mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], at);
        if !is_mounted {
            println!("skipped: no file system can be mounted here");
        }
        is_mounted.then(|| Self(at.to_owned()))
    }

    fn again(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], &self.0), "{options}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn mount(args: &[&str], at: &Path) -> bool {
    let mut command = Command::new("mount");
    command.args(args).arg(at).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn a_small_disk_is_named_and_a_larger_one_completes() {
    for part in [4, 2] {
        let place = Place::new();
        let Some(disk) = Mount::new(&place.path("store"), reference().stored / part) else { return };
        let ended = place.run().end().one_of(&[2, 3]);
        ended.says("store").says("No space left on device").says("free some space");
        disk.again("size=256m");
        completes(&place);
    }
}

#[test]
fn a_disk_that_is_mounted_read_only_is_left_as_it_is() {
    let place = Place::new();
    let Some(disk) = Mount::new(&place.path("store"), 256 << 20) else { return };
    place.run().fault("step.moved#8=kill").end().killed();
    let before = place.files("store");
    disk.again("ro");
    place.run().end().code(2).says("store").says("can't be written");
    assert_eq!(place.files("store"), before);
    disk.again("rw");
    completes(&place);
}
