//! Addresses of headings, and the table of contents made of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pulldown_cmark::Event;

use super::text::{escape, plain};

/// Ids that the template uses.
const TAKEN_BY_THE_PAGE: [&str; 3] = ["content", "contents", "theme"];

/// A heading below the title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// 2 for a section, 3 for a part of one, and so on.
    pub level: u8,
    /// Its address in the page, unescaped.
    pub id: String,
    /// Its words as HTML, without links and pictures.
    pub label: String,
}

/// The ids of a page: each is given once.
#[derive(Debug)]
pub struct Ids {
    taken: BTreeSet<String>,
}

impl Ids {
    /// All ids are free but those of the page itself and those named, such as ids within pictures.
    pub fn new(taken: impl IntoIterator<Item = String>) -> Self {
        Self { taken: TAKEN_BY_THE_PAGE.map(str::to_owned).into_iter().chain(taken).collect() }
    }

    /// An id from some words: it stays the same as long as the words and those before it do.
    pub fn give(&mut self, words: &str) -> String {
        let base = slug(words);
        let numbered = (1_usize..).map(|n| format!("{base}-{n}"));
        let id = std::iter::once(base.clone())
            .chain(numbered)
            .find(|id| !self.taken.contains(id))
            .expect("there are more numbers than headings");
        self.taken.insert(id.clone());
        id
    }
}

/// Words in lower case with hyphens between them, as common Markdown viewers address headings.
fn slug(words: &str) -> String {
    let mut slug = String::new();
    for letter in words.trim().chars().flat_map(char::to_lowercase) {
        match letter {
            '-' | '_' => slug.push(letter),
            _ if letter.is_alphanumeric() => slug.push(letter),
            _ if letter.is_whitespace() => slug.push('-'),
            _ => {}
        }
    }
    if slug.is_empty() { "section".to_owned() } else { slug }
}

/// The words of a heading as HTML for use within a link: code stays code.
pub fn label(events: &[Event<'_>]) -> String {
    let mut label = String::new();
    for event in events {
        match event {
            Event::Code(text) => {
                write!(label, "<code>{}</code>", escape(text)).expect("a string takes any text");
            }
            other => label.push_str(&escape(&plain(std::slice::from_ref(other)))),
        }
    }
    label
}

/// The sections and their parts as nested lists of links; nothing where there is no heading.
pub fn contents(headings: &[Heading]) -> String {
    let mut list = String::new();
    let (mut section, mut part) = (false, false);
    for heading in headings.iter().filter(|heading| heading.level <= 3) {
        // A part before any section is one itself.
        let nested = heading.level == 3 && section;
        list.push_str(match (nested, section, part) {
            (true, _, false) => "\n<ol>\n<li>",
            (true, _, true) | (false, true, false) => "</li>\n<li>",
            (false, true, true) => "</li>\n</ol>\n</li>\n<li>",
            (false, false, _) => "<ol>\n<li>",
        });
        write!(list, r##"<a href="#{}">{}</a>"##, escape(&heading.id), heading.label)
            .expect("a string takes any text");
        (section, part) = (true, nested);
    }
    match (section, part) {
        (true, true) => list + "</li>\n</ol>\n</li>\n</ol>",
        (true, false) => list + "</li>\n</ol>",
        (false, _) => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_even_where_a_heading_looks_like_a_number_of_another() {
        let mut ids = Ids::new(["forest-title".to_owned()]);
        let words =
            ["Runs", "runs-1", "Runs", "Runs!", "Forest title", "…", "", "Contents", "Differences to st"];
        let given: Vec<_> = words.iter().map(|words| ids.give(words)).collect();
        let wanted =
            "runs runs-1 runs-2 runs-3 forest-title-1 section section-1 contents-1 differences-to-st";
        assert_eq!(given.join(" "), wanted);
    }

    #[test]
    fn the_contents_nest_parts_in_sections() {
        let heading =
            |(level, id): (u8, &str)| Heading { level, id: id.to_owned(), label: id.to_uppercase() };
        let headings = [(3, "a"), (2, "b"), (3, "c"), (4, "d"), (3, "e"), (2, "f")].map(heading);
        insta::assert_snapshot!(contents(&headings), @r##"
        <ol>
        <li><a href="#a">A</a></li>
        <li><a href="#b">B</a>
        <ol>
        <li><a href="#c">C</a></li>
        <li><a href="#e">E</a></li>
        </ol>
        </li>
        <li><a href="#f">F</a></li>
        </ol>
        "##);
        assert_eq!(contents(&[]), "");
    }
}
