//! The texts a spec was read from, and places in them.

use std::fmt;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// Some bytes of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Index into [`Sources`].
    pub source: usize,
    /// Byte range in its text.
    pub span: Range<usize>,
}

/// A text that says something about a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the text stands.
    pub kind: SourceKind,
    /// The text.
    pub text: String,
}

/// Where a text stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// In a file, named as the user would.
    File(PathBuf),
    /// On the command line, after `--set`.
    Set,
}

impl Source {
    /// The file's path, or `--set`.
    pub fn name(&self) -> String {
        match &self.kind {
            SourceKind::File(path) => path.display().to_string(),
            SourceKind::Set => "--set".to_owned(),
        }
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// Every text of one spec: the file that was asked for, the files it extends, the `--set` arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and returns its index.
    pub fn add(&mut self, kind: SourceKind, text: String) -> usize {
        self.0.push(Source { kind, text });
        self.0.len() - 1
    }

    /// The source of a place.
    pub fn of(&self, place: &Place) -> &Source {
        &self.0[place.source]
    }

    /// All sources in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// The folder that relative paths at a place start from: the file's; for `--set` the working directory.
    pub fn folder(&self, place: &Place) -> PathBuf {
        match &self.of(place).kind {
            SourceKind::File(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
            SourceKind::Set => PathBuf::new(),
        }
    }

    /// `path:line`, or the `--set` argument itself.
    pub fn show(&self, place: &Place) -> impl fmt::Display + use<> {
        let source = self.of(place);
        match &source.kind {
            SourceKind::File(path) => {
                format!("{}:{}", path.display(), source.line_column(place.span.start).0)
            }
            SourceKind::Set => format!("--set {}", source.text),
        }
    }

    /// The order in which a reader meets two places: base files first, then the file itself, then `--set`.
    pub fn reading_order(&self, place: &Place) -> (isize, usize) {
        let source = place.source as isize;
        let rank = match self.of(place).kind {
            SourceKind::File(_) => -source,
            SourceKind::Set => source,
        };
        (rank, place.span.start)
    }
}

/// A path without `.` and without `a/..`, as far as that needs no look at the disk.
pub fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = Source { kind: SourceKind::Set, text: "ä = 1\nβγ = 2".to_owned() };
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(source.text.find('2').unwrap()), (2, 6));
    }

    #[test]
    fn paths_are_tidied_without_touching_the_disk() {
        assert_eq!(tidy(Path::new("a/b/../../c/./d.toml")), Path::new("c/d.toml"));
        assert_eq!(tidy(Path::new("../a/../b")), Path::new("../b"));
    }
}
