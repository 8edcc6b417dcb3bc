//! Is this split one of the official ones?
//!
//! The lists of ST++ are passed around in many copies, and results on other lists are not comparable. The committed
//! table `official.tsv` knows the official lists by digest, and their lines by hashes, so that a copy that differs
//! can be told where. Only image paths count; masks are part of a dataset's manifest.
//!
//! A row of the table is tab-separated: split, list, number of lines, blake3 over the image paths (first 16 hex
//! digits; each followed by a line feed), and for every line the first 8 hex digits of the blake3 of its path.
//! The line hashes of an `unlabeled` list are left out (`-`): with those of `labeled`, and of a dataset's `train` images
//! (sorted, not in the order of any list), they say as much for a fifth of the space.
//! The table is written from the lists themselves:
//! `STPP_DATA=<folder with stpp-splits> STPP_WRITE_OFFICIAL=1 cargo test official`, and checked where `STPP_DATA` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::base::digest::Digest;

use super::list_file::Item;

const TABLE: &str = include_str!("official.tsv");

/// What a split is, next to the official ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SplitIdentity {
    /// Every line of both lists is the official one.
    Official {
        /// `pascal/1_16/split_0`.
        name: String,
    },
    /// The official images in another order.
    Reordered {
        /// The official split.
        name: String,
        /// `labeled.txt` or `unlabeled.txt`: the first list whose order differs.
        list: &'static str,
    },
    /// Mostly an official split, but not quite.
    Differs {
        /// The official split.
        name: String,
        /// `labeled.txt` or `unlabeled.txt`.
        list: &'static str,
        /// The first line with another image; one past the last line where lines are missing.
        line: usize,
    },
    /// Lists of somebody's own.
    Own,
    /// Drawn by the program.
    Drawn {
        /// How many images are labeled.
        labeled: usize,
        /// Which draw.
        seed: u64,
    },
}

impl fmt::Display for SplitIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Official { name } => write!(f, "official {name}"),
            Self::Reordered { name, list } => {
                write!(f, "the images of official {name}, {list} in another order")
            }
            Self::Differs { name, list, line } => {
                write!(f, "differs from official {name} at {list} line {line}")
            }
            Self::Own => f.write_str("no official split"),
            Self::Drawn { labeled, seed } => write!(f, "drawn: {labeled} labeled, seed {seed}"),
        }
    }
}

/// The first four bytes of a path's digest.
type LineHash = u32;

/// One official list.
struct List {
    split: &'static str,
    list: &'static str,
    count: usize,
    digest: &'static str,
    lines: &'static str,
}

impl List {
    fn all() -> impl Iterator<Item = Self> {
        TABLE.lines().filter(|row| !row.starts_with('#')).map(|row| {
            let fields: Vec<&'static str> = row.split('\t').collect();
            let [split, list, count, digest, lines] = fields[..] else {
                unreachable!("official.tsv has five columns, its tests say")
            };
            let count = count.parse().expect("official.tsv counts lines, its tests say");
            Self { split, list, count, digest, lines }
        })
    }

    fn find(split: &str, list: &str) -> Option<Self> {
        Self::all().find(|row| row.split == split && row.list == list)
    }

    fn hashes(&self) -> Vec<LineHash> {
        if self.lines == "-" {
            return Vec::new();
        }
        let hash = |start| u32::from_str_radix(&self.lines[start..start + 8], 16);
        let starts = (0..self.lines.len() / 8).map(|line| line * 8);
        starts.map(|start| hash(start).expect("official.tsv has hex digits, its tests say")).collect()
    }
}

/// Which official split two lists are, or are nearest to.
pub fn identify(labeled: &[Item], unlabeled: &[Item]) -> SplitIdentity {
    let Some((official, shared)) = nearest(labeled) else {
        return SplitIdentity::Own;
    };
    if 2 * shared < official.count.max(labeled.len()) {
        return SplitIdentity::Own;
    }
    let name = official.split.to_owned();
    let labeled_is_official = list_digest(labeled) == official.digest;
    if !labeled_is_official && (shared != official.count || shared != labeled.len()) {
        let line = first_other(labeled, &official.hashes());
        return SplitIdentity::Differs { name, list: "labeled.txt", line };
    }
    let rest = List::find(official.split, "unlabeled").expect("every official split has both lists");
    let unlabeled_is_official = list_digest(unlabeled) == rest.digest;
    if !unlabeled_is_official && let Some(line) = first_foreign(unlabeled, &official, rest.count) {
        return SplitIdentity::Differs { name, list: "unlabeled.txt", line };
    }
    match (labeled_is_official, unlabeled_is_official) {
        (true, true) => SplitIdentity::Official { name },
        (false, _) => SplitIdentity::Reordered { name, list: "labeled.txt" },
        (true, false) => SplitIdentity::Reordered { name, list: "unlabeled.txt" },
    }
}

/// The name of the official validation list that a list is, such as `pascal`.
pub fn identify_val(val: &[Item]) -> Option<&'static str> {
    let digest = list_digest(val);
    List::all().find(|row| row.list == "val" && row.digest == digest).map(|row| row.split)
}

/// The official labeled list that shares most images with a list, and how many.
fn nearest(labeled: &[Item]) -> Option<(List, usize)> {
    let ours: BTreeSet<LineHash> = labeled.iter().map(line_hash).collect();
    let shared = |row: &List| row.hashes().iter().filter(|hash| ours.contains(*hash)).count();
    let lists = List::all().filter(|row| row.list == "labeled").map(|row| (shared(&row), row));
    // Of two that share as many, the one whose length is nearer: small official lists may be part of larger ones.
    let best =
        lists.max_by_key(|(shared, row)| (*shared, std::cmp::Reverse(row.count.abs_diff(labeled.len()))));
    best.map(|(shared, row)| (row, shared))
}

/// The first line whose image is not the official one.
fn first_other(items: &[Item], official: &[LineHash]) -> usize {
    let theirs: BTreeSet<&LineHash> = official.iter().collect();
    // An image that belongs to no line at all says more than the first line that is out of step.
    let foreign = items.iter().find(|item| !theirs.contains(&line_hash(item)));
    let other =
        || items.iter().zip(official).find(|(item, hash)| line_hash(item) != **hash).map(|(item, _)| item);
    foreign.or_else(other).map_or(items.len() + 1, |item| item.at.line)
}

/// The first unlabeled line that is not one of the official unlabeled images, or the line where some are missing.
fn first_foreign(unlabeled: &[Item], official: &List, count: usize) -> Option<usize> {
    let dataset = official.split.split('/').next().unwrap_or_default();
    let train = List::find(dataset, "train").expect("every dataset has its training images");
    // Counted, because two of ten thousand images may share a hash.
    let mut rest: BTreeMap<LineHash, usize> = BTreeMap::new();
    train.hashes().into_iter().for_each(|hash| *rest.entry(hash).or_default() += 1);
    for hash in official.hashes() {
        if let Some(count) = rest.get_mut(&hash) {
            *count -= 1;
        }
    }
    let is_foreign = |item: &&Item| rest.get(&line_hash(item)).is_none_or(|count| *count == 0);
    let foreign = unlabeled.iter().find(is_foreign).map(|item| item.at.line);
    foreign.or_else(|| (unlabeled.len() != count).then_some(unlabeled.len() + 1))
}

fn line_hash(item: &Item) -> LineHash {
    let [a, b, c, d, ..] = *Digest::of(item.image.as_bytes()).as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn list_digest(items: &[Item]) -> String {
    let paths: String = items.iter().flat_map(|item| [item.image.as_str(), "\n"]).collect();
    Digest::of(paths.as_bytes()).to_string()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::data::list_file;
    use crate::data::problem::Problem;
    use crate::data::testing::data_folder;

    fn splits() -> Option<PathBuf> {
        data_folder().map(|folder| folder.join("stpp-splits"))
    }

    fn read(path: &Path) -> Vec<Item> {
        let mut problems = Vec::new();
        let items = list_file::read(path, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        items
    }

    fn lists(name: &str) -> Option<[Vec<Item>; 2]> {
        splits().map(|folder| list_file::of_split(&folder.join(name)).map(|path| read(&path)))
    }

    /// The splits that are not empty, in the order of the table.
    const NAMES: [(&str, &[&str], usize); 11] = [
        ("pascal/92", &["/split_0", "/split_1", "/split_2"], 92),
        ("pascal/183", &["/split_0"], 183),
        ("pascal/366", &["/split_0"], 366),
        ("pascal/732", &["/split_0"], 732),
        ("pascal/1.4k", &[""], 1464),
        ("pascal/1_16", &["/split_0", "/split_1", "/split_2"], 662),
        ("pascal/1_8", &["/split_0", "/split_1", "/split_2"], 1323),
        ("pascal/1_4", &["/split_0", "/split_1", "/split_2"], 2645),
        ("cityscapes/1_30", &["/split_0", "/split_1", "/split_2"], 100),
        ("cityscapes/1_8", &["/split_0", "/split_1", "/split_2"], 372),
        ("cityscapes/1_4", &["/split_0", "/split_1", "/split_2"], 744),
    ];

    fn names() -> impl Iterator<Item = (String, usize)> {
        NAMES
            .iter()
            .flat_map(|(name, ends, count)| ends.iter().map(move |end| (format!("{name}{end}"), *count)))
    }

    fn row(split: &str, list: &str, items: &[Item], with_lines: bool) -> String {
        let hex = |hash: LineHash| format!("{hash:08x}");
        let lines =
            if with_lines { items.iter().map(|item| hex(line_hash(item))).collect() } else { "-".to_owned() };
        format!("{split}\t{list}\t{}\t{}\t{lines}\n", items.len(), list_digest(items))
    }

    #[test]
    fn the_table_is_that_of_the_official_lists() {
        let Some(folder) = splits() else { return };
        let mut table =
            "# Official lists of ST++ (see official.rs): split, list, lines, digest, line hashes\n"
                .to_owned();
        for dataset in ["pascal", "cityscapes"] {
            let [mut train, rest] = lists(&format!("{dataset}/1_8/split_0")).unwrap();
            train.extend(rest);
            train.sort_by(|a, b| a.image.cmp(&b.image));
            table += &row(dataset, "train", &train, true);
            table += &row(dataset, "val", &read(&folder.join(dataset).join("val.txt")), false);
        }
        for (name, _) in names() {
            let [labeled, unlabeled] = lists(&name).unwrap();
            table += &row(&name, "labeled", &labeled, true);
            table += &row(&name, "unlabeled", &unlabeled, false);
        }
        if std::env::var_os("STPP_WRITE_OFFICIAL").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/data/official.tsv"), &table).unwrap();
        } else {
            assert!(table == TABLE, "official.tsv differs from the lists in {}", folder.display());
        }
    }

    #[test]
    fn the_table_has_the_known_counts() {
        let counts: Vec<(String, usize)> = List::all()
            .filter(|row| row.list == "labeled")
            .map(|row| (row.split.to_owned(), row.count))
            .collect();
        assert_eq!(counts, names().collect::<Vec<_>>());
        for row in List::all() {
            if row.lines != "-" {
                assert_eq!(row.hashes().len(), row.count, "{} {}", row.split, row.list);
            }
            let train = List::find(row.split.split('/').next().unwrap(), "train").unwrap().count;
            assert!([10_582, 2975].contains(&train));
            if row.list == "labeled" {
                assert_eq!(row.count + List::find(row.split, "unlabeled").unwrap().count, train);
            }
        }
        assert_eq!(List::find("pascal", "val").unwrap().count, 1449);
        assert_eq!(List::find("cityscapes", "val").unwrap().count, 500);
    }

    #[test]
    fn official_lists_are_recognised() {
        let Some(folder) = splits() else { return };
        for (name, _) in names() {
            let [labeled, unlabeled] = lists(&name).unwrap();
            assert_eq!(identify(&labeled, &unlabeled), SplitIdentity::Official { name });
        }
        assert_eq!(identify_val(&read(&folder.join("pascal/val.txt"))), Some("pascal"));
        assert_eq!(identify_val(&read(&folder.join("cityscapes/val.txt"))), Some("cityscapes"));
    }

    #[test]
    fn a_copy_that_differs_is_told_where() {
        let Some([labeled, unlabeled]) = lists("pascal/1_16/split_0") else { return };
        let told = |labeled: &[Item], unlabeled: &[Item]| identify(labeled, unlabeled).to_string();
        let with = |items: &[Item], index: usize, image: &str| {
            let mut items = items.to_vec();
            items[index].image = image.to_owned();
            items
        };
        let told_all = [
            told(&with(&labeled, 16, "JPEGImages/other.jpg"), &unlabeled),
            told(&labeled[..600], &unlabeled),
            told(&labeled, &with(&unlabeled, 99, "JPEGImages/other.jpg")),
            told(&labeled, &with(&unlabeled, 7, &labeled[0].image)),
            told(&labeled, &unlabeled[..9000]),
            told(&labeled.iter().rev().cloned().collect::<Vec<_>>(), &unlabeled),
            told(&labeled, &unlabeled.iter().rev().cloned().collect::<Vec<_>>()),
            told(&unlabeled[..50], &labeled),
        ];
        insta::assert_snapshot!(told_all.join("\n"));
    }

    #[test]
    fn lists_of_ones_own_are_no_official_ones() {
        let mut problems = Vec::new();
        let items = list_file::parse(Path::new("labeled.txt"), "images/a.png masks/a.png\n", &mut problems);
        assert_eq!(identify(&items, &items), SplitIdentity::Own);
        assert_eq!(identify_val(&items), None);
        assert_eq!(identify(&[], &[]), SplitIdentity::Own);
    }

    #[test]
    fn the_empty_official_lists_are_refused_by_name() {
        let Some(folder) = splits() else { return };
        for count in ["183", "366", "732"] {
            for split in ["split_1", "split_2"] {
                for path in list_file::of_split(&folder.join("pascal").join(count).join(split)) {
                    let mut problems = Vec::new();
                    assert!(list_file::read(&path, &mut problems).is_empty());
                    assert!(matches!(&problems[..], [Problem::EmptyList { path: named }] if *named == path));
                }
            }
        }
    }
}
