//! Places where a test may end the process or break the disk.
//!
//! Code that must survive a fault names the places where one would hurt: [`hit`] between two steps, [`io()`] where the
//! disk may refuse. Without the cargo feature `failpoints` both are empty. With it, three variables decide, read once:
//!
//! | variable | meaning |
//! |---|---|
//! | `STPP_FAILPOINT=NAME#N=ACTION` | the N-th time (from 1) that the process passes NAME; `ACTION` alone is from the start |
//! | `STPP_FAILPOINT_LOG=FILE` | append a line `NAME#N` at every place: all addresses of a run |
//! | `STPP_CLOCK_OFFSET=SECONDS,…` | the wall clock ([`clock`](super::clock)) is off by so much, by the next value each time it is read |
//!
//! `kill` ends the process as `kill -9` does. `full`, `read-only` and `broken` are a disk without space, one that can't
//! be written, and one that fails: every [`io()`] from then on says so. `int`, `term` and `usr1` are signals to itself.
//! `pause` holds the thread for a minute, so that a test can end the process from outside.

use std::fmt::Display;
use std::io;
use std::path::Path;

/// A place where a process may end.
#[inline(always)]
pub fn hit(name: impl Display) {
    #[cfg(feature = "failpoints")]
    armed::ARMED.pass(&name.to_string());
    #[cfg(not(feature = "failpoints"))]
    let _ = name;
}

/// A place where a process may end, or the disk refuse.
///
/// # Errors
/// What a test asked for; never without the feature `failpoints`.
#[inline(always)]
pub fn io(name: impl Display) -> io::Result<()> {
    #[cfg(feature = "failpoints")]
    return armed::ARMED.ask(&name.to_string());
    #[cfg(not(feature = "failpoints"))]
    {
        let _ = name;
        Ok(())
    }
}

/// How much the wall clock is off, in seconds.
#[inline(always)]
pub fn clock_offset() -> i64 {
    #[cfg(feature = "failpoints")]
    return armed::clock_offset();
    #[cfg(not(feature = "failpoints"))]
    0
}

/// What a file is in the names of places: `artifact`, `record`, `resume`.
#[inline(always)]
pub fn what_is_written(path: &Path) -> &'static str {
    #[cfg(feature = "failpoints")]
    return armed::what_is_written(path);
    #[cfg(not(feature = "failpoints"))]
    {
        let _ = path;
        ""
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::BTreeMap;
    use std::fs::{File, OpenOptions};
    use std::io::{self, Write};
    use std::path::Path;
    use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::time::Duration;

    pub(super) static ARMED: LazyLock<Armed> = LazyLock::new(Armed::from_environment);

    pub(super) fn clock_offset() -> i64 {
        static OFFSETS: LazyLock<Vec<i64>> = LazyLock::new(|| {
            let text = std::env::var("STPP_CLOCK_OFFSET").unwrap_or_else(|_| "0".to_owned());
            text.split(',').map(|offset| offset.parse().expect("seconds, separated by commas")).collect()
        });
        static READINGS: AtomicUsize = AtomicUsize::new(0);
        OFFSETS[READINGS.fetch_add(1, Ordering::Relaxed) % OFFSETS.len()]
    }

    /// What happens at a place.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Action {
        Signal(i32),
        Refuse(i32),
        Pause,
    }

    /// One place, or the start.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(super) struct Fault {
        pub(super) place: Option<(String, u64)>,
        pub(super) action: Action,
    }

    impl Fault {
        /// Reads `NAME#N=ACTION`, or `ACTION`.
        pub(super) fn read(text: &str) -> Option<Self> {
            let (place, action) = match text.split_once('=') {
                Some((place, action)) => {
                    let (name, count) = place.split_once('#')?;
                    (Some((name.to_owned(), count.parse().ok().filter(|&count| count > 0)?)), action)
                }
                None => (None, text),
            };
            let action = match action {
                "kill" => Action::Signal(libc::SIGKILL),
                "int" => Action::Signal(libc::SIGINT),
                "term" => Action::Signal(libc::SIGTERM),
                "usr1" => Action::Signal(libc::SIGUSR1),
                "full" => Action::Refuse(libc::ENOSPC),
                "read-only" => Action::Refuse(libc::EROFS),
                "broken" => Action::Refuse(libc::EIO),
                "pause" => Action::Pause,
                _ => return None,
            };
            Some(Self { place, action })
        }
    }

    pub(super) struct Armed {
        fault: Option<Fault>,
        log: Option<File>,
        passed: Mutex<BTreeMap<String, u64>>,
        /// What every write is refused with, or 0.
        refusal: AtomicI32,
    }

    impl Armed {
        /// # Panics
        /// On variables that can't be understood: a test that injects nothing would pass.
        fn from_environment() -> Self {
            let fault = std::env::var("STPP_FAILPOINT").ok().map(|text| {
                Fault::read(&text).unwrap_or_else(|| panic!("STPP_FAILPOINT={text} is not NAME#N=ACTION"))
            });
            let log = std::env::var_os("STPP_FAILPOINT_LOG").map(|path| {
                let opened = OpenOptions::new().append(true).create(true).open(&path);
                opened.unwrap_or_else(|error| panic!("STPP_FAILPOINT_LOG={}: {error}", path.display()))
            });
            let refusal = match &fault {
                Some(Fault { place: None, action: Action::Refuse(code) }) => *code,
                _ => 0,
            };
            Self { fault, log, passed: Mutex::default(), refusal: AtomicI32::new(refusal) }
        }

        pub(super) fn pass(&self, name: &str) {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            let count = passed.entry(name.to_owned()).or_default();
            *count += 1;
            let count = *count;
            // Under the lock, so that the log has the order in which places were passed.
            if let Some(mut log) = self.log.as_ref() {
                log.write_all(format!("{name}#{count}\n").as_bytes()).expect("the log can be written");
            }
            let is_here =
                |fault: &&Fault| fault.place.as_ref().is_some_and(|(at, on)| at == name && *on == count);
            let Some(fault) = self.fault.as_ref().filter(is_here) else { return };
            match fault.action {
                // SAFETY: both calls take and return numbers.
                Action::Signal(signal) => unsafe {
                    libc::kill(libc::getpid(), signal);
                },
                Action::Refuse(code) => self.refusal.store(code, Ordering::SeqCst),
                Action::Pause => {
                    drop(passed);
                    std::thread::sleep(Duration::from_secs(60));
                }
            }
        }

        pub(super) fn ask(&self, name: &str) -> io::Result<()> {
            self.pass(name);
            match self.refusal.load(Ordering::SeqCst) {
                0 => Ok(()),
                code => Err(io::Error::from_raw_os_error(code)),
            }
        }
    }

    /// By the bucket of a store that the file lies in.
    pub(super) fn what_is_written(path: &Path) -> &'static str {
        const BUCKETS: &[(&str, &str)] = &[
            ("objects-v", "artifact"),
            ("records-v", "record"),
            ("studies-v", "study"),
            ("labels-v", "labels"),
            ("costs-v", "costs"),
            ("cache-v", "cache"),
            ("environments-v", "environment"),
            ("previews-v", "previews"),
            ("outbox-v", "outbox"),
            ("leases-v", "lease"),
            ("quarantine-v", "quarantine"),
        ];
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        for part in path.iter().filter_map(|part| part.to_str()) {
            if part.starts_with("running-v") {
                return if file.starts_with("resume") { "resume" } else { "running" };
            }
            if let Some((_, what)) = BUCKETS.iter().find(|(bucket, _)| part.starts_with(bucket)) {
                return what;
            }
        }
        match file {
            "stpp-store" => "store",
            _ if file.ends_with(".parquet") => "table",
            _ => "report",
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_fault_is_read_or_refused() {
            let fault = Fault::read("record.half#3=kill").unwrap();
            assert_eq!(fault.place, Some(("record.half".to_owned(), 3)));
            assert_eq!(fault.action, Action::Signal(libc::SIGKILL));
            assert_eq!(Fault::read("read-only").unwrap().place, None);
            for wrong in ["", "record.half", "record.half=kill", "record.half#0=kill", "record#1=vanish"] {
                assert_eq!(Fault::read(wrong), None, "{wrong}");
            }
        }

        #[test]
        fn a_full_disk_stays_full() {
            let armed = Armed {
                fault: Fault::read("record#2=full"),
                log: None,
                passed: Mutex::default(),
                refusal: AtomicI32::new(0),
            };
            assert!(armed.ask("record").is_ok() && armed.ask("artifact").is_ok());
            for name in ["record", "artifact", "record"] {
                assert_eq!(armed.ask(name).unwrap_err().kind(), io::ErrorKind::StorageFull);
            }
        }

        #[test]
        fn a_file_is_named_by_its_bucket() {
            for (path, what) in [
                ("store/objects-v1/ab/cd", "artifact"),
                ("store/records-v2/teacher/ab.json", "record"),
                ("store/running-v1/teacher-ab/resume-20", "resume"),
                ("store/tables/tiny/runs.parquet", "table"),
                ("reports/tiny/report.md", "report"),
                ("store/stpp-store", "store"),
            ] {
                assert_eq!(what_is_written(Path::new(path)), what, "{path}");
            }
        }
    }
}
