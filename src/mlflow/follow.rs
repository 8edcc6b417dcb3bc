//! Brings a study to a server while it is run: a thread that reads the store, as any other process could.
//!
//! The run knows nothing of it and never waits for it, but at its end, for a while that has a bound. What is not there then
//! is in the store, and `stpp mlflow sync` brings it.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::Client;
use super::fault::Fault;
use super::patience::Patience;
use super::push::PushError;
use super::server::Server;
use super::sync::{Options, Sync, at_work, sender};
use super::view::AtWork;
use crate::base::clock::Stopwatch;
use crate::store::lease::{Lease, Leases, Pace, Taken};
use crate::store::{Store, StoredStudy};

/// Between two looks at the store.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// A look at the store takes at most one in so many of the time,
const SHARE: u32 = 100;
/// but there is one at least so often.
const AT_LEAST: Duration = Duration::from_secs(60);
/// Between two tries at a server that has refused: someone may have mended it.
const BETWEEN_REFUSALS: Duration = Duration::from_secs(600);
/// Between two glances at whether the user wants to wait.
const BETWEEN_GLANCES: Duration = Duration::from_millis(100);
/// For counting what is pending, when the wait for the server is over.
const FOR_COUNTING: Duration = Duration::from_secs(2);

/// A study that is followed.
#[derive(Debug)]
pub struct Follow {
    server: Server,
    store: Store,
    study: StoredStudy,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    said: Mutex<Said>,
    changed: Condvar,
    /// What the server acknowledged since the beginning.
    sent: Arc<AtomicU64>,
}

/// What the run and the follower tell each other.
#[derive(Debug, Default)]
struct Said {
    /// By the run: that it has ended.
    finish: bool,
    /// By the follower: what a person should know.
    notes: Vec<String>,
    /// By the follower: that it has ended.
    end: Option<End>,
}

/// How following ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// What the server acknowledged since the beginning.
    pub sent: u64,
    /// What it does not have; none where that was not counted in time.
    pub pending: Option<u64>,
    /// Runs that there are to show.
    pub runs: usize,
    /// What the server did not accept.
    pub rejected: usize,
    /// Why something is pending.
    pub trouble: Option<String>,
    /// Whether another process sends the study at the moment.
    pub elsewhere: bool,
}

impl Follow {
    /// Begins to follow a study.
    ///
    /// # Errors
    /// Where the system has no thread for it.
    pub fn begin(server: Server, store: &Store, study: &StoredStudy) -> io::Result<Self> {
        let follow = Self {
            server: server.clone(),
            store: store.clone(),
            study: study.clone(),
            shared: Arc::new(Shared::default()),
        };
        let (shared, store, study) = (Arc::clone(&follow.shared), store.clone(), study.clone());
        std::thread::Builder::new().name("mlflow".to_owned()).spawn(move || {
            let go = || Following::new(&shared, &store, &study).go(server);
            let end = catch_unwind(AssertUnwindSafe(go)).unwrap_or_else(|_| End {
                sent: shared.sent(),
                trouble: Some("this is a bug in stpp; please report the lines above".to_owned()),
                ..End::default()
            });
            shared.said().end = Some(end);
            shared.changed.notify_all();
        })?;
        Ok(follow)
    }

    /// What a person should know since the last call.
    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.said().notes)
    }

    /// Says that the run has ended, and waits for all to be brought, but not longer than `wait`: the thread goes with the
    /// process, and what it has not brought until then is pending. `gives_up` says whether the user wants to wait no longer.
    pub fn finish(&self, wait: Duration, gives_up: &dyn Fn() -> bool) -> End {
        let mut said = self.shared.said();
        said.finish = true;
        self.shared.changed.notify_all();
        let watch = Stopwatch::start();
        loop {
            if let Some(end) = said.end.take() {
                return end;
            }
            let Some(left) = wait.checked_sub(watch.elapsed()).filter(|_| !gives_up()) else { break };
            let left = left.min(BETWEEN_GLANCES);
            said = self.shared.changed.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(said);
        let (pending, runs) = self.count().unzip();
        let trouble = if gives_up() {
            "interrupted".to_owned()
        } else {
            format!("{} s were not enough", wait.as_secs_f64())
        };
        let trouble = Some(trouble);
        End {
            sent: self.shared.sent(),
            pending,
            runs: runs.unwrap_or_default(),
            rejected: 0,
            trouble,
            elsewhere: false,
        }
    }

    /// What is pending, if it can be counted in a moment.
    fn count(&self) -> Option<(u64, usize)> {
        let (server, store, study) = (self.server.clone(), self.store.clone(), self.study.clone());
        let (counted, answer) = channel();
        let count = move || {
            let client = Client::new(server).ok()?;
            let pending =
                Sync::new(&client, &store, &study, Options::default()).pending(&AtWork::default()).ok()?;
            counted.send(pending).ok()
        };
        std::thread::Builder::new().spawn(count).ok()?;
        answer.recv_timeout(FOR_COUNTING).ok()
    }
}

impl Shared {
    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, unless the run has ended.
    fn wait(&self, time: Duration) {
        let said = self.said();
        if !said.finish {
            drop(self.changed.wait_timeout_while(said, time, |said| !said.finish));
        }
    }
}

/// What is wrong with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    Away,
    Refused,
}

struct Following<'a> {
    shared: &'a Shared,
    store: &'a Store,
    study: &'a StoredStudy,
    leases: Leases,
    lease: Option<Lease>,
    patience: Patience,
    trouble: Trouble,
    /// Whether it has answered.
    was_there: bool,
    /// How long the server asks to be left alone.
    asked: Option<Duration>,
    /// Whether another process sends at the end.
    elsewhere: bool,
    /// What a person was told since all was well.
    told: BTreeSet<String>,
    /// Runs that the server shows, when it has everything.
    shown: Option<usize>,
}

impl<'a> Following<'a> {
    fn new(shared: &'a Shared, store: &'a Store, study: &'a StoredStudy) -> Self {
        Self {
            shared,
            store,
            study,
            leases: store.leases(Pace::default()),
            lease: None,
            patience: Patience::default(),
            trouble: Trouble::None,
            was_there: false,
            asked: None,
            elsewhere: false,
            told: BTreeSet::new(),
            shown: None,
        }
    }

    fn go(mut self, server: Server) -> End {
        let client = match Client::new(server) {
            Ok(client) => client,
            Err(fault) => {
                let words = fault.to_string();
                self.note(format!("{words}; training goes on, and nothing is lost"));
                self.shared.wait(Duration::MAX);
                return End { trouble: Some(words), ..End::default() };
            }
        };
        let mut sync = Sync::new(&client, self.store, self.study, Options::default());
        sync.tally.sent = Arc::clone(&self.shared.sent);
        let mut was_away = false;
        loop {
            let is_last = self.shared.said().finish;
            if !is_last {
                was_away = self.trouble != Trouble::None;
            }
            let trouble = self.look(&client, &mut sync, is_last);
            for note in std::mem::take(&mut sync.tally.notes) {
                self.note(note);
            }
            if is_last && self.elsewhere {
                return End { elsewhere: true, ..End::default() };
            }
            // A server that was there until now gets the time that the run waits; one that never answered does not.
            let is_over =
                trouble.is_none() || self.trouble == Trouble::Refused || was_away || !self.was_there;
            if is_last && is_over {
                return self.end(&sync, trouble);
            }
            let wait = match (self.trouble, trouble) {
                (Trouble::Refused, _) => BETWEEN_REFUSALS,
                (_, None) => BETWEEN_LOOKS.max((sync.looked * SHARE).min(AT_LEAST)),
                (_, Some(_)) => self.patience.next(self.asked.take()),
            };
            if is_last {
                std::thread::sleep(wait);
            } else {
                self.shared.wait(wait);
            }
        }
    }

    /// Brings what is new. What went wrong, if anything did.
    fn look(&mut self, client: &Client, sync: &mut Sync<'_>, is_last: bool) -> Option<String> {
        match self.take_turn(client) {
            Ok(true) => {}
            Ok(false) if is_last => {
                self.elsewhere = true;
                return Some("another process sends to the same server".to_owned());
            }
            Ok(false) => return None,
            Err(words) => return Some(words),
        }
        let brought = at_work(&self.leases, !is_last)
            .map_err(PushError::from)
            .and_then(|at_work| if is_last { sync.rest(&at_work) } else { sync.so_far(&at_work) });
        match brought {
            Ok(shown) => {
                self.shown = is_last.then_some(shown);
                if self.trouble != Trouble::None {
                    self.told.clear();
                    self.note(format!("{} is there again", client.server().address()));
                }
                self.trouble = Trouble::None;
                // As long as there was nothing to send, nothing was asked.
                self.was_there |= sync.is_open();
                self.patience.reset();
                None
            }
            Err(PushError::Fault(Fault::Away { words, retry_after })) => {
                if self.trouble == Trouble::None && !is_last {
                    self.note(format!("{words}; training goes on, and what is measured is sent later"));
                }
                self.trouble = Trouble::Away;
                self.asked = retry_after;
                Some(words)
            }
            // What is damaged is told, and mended, by the run.
            Err(PushError::Store(error)) => Some(error.to_string()),
            Err(PushError::Fault(fault)) => {
                let words = fault.to_string();
                self.note(format!("{words}; training goes on, and nothing is lost"));
                self.trouble = Trouble::Refused;
                // Whoever mends it may want to try with `stpp mlflow sync`.
                self.lease = None;
                Some(words)
            }
        }
    }

    /// One process at a time sends a study to a server.
    fn take_turn(&mut self, client: &Client) -> Result<bool, String> {
        if self.lease.as_ref().is_none_or(Lease::is_lost) {
            self.lease = match self.leases.take(&sender(client.server(), self.study)) {
                Ok(Taken::Ours(lease)) => Some(lease),
                Ok(Taken::Theirs(_)) => None,
                Err(error) => return Err(error.to_string()),
            };
        }
        Ok(self.lease.is_some())
    }

    fn end(&self, sync: &Sync<'_>, trouble: Option<String>) -> End {
        let counted = match self.shown {
            Some(shown) => Ok((0, shown)),
            None => at_work(&self.leases, false).and_then(|at_work| sync.pending(&at_work)),
        };
        let (pending, runs) = match counted {
            Ok((pending, runs)) => (Some(pending), runs),
            Err(_) => (None, 0),
        };
        // What was told stands above.
        let trouble =
            trouble.filter(|trouble| !self.told.iter().any(|told| told.starts_with(trouble.as_str())));
        End {
            sent: sync.tally.sent(),
            pending,
            runs,
            rejected: sync.tally.rejected.len(),
            trouble,
            elsewhere: false,
        }
    }

    /// Tells something once.
    fn note(&mut self, note: String) {
        if self.told.insert(note.clone()) {
            self.shared.said().notes.push(format!("mlflow: {note}"));
        }
    }
}
