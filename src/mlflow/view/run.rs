//! One experiment as one run.

use std::collections::BTreeMap;

use serde_json::json;

use super::params::Distinctions;
use super::series::{Series, prefix};
use super::{
    ARM, AtWork, BROUGHT, Depth, FAILURE, KIND, NOTE, NUMERICS, RunView, SPLIT, State, UID, images, of_note,
    system, table,
};
use crate::base::canon;
use crate::base::digest::Digest;
use crate::mlflow::wire::{Dataset, Input, Key, Said, TagValue};
use crate::plan::Kind;
use crate::plan::graph::Want;
use crate::plan::recipe::Step;
use crate::report::query;
use crate::report::rows;
use crate::report::scores::Scores;
use crate::spec::ablation::Member;
use crate::spec::identity::identity;
use crate::store::study::{SplitFacts, StoredMember};
use crate::store::{Store, StoreError, StoredStudy};
use crate::track::frame;
use crate::track::schema;
use crate::track::table::{LongTable, Table, TableError, Value};

/// Columns of the table `runs` that are results of a run.
const RESULTS: [&str; 5] = ["miou", "miou_val", "miou_best", "best_step", "looks"];

/// Tables whose rows are about one run, with the path of what its page shows of them.
const TABLES: [(&str, &str); 2] = [("classes", "eval/classes.json"), ("images", "selection/images.json")];

/// What the run of an experiment is told by from others of its study: two splits with equal lists, or two arms that differ
/// in name alone, are the same experiment and have runs of their own.
pub fn uid(member: &StoredMember) -> Digest {
    canon::digest("stpp shown run v1", &(member.run_id, &member.arm, &member.split))
}

/// The runs of a study, one by one.
#[derive(Debug)]
pub struct Runs<'a> {
    store: &'a Store,
    study: &'a StoredStudy,
    distinctions: Distinctions,
}

impl<'a> Runs<'a> {
    /// The runs of a study.
    pub fn of(store: &'a Store, study: &'a StoredStudy) -> Self {
        Self { store, study, distinctions: Distinctions::of(&study.ablation) }
    }

    /// What the run of an experiment is to show.
    ///
    /// # Errors
    /// What can't be read of the store.
    pub fn view(&self, member: &StoredMember, at_work: &AtWork, depth: Depth) -> Result<RunView, StoreError> {
        let Self { store, study, .. } = *self;
        let resolved = self.resolved(member);
        let (params, long) = self.distinctions.params(resolved);
        let mut view = RunView {
            uid: uid(member),
            name: self.name(member),
            order: self.order(member),
            started: None,
            ended: None,
            state: State::Waiting,
            params,
            tags: self.tags(member),
            inputs: self.inputs(member, resolved),
            series: Vec::new(),
            values: BTreeMap::new(),
            system: Vec::new(),
            artifacts: BTreeMap::new(),
        };
        let mut done = 0;
        let (mut failure, mut has_begun) = (None, false);
        for step in &member.chain.steps {
            let is_done = store.record(step.kind, step.key)?.is_some_and(|record| {
                // Another study may have wanted fewer looks at the result.
                let seen = |look: &u64| record.values.contains_key(&Want::Validation(*look).to_string());
                Some(step.key) != member.chain.result || member.chain.looks.iter().all(seen)
            });
            done += usize::from(is_done);
            // What is prepared once for all says nothing of a run.
            has_begun |= is_done && step.kind.trains();
            if step.kind != Kind::Prepare
                && let Some(series) = Series::of(store, step)?
            {
                has_begun = true;
                view.series.push(series);
            }
            if let Some(costs) = store.costs(step.kind, step.key)? {
                view.started = view.started.into_iter().chain(costs.started).min();
                view.ended = view.ended.max(costs.finished);
                if !costs.faults.is_empty() {
                    let faults =
                        format!("{} values of {} {}", costs.faults.len(), step.kind, step.key.short());
                    view.tag("stpp.replay_mismatch", &faults);
                }
                view.system.extend(system::samples(&self.system_name(member, step), &costs));
            }
            if !is_done {
                let running = store.running(step.kind, step.key);
                failure = failure.or(running.failure()?);
                view.started = view.started.into_iter().chain(running.has_begun()?).min();
            }
        }
        view.state = match failure {
            _ if done == member.chain.steps.len() => State::Complete,
            _ if !has_begun => State::Waiting,
            Some(words) => {
                view.tag(FAILURE, &without_folders(&words));
                State::Failed
            }
            None if at_work.on(study) => State::UnderWay,
            None => State::Stopped,
        };
        if depth == Depth::Whole && view.state == State::Complete {
            self.add_results(member, &mut view)?;
        }
        if depth == Depth::Whole && view.state != State::Waiting {
            self.add_files(member, resolved, &long, &mut view)?;
        }
        Ok(view)
    }

    /// What a stage is called among system metrics: of two evaluations each has its own name.
    fn system_name(&self, member: &StoredMember, step: &Step) -> String {
        let name = prefix(step.kind, step.role);
        match Some(step.key) {
            key if key == member.chain.val => format!("{name}_val"),
            key if key == member.chain.test => format!("{name}_test"),
            _ => name,
        }
    }

    fn resolved(&self, member: &StoredMember) -> &'a Member {
        let is_it =
            |one: &&Member| (&one.arm, one.seed, &one.split) == (&member.arm, member.seed, &member.split);
        let found = self.study.ablation.experiments.iter().find(is_it);
        found.expect("a study's members are its ablation's experiments")
    }

    fn order(&self, member: &StoredMember) -> i64 {
        let at = self.study.members.iter().position(|other| uid(other) == uid(member));
        at.and_then(|at| i64::try_from(at).ok()).unwrap_or_default()
    }

    fn name(&self, member: &StoredMember) -> String {
        let split = if self.study.ablation.splits.len() > 1 {
            format!(", split {}", member.split)
        } else {
            String::new()
        };
        format!("{}, seed {}{split}", member.arm, member.seed)
    }

    fn tags(&self, member: &StoredMember) -> BTreeMap<Key, TagValue> {
        let study = self.study;
        let arm = study.ablation.arms.iter().find(|arm| arm.name == member.arm);
        let mut about = arm.map(|arm| arm.description.clone()).unwrap_or_default();
        if !about.is_empty() {
            about.push_str("\n\n");
        }
        about.push_str(&format!(
            "Arm `{}` of `{}`: {}\n\n`stpp exp show {}` lists its stages, `stpp exp verify {}` computes it again.",
            member.arm,
            study.ablation.name,
            study.ablation.question,
            member.run_id.short(),
            member.run_id.short()
        ));
        let mut tags = vec![
            (UID, member.run_id.to_string()),
            (KIND, "cell".to_owned()),
            (ARM, member.arm.clone()),
            (SPLIT, member.split.clone()),
            ("stpp.study", study.digest.to_string()),
            ("stpp.spec_id", member.spec_id.to_string()),
            ("stpp.experiment_id", member.experiment_id.to_string()),
            (NUMERICS, study.numerics.clone()),
            ("mlflow.source.name", format!("stpp exp run ({})", study.ablation.name)),
            ("mlflow.source.type", "LOCAL".to_owned()),
            (BROUGHT, of_note(&about)),
            (NOTE, about),
        ];
        if arm.is_some_and(|arm| arm.oracle) {
            tags.push(("stpp.oracle", "true".to_owned()));
        }
        tags.into_iter().map(|(key, value)| (Key::of(key), TagValue::cut(value, "…"))).collect()
    }

    /// What the run learnt from and was measured on.
    fn inputs(&self, member: &StoredMember, resolved: &Member) -> Vec<Input> {
        let data = &self.study.data;
        let source = identity(&resolved.experiment)["data"].to_string();
        let schema = json!({ "classes": data.classes }).to_string();
        let input = |part: &str, digest, images: Option<usize>, context: &str| Input {
            tags: vec![Said { key: "mlflow.data.context".to_owned(), value: context.to_owned() }],
            dataset: Dataset {
                name: format!("{}{part}", data.name).chars().take(500).collect(),
                digest: crate::mlflow::wire::InputDigest::from(digest),
                source_type: "stpp".to_owned(),
                source: source.clone(),
                schema: Some(schema.clone()),
                profile: images.map(|images| json!({ "images": images }).to_string()),
            },
        };
        let mut inputs = vec![input("", data.manifest, None, "eval")];
        if let Some(SplitFacts { labeled, labeled_digest, unlabeled, unlabeled_digest }) =
            data.splits.get(&member.split).copied()
        {
            inputs.insert(0, input("/labeled", labeled_digest, Some(labeled), "training"));
            if resolved.experiment.method.retrainings > 0 {
                inputs.insert(1, input("/unlabeled", unlabeled_digest, Some(unlabeled), "unlabeled"));
            }
        }
        inputs
    }

    /// Scores, and the tables of a run that is complete.
    fn add_results(&self, member: &StoredMember, view: &mut RunView) -> Result<(), StoreError> {
        let facts = query::study(self.store, &self.study.only(member))?;
        let scores = Scores::new(&facts);
        let tables = rows::tables(&facts, &scores, &[]);
        let tables: Result<Vec<Table>, TableError> = tables.iter().map(LongTable::table).collect();
        let tables = tables.map_err(|error| StoreError::Unreadable {
            path: crate::store::layout::study(self.store.root(), &facts.name, &self.study.numerics),
            what: error.to_string(),
        })?;
        let of = |name: &str| tables.iter().find(|table| table.schema().name == name);
        if let Some(runs) = of(schema::RUNS.name) {
            view.values = results(runs);
        }
        let mut shown = Vec::new();
        for (name, path) in TABLES {
            if let Some(table) = of(name).filter(|table| !table.rows().is_empty()) {
                view.artifacts.insert(path.to_owned(), table::split(table));
                shown.push(path);
            }
        }
        for table in tables.iter().filter(|table| !table.rows().is_empty()) {
            if let Ok(bytes) = frame::parquet(table) {
                view.artifacts.insert(format!("tables/{}.parquet", table.schema().name), bytes);
            }
        }
        if let Some(run) = facts.runs.first().filter(|run| !run.evaluations.is_empty()) {
            view.artifacts.insert("eval/images.json".to_owned(), table::images(run, facts.classes.len()));
            shown.push("eval/images.json");
        }
        let shown: Vec<_> = shown.iter().map(|path| json!({ "path": path, "type": "table" })).collect();
        view.tag("mlflow.loggedArtifacts", &serde_json::Value::from(shown).to_string());
        Ok(())
    }

    fn add_files(
        &self,
        member: &StoredMember,
        resolved: &Member,
        long: &BTreeMap<String, String>,
        view: &mut RunView,
    ) -> Result<(), StoreError> {
        let pictures = images::of(self.store, member)?;
        if !pictures.is_empty() {
            view.tag("mlflow.loggedImages", "true");
            view.artifacts.extend(pictures);
        }
        let stages: Vec<_> = member
            .chain
            .steps
            .iter()
            .map(|step| json!({ "kind": step.kind, "role": step.role, "key": step.key }))
            .collect();
        let about = json!({
            "run_id": member.run_id,
            "experiment_id": member.experiment_id,
            "spec_id": member.spec_id,
            "numerics": self.study.numerics,
            "spec": identity(&resolved.experiment),
            "stages": stages,
        });
        let text = canon::to_json(&about).expect("ids and specs have a canonical form");
        view.artifacts.insert("spec.json".to_owned(), text.into_bytes());
        if !long.is_empty() {
            let text = canon::to_json(long).expect("texts have a canonical form");
            view.artifacts.insert("params.json".to_owned(), text.into_bytes());
        }
        Ok(())
    }
}

impl RunView {
    fn tag(&mut self, key: &str, value: &str) {
        self.tags.insert(Key::of(key), TagValue::cut(value, "…"));
    }
}

/// Words without the folders that they name: those are of one machine, and a server has many readers.
fn without_folders(words: &str) -> String {
    let short = |word: &str| {
        let start = word.find(|c: char| !"`'\"(".contains(c)).unwrap_or(0);
        match word[start..].starts_with('/').then(|| word.rsplit_once('/')).flatten() {
            Some((_, file)) => format!("{}…/{file}", &word[..start]),
            None => word.to_owned(),
        }
    };
    words.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

/// The results in the only row of a table of runs.
fn results(runs: &Table) -> BTreeMap<Key, f64> {
    let mut values = BTreeMap::new();
    let Some(row) = runs.rows().first() else { return values };
    for (column, value) in runs.schema().columns.iter().zip(row) {
        let number = match value {
            Value::Real(real) => *real,
            Value::Integer(integer) => *integer as f64,
            _ => continue,
        };
        if RESULTS.contains(&column.name) {
            values.insert(Key::of(&format!("eval/{}", column.name)), number);
        }
    }
    values
}

#[cfg(test)]
pub mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use super::*;

    /// A store that was written once; the first run of its study is complete.
    pub fn store() -> Store {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store/v2/store");
        Store::open_to_read(&root).unwrap()
    }

    /// Its study.
    pub fn study() -> StoredStudy {
        let store = store();
        let name = store.study_names().unwrap().remove(0);
        store.studies(&name).unwrap().remove(0)
    }

    #[test]
    fn a_run_shows_all_that_the_store_knows_of_it() {
        let (store, study) = (store(), study());
        let runs = Runs::of(&store, &study);
        let view = runs.view(&study.members[0], &AtWork::default(), Depth::Whole).unwrap();
        let mut text = format!("{} ({:?})\n", view.name, view.state);
        for (key, value) in &view.params {
            let _ = writeln!(text, "param {} = {}", key.as_str(), value.as_str());
        }
        for (key, value) in &view.tags {
            let _ = writeln!(text, "tag {} = {}", key.as_str(), value.as_str().replace('\n', "\\n"));
        }
        for input in &view.inputs {
            let _ = writeln!(text, "input {}", serde_json::to_string(input).unwrap());
        }
        for series in &view.series {
            let mut points = 0;
            series
                .all(&store, &mut |_| {
                    points += 1;
                    Ok::<(), StoreError>(())
                })
                .unwrap();
            let _ = writeln!(text, "series {}: {points} points", series.prefix);
        }
        for (key, value) in &view.values {
            let _ = writeln!(text, "result {} = {value:?}", key.as_str());
        }
        for (path, bytes) in &view.artifacts {
            let _ = writeln!(text, "file {path}: {} bytes", bytes.len());
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn every_run_has_a_name_and_a_place_of_its_own() {
        let (store, study) = (store(), study());
        let runs = Runs::of(&store, &study);
        let mut seen = std::collections::BTreeSet::new();
        for (at, member) in study.members.iter().enumerate() {
            let view = runs.view(member, &AtWork::default(), Depth::Points).unwrap();
            assert_eq!(view.order, at as i64);
            assert!(view.artifacts.is_empty() && seen.insert(view.name));
        }
    }

    #[test]
    fn words_for_a_server_name_no_folder() {
        let words = "failed to read `/home/ada/x/a.png`: (/data/b) and/or c: No such file";
        assert_eq!(without_folders(words), "failed to read `…/a.png`: (…/b) and/or c: No such file");
    }

    #[test]
    fn what_is_not_complete_waits_is_under_way_or_was_stopped() {
        let whole = store();
        let study = study();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let member = &study.members[0];
        let state =
            |at_work: &AtWork| Runs::of(&store, &study).view(member, at_work, Depth::Whole).unwrap().state;
        let nobody = AtWork::default();
        assert_eq!(state(&nobody), State::Waiting);
        let prepare = member.chain.steps[0];
        store.commit(&whole.record(prepare.kind, prepare.key).unwrap().unwrap()).unwrap();
        assert_eq!(state(&nobody), State::Waiting, "what is prepared serves all");
        let teacher = member.chain.steps.iter().find(|step| step.kind == Kind::Teacher).unwrap();
        let mut running = store.running(teacher.kind, teacher.key);
        drop(running.journal().unwrap());
        assert_eq!(state(&nobody), State::Stopped);
        let someone = AtWork { here: false, stages: [teacher.key].into() };
        assert_eq!(state(&someone), State::UnderWay);
        assert_eq!(state(&AtWork { here: true, ..AtWork::default() }), State::UnderWay);
        running.note_failure("failed to train: the loss is not finite").unwrap();
        assert_eq!(state(&nobody), State::Failed);
    }
}
