//! Datasets of files: what the lists of `[data]` and `[split]` name, and whether they fit together.

use std::collections::BTreeMap;
use std::path::Path;

use crate::spec::data::{Listed, Split};

use super::list_file::{self, Item};
use super::problem::{Place, Problem, Same};
use super::split::SplitLists;
use super::subset::Subset;

/// What the lists say.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Training, validation and test images, each in the order of its list; no id twice.
    pub images: Vec<(Subset, Item)>,
    /// The split, where lists define it.
    pub split: Option<SplitLists>,
}

/// Reads every list; what does not fit together is added to `problems` and left out.
pub(super) fn read(data: &Listed, split: &Split, problems: &mut Vec<Problem>) -> Lists {
    let mut lists = Lists::default();
    match split {
        Split::Drawn { .. } => match &data.train {
            Some(path) => lists.add(Subset::Train, unique(list_file::read(path, problems), problems)),
            None => problems.push(Problem::NothingToDraw),
        },
        Split::Lists { folder } => {
            let [labeled, unlabeled] = read_split(folder, problems);
            lists.split = Some(split_lists(&labeled, &unlabeled));
            lists.add(Subset::Train, labeled);
            lists.add(Subset::Train, unlabeled);
        }
    }
    lists.add(Subset::Val, unique(list_file::read(&data.val, problems), problems));
    if let Some(path) = &data.test {
        lists.add(Subset::Test, unique(list_file::read(path, problems), problems));
    }
    lists.remove_leaks(problems);
    lists
}

/// Reads `labeled.txt` and `unlabeled.txt` of a folder; duplicates and images in both are left out.
pub(super) fn read_split(folder: &Path, problems: &mut Vec<Problem>) -> [Vec<Item>; 2] {
    let [labeled, unlabeled] =
        list_file::of_split(folder).map(|path| unique(list_file::read(&path, problems), problems));
    let places: BTreeMap<&str, &Place> = labeled.iter().map(|item| (item.image.as_str(), &item.at)).collect();
    let (both, unlabeled): (Vec<_>, Vec<_>) =
        unlabeled.into_iter().partition(|item| places.contains_key(item.image.as_str()));
    problems.extend(both.into_iter().map(|item| Problem::Overlap {
        labeled: places[item.image.as_str()].clone(),
        at: item.at,
        id: item.image,
    }));
    [labeled, unlabeled]
}

/// The ids of two lists.
pub(super) fn split_lists(labeled: &[Item], unlabeled: &[Item]) -> SplitLists {
    let ids = |items: &[Item]| items.iter().map(|item| item.image.clone()).collect();
    SplitLists { labeled: ids(labeled), unlabeled: ids(unlabeled) }
}

impl Lists {
    fn add(&mut self, subset: Subset, items: Vec<Item>) {
        self.images.extend(items.into_iter().map(|item| (subset, item)));
    }

    /// Reports and removes images that a list of another subset names too.
    fn remove_leaks(&mut self, problems: &mut Vec<Problem>) {
        let mut seen: BTreeMap<String, (Subset, Place)> = BTreeMap::new();
        self.images.retain(|(subset, item)| {
            let id = &item.image;
            if let Some((other, first)) = seen.get(id) {
                problems.push(Problem::Leak {
                    at: item.at.clone(),
                    first: first.clone(),
                    other: *other,
                    id: id.clone(),
                    twin: id.clone(),
                    same: Same::Name,
                });
                return false;
            }
            seen.insert(id.clone(), (*subset, item.at.clone()));
            true
        });
    }
}

/// The first line of every image; further lines of it, and absolute paths, are problems.
fn unique(items: Vec<Item>, problems: &mut Vec<Problem>) -> Vec<Item> {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        if let Some(&first) = lines.get(&item.image) {
            problems.push(Problem::Duplicate { at: item.at, first, id: item.image });
            continue;
        }
        lines.insert(item.image.clone(), item.at.line);
        let mut paths = std::iter::once(&item.image).chain(&item.mask);
        match paths.find(|path| Path::new(path).is_absolute()).cloned() {
            Some(path) => problems.push(Problem::Absolute { at: item.at, path }),
            None => kept.push(item),
        }
    }
    kept
}
