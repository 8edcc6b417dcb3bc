//! List files in the form of ST++: a line per image, `image mask`, relative to the dataset's folder.

use std::path::{Path, PathBuf};

use crate::base::fs;

use super::problem::{Place, Problem};

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The image's path as the list writes it: the image's id.
    pub image: String,
    /// The mask's path; unlabeled images may have none.
    pub mask: Option<String>,
    /// Where it stands.
    pub at: Place,
}

/// Reads a list; problems are added to `problems`, and the lines without one are returned.
///
/// A carriage return before a line's end and a missing last line end are tolerated, as is an empty line at the end.
pub fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<Item> {
    match fs::read_text(path) {
        Ok(text) => parse(path, &text, problems),
        Err(error) => {
            let reason = if error.is_not_found() {
                "does not exist: check the path".to_owned()
            } else {
                format!("cannot be read: {}", error.source)
            };
            problems.push(Problem::List { path: path.to_owned(), reason });
            Vec::new()
        }
    }
}

/// Reads a list's text.
pub fn parse(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Vec<Item> {
    if text.is_empty() {
        problems.push(Problem::EmptyList { path: path.to_owned() });
        return Vec::new();
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let body = text.trim_end_matches(['\r', '\n']);
    if body.is_empty() {
        let reason = "has no line with an image: write one `image mask` per line".to_owned();
        problems.push(Problem::List { path: path.to_owned(), reason });
        return Vec::new();
    }
    let mut items = Vec::new();
    for (index, line) in body.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let at = Place { list: path.to_owned(), line: index + 1 };
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            [image] if !image.is_empty() => items.push(Item { image: image.to_owned(), mask: None, at }),
            [image, mask] if !image.is_empty() && !mask.is_empty() => {
                items.push(Item { image: image.to_owned(), mask: Some(mask.to_owned()), at });
            }
            _ => problems.push(Problem::Line { at, text: line.to_owned() }),
        }
    }
    items
}

/// The two lists of a split's folder: labeled, unlabeled.
pub fn of_split(folder: &Path) -> [PathBuf; 2] {
    [folder.join("labeled.txt"), folder.join("unlabeled.txt")]
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = Vec<(String, Option<String>, usize)>;

    fn parsed(text: &str) -> (Lines, Vec<String>) {
        let mut problems = Vec::new();
        let items = parse(Path::new("list.txt"), text, &mut problems);
        let items = items.into_iter().map(|item| (item.image, item.mask, item.at.line)).collect();
        (items, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn line_ends_of_every_kind_are_the_same_list() {
        let expected = parsed("a.jpg a.png\nb.jpg b.png\n");
        assert_eq!(expected.0.len(), 2);
        for text in
            ["a.jpg a.png\nb.jpg b.png", "a.jpg a.png\r\nb.jpg b.png\r\n", "\u{feff}a.jpg a.png\nb.jpg b.png"]
        {
            assert_eq!(parsed(text), expected);
        }
    }

    #[test]
    fn an_image_may_stand_alone() {
        assert_eq!(parsed("a.jpg\n").0, [("a.jpg".to_owned(), None, 1)]);
    }

    #[test]
    fn a_list_of_zero_bytes_is_refused_by_name() {
        let (items, problems) = parsed("");
        assert!(items.is_empty());
        insta::assert_snapshot!(problems.join("\n"));
        assert!(parsed("\n").1[0].starts_with("list.txt: the list has no line"));
    }

    #[test]
    fn lines_that_are_no_pair_are_named() {
        let (items, problems) = parsed("a.jpg a.png\na.jpg  a.png\n\nb.jpg b.png extra\nc.jpg \nd.jpg d.png");
        assert_eq!(items.iter().map(|item| item.2).collect::<Vec<_>>(), [1, 6]);
        insta::assert_snapshot!(problems.join("\n"));
    }

    #[test]
    fn a_list_that_is_not_there_is_named() {
        let mut problems = Vec::new();
        assert!(read(Path::new("no/such/list.txt"), &mut problems).is_empty());
        assert_eq!(problems[0].to_string(), "no/such/list.txt: the list does not exist: check the path");
    }
}
