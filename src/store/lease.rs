//! Who is working on what: how several processes share one store, on one machine or on many.
//!
//! A lease is a file `leases-v1/<name>.<generation>`. Nothing is asked of the file system but that creating a file
//! exclusively and renaming one are atomic, as on NFS; no locks, no clocks that agree.
//!
//! - **Taking**: the first generation is created exclusively. Whoever succeeds is the owner.
//! - **Beating**: the owner raises a counter in its own file, by writing a new file over it.
//! - **Judging**: an owner on this boot of this machine is dead when its process is. Any other is dead when the
//!   *observer's* own monotonic clock has seen no new beat for a while; whose clock says what o'clock plays no part.
//! - **Taking over**: the next generation is created exclusively, so that of several observers one succeeds, and one
//!   that judged an older generation takes nothing from a younger one. The old file goes.
//! - **A late owner** that wakes up after that finishes the same work with the same bytes: its commit changes nothing.
//!
//! A lease saves work; it guards nothing. What makes a stage done is its record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, layout};
use crate::base::clock::Stopwatch;
use crate::base::fs;
use crate::base::process::{self, Process};
use crate::plan::StageKey;

/// How often an owner beats, and how long an observer waits for a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two beats.
    pub beat: Duration,
    /// Without a new beat for this long, an owner elsewhere is dead. Longer than a network file system may show old
    /// files (NFS: up to a minute).
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { beat: Duration::from_secs(5), patience: Duration::from_secs(90) }
    }
}

/// The leases of one process are told apart by a number, those of processes by boot, id and start.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// How the names of leases begin by which processes say that they are at work.
const AT_WORK: &str = "run";

/// The lease of whoever clears the store.
const CLEARING: &str = "gc";

/// Between two looks whether a store is cleared.
const WAIT: Duration = Duration::from_millis(200);

/// What a lease says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process that holds it.
    pub process: Process,
    /// Which of the process's leases it is: no two leases of a machine's boot are alike.
    pub lease: u64,
    /// How often it has beaten.
    pub beat: u64,
}

/// A lease that someone holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// What is held: a stage, or what else goes by a name.
    pub name: String,
    /// By whom; none while the file is being made.
    pub holder: Option<Holder>,
}

/// An attempt to take a lease.
#[derive(Debug)]
pub enum Taken {
    /// It is ours until dropped.
    Ours(Lease),
    /// Someone works on it.
    Theirs(Live),
}

/// A process's view of the leases of a store, and the heart that beats for those it holds.
#[derive(Debug)]
pub struct Leases {
    store: Store,
    pace: Pace,
    me: Process,
    seen: Mutex<BTreeMap<PathBuf, Seen>>,
    heart: Arc<Heart>,
    thread: Option<JoinHandle<()>>,
}

/// What an observer remembers of a lease.
#[derive(Debug)]
struct Seen {
    holder: Option<Holder>,
    since: Stopwatch,
}

#[derive(Debug, Default)]
struct Heart {
    held: Mutex<Held>,
    stopped: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    leases: BTreeMap<PathBuf, Beating>,
    stop: bool,
}

/// A lease whose owner beats.
#[derive(Debug)]
struct Beating {
    holder: Holder,
    /// The file of whoever would take it over.
    next: PathBuf,
    is_lost: Arc<AtomicBool>,
}

/// A lease that this process holds; dropping it lets go.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    heart: Arc<Heart>,
    is_lost: Arc<AtomicBool>,
}

impl Lease {
    /// Whether another process took it over, since it had not heard of this one for long.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::SeqCst)
    }
}

impl Store {
    /// The leases of this store, as one process sees them.
    pub fn leases(&self, pace: Pace) -> Leases {
        let heart = Arc::new(Heart::default());
        let beating = Arc::clone(&heart);
        Leases {
            store: self.clone(),
            pace,
            me: process::this(),
            seen: Mutex::default(),
            heart,
            thread: Some(std::thread::spawn(move || beating.beat(pace.beat))),
        }
    }
}

impl Leases {
    /// Takes a lease, if nobody alive holds it.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn take(&self, name: &str) -> Result<Taken, StoreError> {
        loop {
            let old = self.generations()?.remove(name);
            if let Some(generation) = old
                && let Some(live) = self.look(name, generation)?
            {
                return Ok(Taken::Theirs(live));
            }
            let lease = NEXT.fetch_add(1, Ordering::Relaxed);
            let holder = Holder { process: self.me.clone(), lease, beat: 0 };
            let path = layout::lease(self.store.root(), name, old.map_or(0, |generation| generation + 1));
            let text = serde_json::to_vec(&holder).expect("a holder is plain data");
            if fs::create_exclusively(&path, &text)? {
                let is_lost = Arc::new(AtomicBool::new(false));
                let next = old.map_or(0, |generation| generation + 1) + 1;
                let next = layout::lease(self.store.root(), name, next);
                let beating = Beating { holder, next, is_lost: Arc::clone(&is_lost) };
                self.heart.held().leases.insert(path.clone(), beating);
                let lease = Lease { path, heart: Arc::clone(&self.heart), is_lost };
                if let Some(generation) = old {
                    fs::remove(&layout::lease(self.store.root(), name, generation))?;
                }
                return Ok(Taken::Ours(lease));
            }
            // Another observer was faster: look again at what it made of it.
        }
    }

    /// Says that this process is at work in the store, until the answer is dropped: nothing that it has written and not yet
    /// committed is removed. Waits while the store is being cleared; `tell` hears who does that.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn presence(&self, tell: impl Fn(&Live)) -> Result<Lease, StoreError> {
        let name = format!("{AT_WORK}-{}-{}", self.me.id, NEXT.fetch_add(1, Ordering::Relaxed));
        // A name of our own: whoever holds it is dead, and had our number before.
        let Taken::Ours(lease) = self.take(&name)? else { return self.presence(tell) };
        self.sweep()?;
        // Both sides say what they do before they look at the other: at least one sees it.
        let clearing = || Ok::<_, StoreError>(self.live()?.into_iter().find(|live| live.name == CLEARING));
        if let Some(live) = clearing()? {
            tell(&live);
            while clearing()?.is_some() {
                std::thread::sleep(WAIT);
            }
        }
        Ok(lease)
    }

    /// Removes what dead processes of this machine left of their presence: names that nobody takes again.
    fn sweep(&self) -> Result<(), StoreError> {
        for (name, generation) in self.generations()? {
            if name.starts_with(AT_WORK) && self.look(&name, generation)?.is_none() {
                fs::remove(&layout::lease(self.store.root(), &name, generation))?;
            }
        }
        Ok(())
    }

    /// Says that this process clears the store; none while another one does.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn clearing(&self) -> Result<Taken, StoreError> {
        self.take(CLEARING)
    }

    /// The leases that someone alive holds, by name, without this process's own. Someone on another machine counts as
    /// alive until this view has waited for a beat in vain.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn live(&self) -> Result<Vec<Live>, StoreError> {
        let mut live = Vec::new();
        for (name, generation) in self.generations()? {
            let path = layout::lease(self.store.root(), &name, generation);
            if !self.heart.held().leases.contains_key(&path) {
                live.extend(self.look(&name, generation)?);
            }
        }
        Ok(live)
    }

    /// The youngest generation of every name.
    fn generations(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut youngest = BTreeMap::new();
        for path in fs::list(&layout::leases(self.store.root()))? {
            let Some((name, generation)) = path.file_name().and_then(|name| name.to_str()?.rsplit_once('.'))
            else {
                continue;
            };
            if let Ok(generation) = generation.parse::<u64>() {
                let entry = youngest.entry(name.to_owned()).or_insert(generation);
                *entry = generation.max(*entry);
            }
        }
        Ok(youngest)
    }

    /// Who holds a lease, if they are alive.
    fn look(&self, name: &str, generation: u64) -> Result<Option<Live>, StoreError> {
        let path = layout::lease(self.store.root(), name, generation);
        let holder: Option<Holder> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let last =
            seen.entry(path).or_insert_with(|| Seen { holder: holder.clone(), since: Stopwatch::start() });
        if last.holder != holder {
            *last = Seen { holder: holder.clone(), since: Stopwatch::start() };
        }
        let waited = last.since.elapsed() < self.pace.patience;
        let alive = match holder.as_ref().and_then(|holder| process::is_alive(&holder.process)) {
            Some(alive) => alive,
            None => waited,
        };
        Ok(alive.then(|| Live { name: name.to_owned(), holder }))
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.heart.held().stop = true;
        self.heart.stopped.notify_all();
        if let Some(thread) = self.thread.take() {
            // It holds no data of ours; a panic in there has been reported.
            drop(thread.join());
        }
    }
}

impl Heart {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn beat(&self, every: Duration) {
        let mut held = self.held();
        while !held.stop {
            held = match self.stopped.wait_timeout(held, every) {
                Ok((held, _)) => held,
                Err(poisoned) => poisoned.into_inner().0,
            };
            if held.stop {
                return;
            }
            for (path, beating) in &mut held.leases {
                // A file that is gone was taken over: it is not written anew, and the work is left to the other.
                if beating.is_lost.load(Ordering::SeqCst)
                    || !fs::is_there(path)
                    || fs::is_there(&beating.next)
                {
                    beating.is_lost.store(true, Ordering::SeqCst);
                    continue;
                }
                beating.holder.beat += 1;
                let text = serde_json::to_vec(&beating.holder).expect("a holder is plain data");
                // A beat that can't be written is missed: in the end someone takes over, which costs time only.
                drop(fs::overwrite(path, &text));
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Under the heart's lock, so that no beat writes the file anew.
        let mut held = self.heart.held();
        held.leases.remove(&self.path);
        // If it can't be removed, the next process finds its owner dead.
        drop(fs::remove(&self.path));
    }
}

impl Live {
    /// The stage that is held; none where it is something else.
    pub fn stage(&self) -> Option<StageKey> {
        self.name.parse().ok().map(StageKey)
    }

    /// `process 4711 of this machine`, `process 12 of another machine`.
    pub fn words(&self) -> String {
        match &self.holder {
            None => "a process that is just starting".to_owned(),
            Some(Holder { process, .. }) if process.is_here() => {
                format!("process {} of this machine", process.id)
            }
            Some(Holder { process, .. }) => format!("process {} of another machine", process.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Pace = Pace { beat: Duration::from_millis(20), patience: Duration::from_millis(400) };

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        (folder, store)
    }

    fn ours(taken: Taken) -> Lease {
        match taken {
            Taken::Ours(lease) => lease,
            Taken::Theirs(live) => panic!("{live:?} holds it"),
        }
    }

    /// A lease that a process wrote which is no longer there, or never was on this machine.
    fn left_by(store: &Store, name: &str, generation: u64, process: Process) {
        let holder = Holder { process, lease: 7, beat: 3 };
        let text = serde_json::to_vec(&holder).unwrap();
        assert!(fs::create_exclusively(&layout::lease(store.root(), name, generation), &text).unwrap());
    }

    fn elsewhere() -> Process {
        Process { machine: "another boot".to_owned(), ..process::this() }
    }

    #[test]
    fn a_lease_is_held_once_and_free_when_it_is_dropped() {
        let (_folder, store) = store();
        let (one, other) = (store.leases(QUICK), store.leases(QUICK));
        let lease = ours(one.take("stage").unwrap());
        assert!(matches!(other.take("stage").unwrap(), Taken::Theirs(_)));
        assert_eq!(other.live().unwrap().len(), 1);
        assert!(one.live().unwrap().is_empty(), "one's own is no one else's");
        ours(other.take("another").unwrap());
        // Longer than anybody's patience: the heart beats.
        std::thread::sleep(2 * QUICK.patience);
        assert!(matches!(other.take("stage").unwrap(), Taken::Theirs(_)));
        drop(lease);
        drop(ours(other.take("stage").unwrap()));
        assert!(fs::list(&layout::leases(store.root())).unwrap().is_empty());
    }

    #[test]
    fn whoever_begins_to_work_waits_until_the_store_is_cleared() {
        let (_folder, store) = store();
        let (worker, clearer) = (store.leases(QUICK), store.leases(QUICK));
        let lease = ours(clearer.clearing().unwrap());
        let told = AtomicU64::new(0);
        let (at_work, lease) = std::thread::scope(|scope| {
            let worker = scope.spawn(|| worker.presence(|_| told.store(1, Ordering::SeqCst)).unwrap());
            while told.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            assert!(!worker.is_finished());
            drop(lease);
            (worker.join().unwrap(), clearer.clearing().unwrap())
        });
        let seen = clearer.live().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].name.starts_with(AT_WORK) && seen[0].stage().is_none());
        drop((at_work, lease));
    }

    #[test]
    fn many_threads_that_want_one_lease_get_one() {
        let (_folder, store) = store();
        let dead = Process { started: 1, ..process::this() };
        left_by(&store, "stage", 4, dead);
        let views: Vec<Leases> = (0..8).map(|_| store.leases(QUICK)).collect();
        let taken: Vec<Taken> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                views.iter().map(|leases| scope.spawn(|| leases.take("stage").unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let ours = taken.iter().filter(|taken| matches!(taken, Taken::Ours(_))).count();
        assert_eq!(ours, if process::is_alive(&process::this()).is_some() { 1 } else { 0 });
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_dead_owner_of_this_machine_is_recognised_at_once() {
        let (_folder, store) = store();
        // The same process id, started at another time: the number was given away again.
        left_by(&store, "stage", 0, Process { started: 1, ..process::this() });
        let leases = store.leases(Pace { patience: Duration::from_secs(3600), ..QUICK });
        assert!(leases.live().unwrap().is_empty());
        let lease = ours(leases.take("stage").unwrap());
        assert_eq!(fs::list(&layout::leases(store.root())).unwrap(), std::slice::from_ref(&lease.path));
    }

    #[test]
    fn an_owner_elsewhere_is_dead_after_missed_beats_and_not_before() {
        let (_folder, store) = store();
        left_by(&store, "stage", 0, elsewhere());
        let leases = store.leases(QUICK);
        assert!(matches!(leases.take("stage").unwrap(), Taken::Theirs(_)), "nobody has waited yet");
        std::thread::sleep(2 * QUICK.patience);
        let lease = ours(leases.take("stage").unwrap());
        assert!(lease.path.ends_with("stage.1"));

        // The late owner wakes up and beats: its file is an older generation, and nobody is misled by it.
        left_by(&store, "stage", 0, elsewhere());
        let other = store.leases(QUICK);
        let Taken::Theirs(live) = other.take("stage").unwrap() else { panic!("it is held") };
        assert_eq!(live.holder.unwrap().process, process::this());
    }

    #[test]
    fn a_late_owner_learns_that_it_was_taken_over() {
        let (_folder, store) = store();
        let leases = store.leases(QUICK);
        let lease = ours(leases.take("stage").unwrap());
        std::thread::sleep(5 * QUICK.beat);
        assert!(!lease.is_lost());
        // As somebody does that has waited in vain.
        left_by(&store, "stage", 1, elsewhere());
        std::fs::remove_file(&lease.path).unwrap();
        let until = Stopwatch::start();
        while !lease.is_lost() {
            assert!(until.seconds() < 10.0, "it never learns");
            std::thread::sleep(QUICK.beat);
        }
        drop(lease);
        let there = fs::list(&layout::leases(store.root())).unwrap();
        assert_eq!(there, [layout::lease(store.root(), "stage", 1)], "the other's stays");
    }

    #[test]
    fn an_owner_elsewhere_that_beats_is_alive() {
        let (_folder, store) = store();
        let path = layout::lease(store.root(), "stage", 0);
        left_by(&store, "stage", 0, elsewhere());
        let leases = store.leases(QUICK);
        for beat in 4..24 {
            std::thread::sleep(QUICK.patience / 8);
            let holder = Holder { process: elsewhere(), lease: 7, beat };
            fs::overwrite(&path, &serde_json::to_vec(&holder).unwrap()).unwrap();
            assert!(matches!(leases.take("stage").unwrap(), Taken::Theirs(_)), "beat {beat}");
        }
    }
}
