//! What can be wrong with a dataset. A problem says what, where, and what to do about it, in one line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::decode::DecodeError;
use super::subset::Subset;

/// A line of a list file: `labeled.txt:12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The list, as the spec wrote it.
    pub list: PathBuf,
    /// Lines count from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.list.display(), self.line)
    }
}

/// How two images were found to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// One path in two lists.
    Name,
    /// Two paths, one content.
    Content,
}

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A value of `[data]` or `[split]` that no dataset can have.
    #[error("{key} = {value}: {advice}")]
    Setting {
        /// The key in the spec.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        advice: String,
    },
    /// A drawn split without a list to draw from.
    #[error(
        "data.train names no list, but split.labeled draws from it: name the list of all training images"
    )]
    NothingToDraw,
    /// A drawn split that leaves no image labeled, or wants more than there are.
    #[error(
        "split draws {wanted} labeled images, but there are {available} training images: draw 1 to {available}"
    )]
    Draw {
        /// How many should be labeled.
        wanted: usize,
        /// How many there are.
        available: usize,
    },
    /// A list that cannot be read.
    #[error("{path}: the list {reason}")]
    List {
        /// The list.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A file of no bytes where a list should be.
    #[error(
        "{path}: the list is empty (0 bytes): upstream ships split_1 and split_2 of 183, 366 and 732 empty; \
         use their split_0 or draw a split"
    )]
    EmptyList {
        /// The list.
        path: PathBuf,
    },
    /// A line that is not `image mask`.
    #[error("{at}: `{text}` is not `image mask`: two paths, one space between them")]
    Line {
        /// Where.
        at: Place,
        /// The line.
        text: String,
    },
    /// A path that does not start from the dataset's folder.
    #[error(
        "{at}: `{path}` is absolute: write it relative to data.root, so that the image has the same id everywhere"
    )]
    Absolute {
        /// Where.
        at: Place,
        /// The path.
        path: String,
    },
    /// An image that is not one of the dataset.
    #[error("{at}: `{id}` is no training image of this dataset")]
    Unknown {
        /// Where.
        at: Place,
        /// The image.
        id: String,
    },
    /// An image without a mask where a mask is needed.
    #[error("{at}: `{image}` has no mask, but {why} images need one: write its path after a space")]
    NoMask {
        /// Where.
        at: Place,
        /// The image.
        image: String,
        /// "labeled", "val" or "test".
        why: &'static str,
    },
    /// An image that a list names twice.
    #[error("{at}: `{id}` is already on line {first}: remove one of the lines")]
    Duplicate {
        /// The second place.
        at: Place,
        /// The line of the first.
        first: usize,
        /// The image.
        id: String,
    },
    /// An image that is labeled and unlabeled.
    #[error("{at}: `{id}` is labeled too ({labeled}): remove it from one of the lists")]
    Overlap {
        /// The place in the unlabeled list.
        at: Place,
        /// The place in the labeled list.
        labeled: Place,
        /// The image.
        id: String,
    },
    /// An image that two subsets share.
    #[error("{at}: {} leaks into the {other} images ({first}): remove it from one of the lists",
        match same { Same::Name => format!("`{id}`"), Same::Content => format!("`{id}` has the content of `{twin}`, so it") })]
    Leak {
        /// The place in the list of val or test images.
        at: Place,
        /// The place in the other list.
        first: Place,
        /// Whose list that is.
        other: Subset,
        /// The image.
        id: String,
        /// The image in the other list.
        twin: String,
        /// How they are the same.
        same: Same,
    },
    /// A file that a list names and that does not exist.
    #[error("{at}: {path} does not exist: check data.root and the list")]
    Missing {
        /// Where it is named.
        at: Place,
        /// The file.
        path: PathBuf,
    },
    /// A file that exists and cannot be read.
    #[error("{at}: {path} cannot be read: {reason}")]
    Unreadable {
        /// Where it is named.
        at: Place,
        /// The file.
        path: PathBuf,
        /// The system's word.
        reason: String,
    },
    /// A file that is damaged, of another format, or a mask of colours.
    #[error("{at}: failed to {error}{}", cause(error))]
    Undecodable {
        /// Where it is named.
        at: Place,
        /// What is wrong, with the file's name.
        error: DecodeError,
    },
    /// An image and a mask of different sizes.
    #[error("{at}: `{id}` has {}x{} pixels but its mask {}x{}: they must match pixel by pixel",
        .image.0, .image.1, .mask.0, .mask.1)]
    Size {
        /// Where they are named.
        at: Place,
        /// The image.
        id: String,
        /// Its width and height.
        image: (usize, usize),
        /// The mask's.
        mask: (usize, usize),
    },
    /// A mask with a value that is no class.
    #[error(
        "{at}: the mask of `{id}` has class id {class} at x={x}, y={y} ({count} pixels): \
         {classes} classes have ids 0 to {}, and {ignore} is ignored; correct data.classes, data.ignore or the mask",
        classes - 1
    )]
    ClassId {
        /// Where it is named.
        at: Place,
        /// The image.
        id: String,
        /// The first id that is out of range, in reading order.
        class: u8,
        /// Its column.
        x: usize,
        /// Its row.
        y: usize,
        /// Pixels with any id out of range.
        count: usize,
        /// Number of classes.
        classes: usize,
        /// The mask value that counts nowhere.
        ignore: u8,
    },
    /// A file that is not what it was when the manifest was made.
    #[error(
        "{path} has changed since its digest was taken: leave data alone while it is in use, then run again"
    )]
    Changed {
        /// The file, or the scene.
        path: PathBuf,
    },
    /// An id that the manifest does not have.
    #[error("it is no image of this dataset")]
    NotInManifest,
    /// The user asked to stop.
    #[error("interrupted after {done} of {total} images")]
    Interrupted {
        /// Images checked.
        done: usize,
        /// Images in all.
        total: usize,
    },
}

impl Problem {
    /// The kind of problem as one word with dashes, for tables and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Setting { .. } => "setting",
            Self::NothingToDraw => "nothing-to-draw",
            Self::Draw { .. } => "draw",
            Self::List { .. } => "list",
            Self::EmptyList { .. } => "empty-list",
            Self::Line { .. } => "line",
            Self::Absolute { .. } => "absolute",
            Self::Unknown { .. } => "unknown",
            Self::NoMask { .. } => "no-mask",
            Self::Duplicate { .. } => "duplicate",
            Self::Overlap { .. } => "overlap",
            Self::Leak { .. } => "leak",
            Self::Missing { .. } => "missing",
            Self::Unreadable { .. } => "unreadable",
            Self::Undecodable { error: DecodeError::MaskKind { .. }, .. } => "colour-mask",
            Self::Undecodable { .. } => "undecodable",
            Self::Size { .. } => "size",
            Self::ClassId { .. } => "class-id",
            Self::Changed { .. } => "changed",
            Self::NotInManifest => "not-in-manifest",
            Self::Interrupted { .. } => "interrupted",
        }
    }
}

/// What the decoder itself said, in brackets.
fn cause(error: &DecodeError) -> String {
    std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default()
}

/// Everything that is wrong with a dataset, at once.
#[derive(Debug)]
pub struct DataProblems(pub Vec<Problem>);

impl std::error::Error for DataProblems {}

impl DataProblems {
    /// Whether nothing is wrong but that the user asked to stop.
    pub fn is_interrupted(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|problem| matches!(problem, Problem::Interrupted { .. }))
    }
}

/// Problems of one kind that are printed before the rest is counted.
const SHOWN: usize = 20;

impl fmt::Display for DataProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "use the dataset: {count} {}", if count == 1 { "problem" } else { "problems" })?;
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for problem in &self.0 {
            let shown = kinds.entry(problem.kind()).or_default();
            *shown += 1;
            if *shown <= SHOWN {
                write!(f, "\n  {problem}")?;
            }
        }
        for (kind, count) in kinds.into_iter().filter(|(_, count)| *count > SHOWN) {
            write!(f, "\n  … and {} more problems of the kind `{kind}`", count - SHOWN)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_does_not_bury_the_others() {
        let at = |line| Place { list: "val.txt".into(), line };
        let missing = |line| Problem::Missing { at: at(line), path: format!("{line}.png").into() };
        let mut problems: Vec<_> = (1..=500).map(missing).collect();
        problems.push(Problem::EmptyList { path: "labeled.txt".into() });
        let text = DataProblems(problems).to_string();
        assert_eq!(text.lines().count(), 1 + SHOWN + 2);
        assert!(text.starts_with("use the dataset: 501 problems\n  val.txt:1: 1.png does not exist"));
        assert!(text.contains("labeled.txt: the list is empty (0 bytes)"));
        assert!(text.ends_with("… and 480 more problems of the kind `missing`"));
    }
}
