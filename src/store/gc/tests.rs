use proptest::prelude::*;

use super::*;
use crate::store::inventory::StudyFile;
use crate::store::layout;

/// A random store, by numbers: stage `i` reads some of the stages before it and left some of the artifacts.
#[derive(Debug, Clone)]
struct Shape {
    stages: Vec<Stage>,
    studies: Vec<Study>,
    labels: Vec<Vec<usize>>,
    objects: Vec<bool>,
    drop: Vec<bool>,
    quarantine: bool,
}

#[derive(Debug, Clone)]
struct Stage {
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    done: bool,
    superseded: bool,
    costs: bool,
    running: Option<Vec<usize>>,
}

#[derive(Debug, Clone)]
struct Study {
    stages: Vec<usize>,
    tables: bool,
    superseded: bool,
}

const OBJECTS: usize = 8;

fn shape() -> impl Strategy<Value = Shape> {
    let some = |n: usize| prop::collection::vec(0..n.max(1), 0..4);
    let running = prop::option::of(some(OBJECTS));
    let stage = (some(64), some(OBJECTS), any::<[bool; 3]>(), running);
    let stage = stage.prop_map(|(inputs, outputs, flags, running)| {
        let [done, superseded, costs] = flags;
        Stage { inputs, outputs, done, superseded: superseded && done, costs, running }
    });
    let study = (some(64), any::<bool>(), any::<bool>()).prop_map(|(stages, tables, superseded)| Study {
        stages,
        tables,
        superseded,
    });
    let stages = prop::collection::vec(stage, 1..10);
    let studies = prop::collection::vec(study, 0..5);
    let labels = prop::collection::vec(prop::collection::vec(0..OBJECTS, 1..3), 0..4);
    let flags = (prop::collection::vec(any::<bool>(), OBJECTS), prop::collection::vec(any::<bool>(), 5));
    (stages, studies, labels, flags, any::<bool>()).prop_map(
        |(mut stages, mut studies, labels, (objects, drop), quarantine)| {
            for (at, stage) in stages.iter_mut().enumerate() {
                stage.inputs.iter_mut().for_each(|input| *input %= at.max(1));
                if at == 0 {
                    stage.inputs.clear();
                }
            }
            let count = stages.len();
            studies.iter_mut().flat_map(|study| &mut study.stages).for_each(|stage| *stage %= count);
            Shape { stages, studies, labels, objects, drop, quarantine }
        },
    )
}

fn key(at: usize) -> StageKey {
    StageKey(Digest::of(format!("stage {at}").as_bytes()))
}

fn object(at: usize) -> Digest {
    Digest::of(format!("object {at}").as_bytes())
}

fn name(at: usize) -> String {
    format!("study-{at}")
}

/// A file whose size tells it from the others.
fn entry(path: &str) -> Entry {
    Entry { path: path.to_owned(), bytes: 1 + path.len() as u64 }
}

impl Shape {
    fn inventory(&self) -> Inventory {
        let mut inventory = Inventory {
            cache: vec![entry("cache-v1/.writable")],
            unfinished: vec![entry("objects-v1/ab/.tmp-1")],
            quarantined: vec![entry("quarantine-v1/log.jsonl")],
            fixed: vec![entry("stpp-store")],
            foreign: vec![entry("notes.txt")],
            ..Inventory::default()
        };
        for (at, stage) in self.stages.iter().enumerate() {
            let file = |path: String, superseded| RecordFile {
                entry: entry(&path),
                key: key(at),
                inputs: stage.inputs.iter().map(|&input| key(input)).collect(),
                outputs: stage.outputs.iter().map(|&output| object(output)).collect(),
                superseded,
            };
            if stage.done {
                inventory.records.push(file(format!("record-{at}"), false));
            }
            if stage.superseded {
                inventory.records.push(file(format!("old-record-{at}"), true));
            }
            if stage.costs {
                inventory.beside.push((key(at), entry(&format!("costs-{at}"))));
            }
            if let Some(outputs) = &stage.running {
                let outputs = outputs.iter().map(|&output| object(output)).collect();
                let entry = entry(&format!("running-{at}"));
                inventory.running.push(RunningFile { entry, key: key(at), outputs, is_over: stage.done });
            }
        }
        for (at, study) in self.studies.iter().enumerate() {
            let stages: BTreeSet<_> = study.stages.iter().map(|&stage| key(stage)).collect();
            let file = |path: String, superseded| StudyFile {
                entry: entry(&path),
                name: name(at),
                stages: stages.clone(),
                superseded,
            };
            inventory.studies.push(file(format!("study-file-{at}"), false));
            if study.superseded {
                inventory.studies.push(file(format!("old-study-file-{at}"), true));
            }
            if study.tables {
                inventory.tables.push((name(at), entry(&format!("tables-{at}"))));
            }
        }
        inventory.tables.push(("nobody".to_owned(), entry("tables-of-nobody")));
        for (at, packs) in self.labels.iter().enumerate() {
            let packs = packs.iter().map(|&pack| object(pack)).collect();
            inventory.labels.push(LabelFile {
                entry: entry(&format!("labels-{at}")),
                packs,
                superseded: false,
            });
        }
        for at in (0..OBJECTS).filter(|&at| self.objects[at]) {
            inventory.objects.push((object(at), entry(&format!("object-{at}"))));
        }
        inventory
    }

    fn policy(&self) -> Policy {
        let drop = (0..self.studies.len()).filter(|&at| self.drop[at]).map(name).collect();
        Policy { drop, quarantine: self.quarantine }
    }

    /// Whether a stage is one of the studies', or is read by one of them that is done.
    fn is_needed(&self, stage: usize, studies: &[usize]) -> bool {
        let asked = studies.iter().any(|&study| self.studies[study].stages.contains(&stage));
        asked
            || (stage + 1..self.stages.len()).any(|later| {
                let reader = &self.stages[later];
                reader.done && reader.inputs.contains(&stage) && self.is_needed(later, studies)
            })
    }

    /// The files that some studies need, said one by one.
    fn needed(&self, studies: &[usize]) -> BTreeSet<String> {
        let mut needed = BTreeSet::new();
        for &at in studies {
            needed.insert(format!("study-file-{at}"));
            if self.studies[at].tables {
                needed.insert(format!("tables-{at}"));
            }
        }
        let (mut left, mut so_far) = (BTreeSet::new(), BTreeSet::new());
        for (at, stage) in self.stages.iter().enumerate().filter(|(at, _)| self.is_needed(*at, studies)) {
            if stage.done {
                needed.insert(format!("record-{at}"));
                left.extend(stage.outputs.iter().copied());
            }
            if stage.costs {
                needed.insert(format!("costs-{at}"));
            }
            if let Some(outputs) = stage.running.as_ref().filter(|_| !stage.done) {
                needed.insert(format!("running-{at}"));
                so_far.extend(outputs.iter().copied());
            }
        }
        needed.extend(left.union(&so_far).filter(|&&at| self.objects[at]).map(|at| format!("object-{at}")));
        for (at, packs) in self.labels.iter().enumerate() {
            if packs.iter().all(|pack| left.contains(pack)) {
                needed.insert(format!("labels-{at}"));
            }
        }
        needed
    }
}

fn paths(garbage: &[Garbage]) -> BTreeSet<String> {
    garbage.iter().map(|garbage| garbage.path.clone()).collect()
}

proptest! {
    #[test]
    fn nothing_reachable_goes_and_everything_else_does(shape in shape()) {
        let inventory = shape.inventory();
        let plan = plan(&inventory, &shape.policy(), &Busy::default());
        let kept: Vec<usize> = (0..shape.studies.len()).filter(|&at| !shape.drop[at]).collect();
        let mut stays = shape.needed(&kept);
        stays.extend(["stpp-store", "notes.txt"].map(str::to_owned));
        if !shape.quarantine {
            stays.insert("quarantine-v1/log.jsonl".to_owned());
        }
        let all: BTreeSet<String> = inventory.entries().map(|entry| entry.path.clone()).collect();
        let goes: BTreeSet<String> = all.difference(&stays).cloned().collect();
        prop_assert_eq!(paths(&plan.remove), goes);
        prop_assert!(plan.waiting.is_empty());
        prop_assert_eq!(plan.kept_files, stays.len());
        prop_assert_eq!(plan.kept_bytes, stays.iter().map(|path| entry(path).bytes).sum::<u64>());
    }

    #[test]
    fn what_a_study_holds_is_what_it_needs(shape in shape()) {
        let plan = plan(&shape.inventory(), &shape.policy(), &Busy::default());
        let bytes = |files: &BTreeSet<String>| files.iter().map(|path| entry(path).bytes).sum::<u64>();
        prop_assert_eq!(plan.holdings.len(), shape.studies.len());
        for (at, holding) in plan.holdings.iter().enumerate() {
            let own = shape.needed(&[at]);
            let mut only = own.clone();
            for other in (0..shape.studies.len()).filter(|&other| other != at) {
                let others = shape.needed(&[other]);
                only.retain(|path| !others.contains(path));
            }
            prop_assert_eq!(&holding.study, &name(at));
            prop_assert_eq!((holding.bytes, holding.only), (bytes(&own), bytes(&only)));
            prop_assert_eq!(holding.dropped, shape.drop[at]);
        }
    }

    #[test]
    fn nothing_of_a_stage_that_is_held_goes(shape in shape(), held in prop::collection::btree_set(0usize..12, 0..4)) {
        let busy = Busy { held: held.iter().map(|&at| key(at)).collect(), someone: true };
        let plan = plan(&shape.inventory(), &shape.policy(), &busy);
        let kept: Vec<usize> = (0..shape.studies.len())
            .filter(|&at| !shape.drop[at] || shape.studies[at].stages.iter().any(|stage| held.contains(stage)))
            .collect();
        let goes = paths(&plan.remove);
        prop_assert!(goes.is_disjoint(&shape.needed(&kept)));
        // Artifacts may be about to be named, and whatever else of stages about to be read: all of it waits.
        for word in ["object", "record", "costs", "running", "labels", "cache"] {
            prop_assert!(!goes.iter().any(|path| path.starts_with(word)), "{word}: {goes:?}");
        }
        for (at, stage) in shape.stages.iter().enumerate().filter(|(at, _)| held.contains(at)) {
            let mut of_stage = vec![format!("running-{at}"), format!("costs-{at}"), format!("record-{at}")];
            of_stage.extend(stage.outputs.iter().map(|output| format!("object-{output}")));
            let waiting = paths(&plan.waiting);
            let own = of_stage.iter().filter(|path| waiting.contains(*path));
            let own: Vec<_> = own.filter(|path| stage.done || !path.starts_with("object")).collect();
            prop_assert!(own.is_empty(), "{own:?} is no garbage");
        }
        // A study that is dropped may be the one that someone works on, between two of its stages.
        prop_assert!(!goes.iter().any(|path| path.starts_with("study-file") || path.starts_with("tables")));
    }

    #[test]
    fn what_is_named_goes_after_what_names_it(shape in shape()) {
        let plan = plan(&shape.inventory(), &shape.policy(), &Busy::default());
        let order: Vec<Why> = plan.remove.iter().map(|garbage| garbage.why).collect();
        prop_assert!(order.is_sorted());
    }
}

#[test]
fn an_index_of_labels_that_two_studies_left_stays_while_both_do() {
    let stage = |output| Stage {
        inputs: Vec::new(),
        outputs: vec![output],
        done: true,
        superseded: false,
        costs: false,
        running: None,
    };
    let study = |stage| Study { stages: vec![stage], tables: false, superseded: false };
    let mut shape = Shape {
        stages: vec![stage(0), stage(1)],
        studies: vec![study(0), study(1)],
        labels: vec![vec![0, 1]],
        objects: vec![true; OBJECTS],
        drop: vec![false; 2],
        quarantine: false,
    };
    let goes = |shape: &Shape| paths(&plan(&shape.inventory(), &shape.policy(), &Busy::default()).remove);
    assert!(!goes(&shape).contains("labels-0"));
    shape.drop[1] = true;
    assert!(goes(&shape).is_superset(&["labels-0", "object-1"].map(str::to_owned).into()));
}

#[test]
fn a_plan_is_carried_out_and_leaves_no_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let orphan = store.put(b"of nobody").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    let inventory = Inventory::of(&store).unwrap();
    assert_eq!(inventory.objects.iter().map(|(digest, _)| *digest).collect::<Vec<_>>(), [orphan]);
    let planned = plan(&inventory, &Policy::default(), &Busy::default());
    collect(&store, &planned).unwrap();
    assert_eq!(store.object_path(orphan), None);
    let left = fs::list(folder.path()).unwrap();
    assert_eq!(left, [folder.path().join("notes.txt"), layout::marker(folder.path())]);
    // What is gone already, since another call was faster, is no reason to stop.
    collect(&store, &planned).unwrap();
}
