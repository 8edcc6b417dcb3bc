//! Brings a study to a server while it is run: a thread that reads the store, as any other process could.
//!
//! The run knows nothing of it and never waits for it, but at its end, for a while that has a bound. What is not there then
//! is in the store, and `stpp mlflow sync` brings it.

use std::sync::atomic::{AtomicU64, Ordering};
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
/// A look at the store takes at most one in so many of the time.
const SHARE: u32 = 100;

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
}

impl Follow {
    /// Begins to follow a study.
    pub fn begin(server: Server, store: &Store, study: &StoredStudy) -> Self {
        let follow = Self {
            server: server.clone(),
            store: store.clone(),
            study: study.clone(),
            shared: Arc::new(Shared::default()),
        };
        let (shared, store, study) = (Arc::clone(&follow.shared), store.clone(), study.clone());
        std::thread::spawn(move || {
            let end = Following::new(&shared, &store, &study).go(server);
            shared.said().end = Some(end);
            shared.changed.notify_all();
        });
        follow
    }

    /// What a person should know since the last call.
    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.said().notes)
    }

    /// Says that the run has ended, and waits for all to be brought, but not longer than `wait`: the thread goes with the
    /// process, and what it has not brought until then is pending.
    pub fn finish(&self, wait: Duration) -> End {
        let mut said = self.shared.said();
        said.finish = true;
        self.shared.changed.notify_all();
        let watch = Stopwatch::start();
        loop {
            if let Some(end) = said.end.take() {
                return end;
            }
            let Some(left) = wait.checked_sub(watch.elapsed()) else { break };
            said = self.shared.changed.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(said);
        let counted = Client::new(self.server.clone()).ok().and_then(|client| {
            let sync = Sync::new(&client, &self.store, &self.study, Options::default());
            sync.pending(&AtWork::default()).ok()
        });
        let (pending, runs) = counted.unzip();
        let trouble = Some(format!("{} s were not enough", wait.as_secs_f64()));
        End { sent: self.shared.sent(), pending, runs: runs.unwrap_or_default(), rejected: 0, trouble }
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

struct Following<'a> {
    shared: &'a Shared,
    store: &'a Store,
    study: &'a StoredStudy,
    leases: Leases,
    lease: Option<Lease>,
    patience: Patience,
    is_away: bool,
    /// Runs that the server shows, when it has everything.
    shown: Option<usize>,
}

impl<'a> Following<'a> {
    fn new(shared: &'a Shared, store: &'a Store, study: &'a StoredStudy) -> Self {
        let leases = store.leases(Pace::default());
        Self {
            shared,
            store,
            study,
            leases,
            lease: None,
            patience: Patience::default(),
            is_away: false,
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
        let mut refused: Option<String> = None;
        loop {
            let is_last = self.shared.said().finish;
            let trouble = match &refused {
                Some(words) => Some(words.clone()),
                None => self.look(&client, &mut sync, is_last, &mut refused),
            };
            for note in std::mem::take(&mut sync.tally.notes) {
                self.note(note);
            }
            let is_over = is_last && (trouble.is_none() || refused.is_some() || self.is_away);
            if is_over {
                return self.end(&sync, trouble);
            }
            match (&refused, trouble) {
                (Some(_), _) => self.shared.wait(Duration::MAX),
                (None, Some(words)) => self.away(&words, is_last),
                (None, None) => self.shared.wait(BETWEEN_LOOKS.max(sync.looked * SHARE)),
            }
        }
    }

    /// Brings what is new. What went wrong, if anything did.
    fn look(
        &mut self,
        client: &Client,
        sync: &mut Sync<'_>,
        is_last: bool,
        refused: &mut Option<String>,
    ) -> Option<String> {
        match self.take_turn(client) {
            Ok(true) => {}
            Ok(false) if is_last => return Some("another process sends to the same server".to_owned()),
            Ok(false) => return None,
            Err(words) => return Some(words),
        }
        let brought = at_work(&self.leases, !is_last)
            .map_err(PushError::from)
            .and_then(|at_work| if is_last { sync.all(&at_work) } else { sync.so_far(&at_work) });
        match brought {
            Ok(shown) => {
                self.shown = is_last.then_some(shown);
                if self.is_away {
                    self.note(format!("{} is there again", client.server().address()));
                }
                self.is_away = false;
                self.patience.reset();
                None
            }
            Err(PushError::Fault(Fault::Away { words, retry_after })) => {
                // The wait that was asked for is kept by the next one.
                if let Some(asked) = retry_after.filter(|_| !is_last) {
                    self.shared.wait(asked);
                }
                Some(words)
            }
            // What is damaged is told, and mended, by the run.
            Err(PushError::Store(error)) => Some(error.to_string()),
            Err(PushError::Fault(fault)) => {
                let words = fault.to_string();
                self.note(format!("{words}; training goes on, and nothing is lost"));
                *refused = Some(words.clone());
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

    fn away(&mut self, words: &str, is_last: bool) {
        if !self.is_away {
            self.is_away = true;
            if !is_last {
                self.note(format!("{words}; training goes on, and what is measured is sent later"));
            }
        }
        if is_last {
            // It was there until now: once more, while the run waits.
            std::thread::sleep(Duration::from_millis(500));
            return;
        }
        let wait = self.patience.next(None);
        self.shared.wait(wait);
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
        End { sent: sync.tally.sent(), pending, runs, rejected: sync.tally.rejected.len(), trouble }
    }

    fn note(&self, note: String) {
        self.shared.said().notes.push(format!("mlflow: {note}"));
    }
}
