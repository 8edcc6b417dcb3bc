//! Tables that scroll on a narrow screen and that a script can sort.

use pulldown_cmark::{Alignment, Event, Tag};

use super::text::{end_of, escape, plain};

/// Tables with more rows than this are folded below a heading of the third level, where the lists are that one looks
/// something up in.
const LONG: usize = 24;

/// With more columns than these, paper needs smaller letters, and then a page on its side.
const MANY: usize = 8;
const BROAD: usize = 11;

/// A cell with more characters than this is prose, which takes several lines.
const SENTENCE: usize = 24;

/// A table of the Markdown.
///
/// `named` tells what it is about, `level` is that of the heading above it, and `cell` writes what is in a cell.
pub fn table(
    aligns: &[Alignment],
    events: &[Event<'_>],
    named: &str,
    level: u8,
    mut cell: impl FnMut(&[Event<'_>]) -> String,
) -> String {
    let mut head = String::new();
    let mut body = String::new();
    let mut rows = 0;
    for (place, row) in elements(events) {
        let header = matches!(place, Tag::TableHead);
        let lines = if header { &mut head } else { &mut body };
        rows += usize::from(!header);
        lines.push_str("<tr>");
        for (column, (_, content)) in elements(row).enumerate() {
            let align = aligns.get(column).copied().unwrap_or(Alignment::None);
            lines.push_str(&field(header, column, align, plain(content).chars().count(), &cell(content)));
        }
        lines.push_str("</tr>\n");
    }
    let class = match aligns.len() {
        columns if columns > BROAD => "table scroll many broad",
        columns if columns > MANY => "table scroll many",
        _ => "table scroll",
    };
    let region = format!(
        "<div class=\"{class}\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n<table>\n\
         <thead>\n{head}</thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n",
        escape(named)
    );
    if level == 3 && rows > LONG {
        return format!("<details class=\"long\">\n<summary>All {rows} rows</summary>\n{region}</details>\n");
    }
    region
}

fn field(header: bool, column: usize, align: Alignment, letters: usize, content: &str) -> String {
    let (tag, scope) = match (header, column) {
        // A header without words is none.
        _ if content.is_empty() => ("td", ""),
        (true, _) => ("th", " scope=\"col\""),
        (false, 0) => ("th", " scope=\"row\""),
        (false, _) => ("td", ""),
    };
    let class = match align {
        Alignment::Right => " class=\"number\"",
        Alignment::Center => " class=\"middle\"",
        Alignment::Left | Alignment::None if letters > SENTENCE => " class=\"words\"",
        Alignment::Left | Alignment::None => "",
    };
    format!("<{tag}{scope}{class}>{content}</{tag}>")
}

/// The elements that stand side by side in some events, with what is in each.
fn elements<'a, 'e>(events: &'a [Event<'e>]) -> impl Iterator<Item = (&'a Tag<'e>, &'a [Event<'e>])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            match events.get(at)? {
                Event::Start(tag) => {
                    let (start, end) = (at + 1, end_of(events, at));
                    at = end + 1;
                    return Some((tag, &events[start..end]));
                }
                _ => at += 1,
            }
        }
    })
}
