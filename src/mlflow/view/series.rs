//! The points of a run's stages, read from where they are: the journal of a stage that is under way, or what it left.
//!
//! A point is sent once. What tells whether it was is not its place in a file, which another process, or another
//! machine, may have written in another way, but its metric and step ([`Mark`]).

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;
use crate::plan::recipe::Step as ChainStep;
use crate::plan::{Kind, Role, StageKey};
use crate::stage::metrics::Point;
use crate::store::journal::Follower;
use crate::store::layout;
use crate::store::{Store, StoreError};

/// The points of one stage of a run.
#[derive(Debug, Clone)]
pub struct Series {
    /// The stage.
    pub stage: StageKey,
    /// Its kind.
    pub kind: Kind,
    /// What its metrics are called by: a section of the charts each.
    pub prefix: String,
    /// Where they are.
    pub source: Source,
}

/// Where the points of a stage are.
#[derive(Debug, Clone)]
pub enum Source {
    /// In the artifact of a stage that is done; and those that came out otherwise after an interruption.
    Done(Digest, Vec<(String, u64)>),
    /// In the journal of one that is not.
    UnderWay,
}

/// Which points of a stage a server has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// All of this artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_of: Option<Digest>,
    /// Of each metric all up to a step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Reached>,
}

/// How far one metric was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The last step.
    pub step: u64,
    /// How many points that were: with fewer or more of them, it was not this metric.
    pub count: u64,
}

/// Followers of the journals that are read at the moment: one for each run of a stage that several share.
pub type Followers = BTreeMap<(Digest, StageKey), Follower>;

/// A point that a server does not have, and how far its metric is sent with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsent {
    /// The point.
    pub point: Point,
    /// What its metric has then.
    pub reached: Reached,
}

/// What the metrics of a stage are called by: the model that is trained, `eval`, or the stage itself.
pub fn prefix(kind: Kind, role: Option<Role>) -> String {
    match (kind, role) {
        (kind, Some(role)) if kind.trains() => role.word().to_owned(),
        (Kind::Evaluate, _) => "eval".to_owned(),
        (kind, Some(role)) => format!("{kind}_{role}"),
        (kind, None) => kind.to_string(),
    }
}

impl Series {
    /// The points of a step of a chain, if it has begun.
    ///
    /// # Errors
    /// A record that can't be read.
    pub fn of(store: &Store, step: &ChainStep) -> Result<Option<Self>, StoreError> {
        let source = match store.record(step.kind, step.key)? {
            Some(record) => match record.output("metrics") {
                None => return Ok(None),
                Some(digest) => {
                    let faults =
                        store.costs(step.kind, step.key)?.map(|costs| costs.faults).unwrap_or_default();
                    Source::Done(digest, faults.into_iter().map(|fault| (fault.key, fault.step)).collect())
                }
            },
            None if layout::running(store.root(), step.kind, step.key).is_dir() => Source::UnderWay,
            None => return Ok(None),
        };
        let prefix = prefix(step.kind, step.role);
        Ok(Some(Self { stage: step.key, kind: step.kind, prefix, source }))
    }

    /// The points that a server with this mark does not have in a run, in order, one at a time: there may be millions.
    ///
    /// # Errors
    /// What can't be read; and whatever `each` reports, which ends it.
    pub fn unsent<E: From<StoreError>>(
        &self,
        store: &Store,
        run: Digest,
        mark: &Mark,
        followers: &mut Followers,
        each: &mut dyn FnMut(Unsent) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.source {
            Source::Done(digest, _) if mark.all_of == Some(*digest) => Ok(()),
            Source::Done(digest, faults) => self.left(store, *digest, faults, mark, each),
            Source::UnderWay => {
                let follower = followers.entry((run, self.stage)).or_default();
                let mut reached = mark.keys.clone();
                for followed in store.running(self.kind, self.stage).follow(self.kind, follower)? {
                    let at = reached.entry(followed.point.key.clone()).or_default();
                    if followed.point.step > at.step || at.count == 0 {
                        *at = Reached { step: followed.point.step, count: at.count + 1 };
                    } else if !followed.differs {
                        continue;
                    }
                    let reached = *at;
                    each(Unsent { point: followed.point, reached })?;
                }
                Ok(())
            }
        }
    }

    /// What a stage left that is done.
    fn left<E: From<StoreError>>(
        &self,
        store: &Store,
        digest: Digest,
        faults: &[(String, u64)],
        mark: &Mark,
        each: &mut dyn FnMut(Unsent) -> Result<(), E>,
    ) -> Result<(), E> {
        // What was sent while the stage was under way is what it left, if there is as much of it.
        let mut known = BTreeMap::new();
        if mark.all_of.is_none() && !mark.keys.is_empty() {
            let mut counts: BTreeMap<&String, u64> = BTreeMap::new();
            points(store, digest, &mut |point| {
                if let Some((key, reached)) = mark.keys.get_key_value(&point.key)
                    && point.step <= reached.step
                {
                    *counts.entry(key).or_default() += 1;
                }
                Ok::<(), StoreError>(())
            })?;
            known.extend(counts.into_iter().filter(|(key, count)| mark.keys[*key].count == *count));
        }
        let mut last: Option<(String, u64)> = None;
        points(store, digest, &mut |point| {
            let count = match &last {
                Some((key, count)) if *key == point.key => count + 1,
                _ => 1,
            };
            let is_known = known.get(&point.key).is_some_and(|known| count <= *known)
                && !faults.iter().any(|(key, step)| *key == point.key && *step == point.step);
            match &mut last {
                Some((key, last)) if *key == point.key => *last = count,
                last => *last = Some((point.key.clone(), count)),
            }
            if is_known {
                return Ok(());
            }
            let reached = Reached { step: point.step, count };
            each(Unsent { point, reached })
        })
    }

    /// Every point that there is, sorted by metric and step.
    ///
    /// # Errors
    /// As of [`Self::unsent`].
    pub fn all<E: From<StoreError>>(
        &self,
        store: &Store,
        each: &mut dyn FnMut(Point) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Source::Done(digest, _) = &self.source {
            return points(store, *digest, each);
        }
        // A journal is as long as its stage, and holds metrics side by side.
        let mut all: BTreeMap<(String, u64), Point> = BTreeMap::new();
        let mut follower = Follower::default();
        for followed in store.running(self.kind, self.stage).follow(self.kind, &mut follower)? {
            all.insert((followed.point.key.clone(), followed.point.step), followed.point);
        }
        all.into_values().try_for_each(each)
    }
}

/// The points of an artifact `metrics`, sorted by key and step.
fn points<E: From<StoreError>>(
    store: &Store,
    digest: Digest,
    each: &mut dyn FnMut(Point) -> Result<(), E>,
) -> Result<(), E> {
    let path = layout::object(store.root(), digest);
    let unreadable = |what: String| StoreError::Unreadable {
        path: path.clone(),
        what: format!("it is no list of points ({what})"),
    };
    let mut lines = store.open_object(digest)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(|error| unreadable(error.to_string()))? == 0 {
            return Ok(());
        }
        each(serde_json::from_slice(&line).map_err(|error| unreadable(error.to_string()))?)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::metrics::to_lines;
    use proptest::prelude::*;

    fn point(key: &str, step: u64) -> Point {
        Point { key: key.to_owned(), step, value: Some(step as f64) }
    }

    fn series(source: Source) -> Series {
        Series {
            stage: StageKey(Digest::of(b"stage")),
            kind: Kind::Teacher,
            prefix: "teacher".to_owned(),
            source,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        (folder, store)
    }

    fn unsent(series: &Series, store: &Store, mark: &Mark, followers: &mut Followers) -> Vec<Unsent> {
        let mut all = Vec::new();
        series
            .unsent(store, Digest::of(b"run"), mark, followers, &mut |unsent| {
                all.push(unsent);
                Ok::<(), StoreError>(())
            })
            .unwrap();
        all
    }

    fn acknowledge(mark: &mut Mark, unsent: &[Unsent]) {
        for Unsent { point, reached } in unsent {
            mark.keys.insert(point.key.clone(), *reached);
        }
    }

    #[test]
    fn stages_are_told_apart_by_their_models() {
        assert_eq!(prefix(Kind::Teacher, Some(Role::Teacher)), "teacher");
        assert_eq!(prefix(Kind::Retrain, Some(Role::Student1)), "student_1");
        assert_eq!(prefix(Kind::Evaluate, Some(Role::Student)), "eval");
        assert_eq!(prefix(Kind::Label, Some(Role::Student1)), "label_student_1");
        assert_eq!(prefix(Kind::Prepare, None), "prepare");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Sent in any pieces, first from the journal and then from what the stage left: each point once.
        #[test]
        fn a_point_is_sent_once(live in 0usize..30, cut in 0usize..20) {
            let (_folder, store) = store();
            let (mut mark, mut followers, mut sent) = (Mark::default(), Followers::new(), Vec::new());
            let under_way = series(Source::UnderWay);
            let mut running = store.running(Kind::Teacher, under_way.stage);
            let mut journal = running.journal().unwrap();
            for step in 1..=live as u64 {
                journal.point(point("loss", step)).unwrap();
                journal.point(point("lr", step)).unwrap();
                if step % 7 == 0 {
                    let more = unsent(&under_way, &store, &mark, &mut followers);
                    acknowledge(&mut mark, &more);
                    sent.extend(more);
                }
                if step % 11 == 0 {
                    followers.clear();
                }
            }
            let mut all: Vec<Point> = ["loss", "lr"].iter().flat_map(|key| (1..=30).map(|step| point(key, step))).collect();
            let digest = store.put(&to_lines(&all)).unwrap();
            let done = series(Source::Done(digest, Vec::new()));
            let mut more = unsent(&done, &store, &mark, &mut followers);
            more.truncate(cut);
            acknowledge(&mut mark, &more);
            sent.extend(more);
            let more = unsent(&done, &store, &mark, &mut followers);
            sent.extend(more);
            let mut sent: Vec<Point> = sent.into_iter().map(|unsent| unsent.point).collect();
            let order = |a: &Point, b: &Point| (&a.key, a.step).cmp(&(&b.key, b.step));
            sent.sort_by(order);
            all.sort_by(order);
            prop_assert_eq!(sent, all);
            mark.all_of = Some(digest);
            prop_assert!(unsent(&done, &store, &mark, &mut followers).is_empty());
        }
    }

    #[test]
    fn a_metric_that_has_other_points_than_were_sent_is_sent_again() {
        let (_folder, store) = store();
        let mut mark = Mark::default();
        mark.keys.insert("val/miou".to_owned(), Reached { step: 20, count: 2 });
        let left: Vec<Point> = [5, 10, 20].map(|step| point("val/miou", step)).into();
        let done = series(Source::Done(store.put(&to_lines(&left)).unwrap(), Vec::new()));
        let sent = unsent(&done, &store, &mark, &mut Followers::new());
        assert_eq!(sent.into_iter().map(|unsent| unsent.point).collect::<Vec<_>>(), left);
        mark.keys.insert("val/miou".to_owned(), Reached { step: 20, count: 3 });
        assert!(unsent(&done, &store, &mark, &mut Followers::new()).is_empty());
    }

    #[test]
    fn a_value_that_came_out_otherwise_is_sent_though_its_step_was() {
        let (_folder, store) = store();
        let mut mark = Mark::default();
        mark.keys.insert("loss".to_owned(), Reached { step: 3, count: 3 });
        let left: Vec<Point> = [1, 2, 3].map(|step| point("loss", step)).into();
        let digest = store.put(&to_lines(&left)).unwrap();
        let done = series(Source::Done(digest, vec![("loss".to_owned(), 2)]));
        let sent = unsent(&done, &store, &mark, &mut Followers::new());
        assert_eq!(sent.into_iter().map(|unsent| unsent.point.step).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn points_that_cannot_be_read_are_damage() {
        let (_folder, store) = store();
        let done = series(Source::Done(store.put(b"not a point\n").unwrap(), Vec::new()));
        let error = done.all(&store, &mut |_| Ok::<(), StoreError>(())).unwrap_err();
        assert!(error.is_damage(), "{error}");
    }
}
