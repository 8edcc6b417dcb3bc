//! The Markdown's events, one after another, as HTML.

use std::fmt::Write as _;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::heading::{self, Heading, Ids};
use super::picture::{self, Pictures};
use super::table::table;
use super::text::{end_of, escape, plain};

/// What is between the page's header and its end.
#[derive(Debug)]
pub struct Body {
    /// The title and all below it, as HTML.
    pub html: String,
    /// The headings below the title, in order.
    pub headings: Vec<Heading>,
}

/// Turns Markdown into HTML. Where it has no title of its own, it gets `title`.
pub fn body(markdown: &str, title: &str, pictures: &Pictures) -> Body {
    let events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let mut writer = Writer::new(pictures);
    writer.write(&events);
    let Writer { mut html, headings, titled, .. } = writer;
    if !titled {
        html.insert_str(0, &format!("<h1>{}</h1>\n", escape(title)));
    }
    Body { html, headings }
}

struct Writer<'p> {
    pictures: &'p Pictures,
    html: String,
    ids: Ids,
    headings: Vec<Heading>,
    titled: bool,
    /// Whether the link that the events are in is written as one.
    linked: bool,
    /// The words of the last heading, its level, and the number of tables below it.
    above: (String, u8, usize),
}

impl<'p> Writer<'p> {
    fn new(pictures: &'p Pictures) -> Self {
        Self {
            pictures,
            html: String::new(),
            ids: Ids::new(picture::ids(pictures)),
            headings: Vec::new(),
            titled: false,
            linked: false,
            above: (String::new(), 1, 0),
        }
    }

    /// Writes events without calling itself for what is nested in them, so that no input is too deep.
    fn write(&mut self, events: &[Event<'_>]) {
        let mut at = 0;
        while let Some(event) = events.get(at) {
            at = match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    let end = end_of(events, at);
                    self.heading(*level, &events[at + 1..end]);
                    end
                }
                Event::Start(Tag::Table(aligns)) => {
                    let end = end_of(events, at);
                    let rows = &events[at + 1..end];
                    self.table(aligns, rows);
                    end
                }
                Event::Start(Tag::Paragraph) => self.paragraph(events, at),
                Event::Start(Tag::Image { dest_url, title, .. }) => {
                    let end = end_of(events, at);
                    self.image(dest_url, title, &plain(&events[at + 1..end]));
                    end
                }
                other => {
                    self.event(other);
                    at
                }
            } + 1;
        }
    }

    /// What the events say on their own, within a paragraph of another place.
    fn aside(&mut self, events: &[Event<'_>]) -> String {
        let outside = std::mem::take(&mut self.html);
        self.write(events);
        std::mem::replace(&mut self.html, outside)
    }

    fn heading(&mut self, level: HeadingLevel, events: &[Event<'_>]) {
        let words = plain(events);
        let content = self.aside(events);
        let level = level as u8;
        if level == 1 && !self.titled {
            self.titled = true;
            self.above = (words, 1, 0);
            self.put(format_args!("<h1>{content}</h1>\n"));
            return;
        }
        // A page has one title.
        let level = level.max(2);
        let id = self.ids.give(&words);
        // The table of contents has the same link for those who do not point at it.
        let anchor = r#"class="anchor" aria-hidden="true" tabindex="-1""#;
        let address = escape(&id);
        self.put(format_args!(
            "<h{level} id=\"{address}\">{content}<a href=\"#{address}\" {anchor}></a></h{level}>\n"
        ));
        self.headings.push(Heading { level, id, label: heading::label(events) });
        self.above = (words, level, 0);
    }

    fn table(&mut self, aligns: &[pulldown_cmark::Alignment], events: &[Event<'_>]) {
        let (words, level, before) = &mut self.above;
        *before += 1;
        let named = match before {
            1 => format!("Table: {words}"),
            n => format!("Table {n}: {words}"),
        };
        let level = *level;
        let html = table(aligns, events, &named, level, |cell| self.aside(cell));
        self.html.push_str(&html);
    }

    /// Writes pictures that have a paragraph to themselves as figures. Tells where it stopped.
    fn paragraph(&mut self, events: &[Event<'_>], start: usize) -> usize {
        let end = end_of(events, start);
        let inner = &events[start + 1..end];
        let Some(found) = picture::alone(inner, self.pictures) else {
            self.html.push_str("<p>");
            return start;
        };
        for at in found {
            let Event::Start(Tag::Image { dest_url, title, .. }) = &inner[at] else { continue };
            let alt = plain(&inner[at + 1..end_of(inner, at)]);
            self.html.push_str(&picture::figure(&self.pictures[dest_url.as_ref()], &alt, title));
        }
        end
    }

    fn image(&mut self, link: &str, title: &str, alt: &str) {
        // A picture that is not at hand is told of, not asked for: the page asks nobody.
        let html =
            self.pictures.get(link).map_or_else(|| escape(alt), |found| picture::inline(found, alt, title));
        self.html.push_str(&html);
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(*tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                self.html.push_str(&escape(text));
            }
            Event::Code(text) => self.put(format_args!("<code>{}</code>", escape(text))),
            Event::SoftBreak => self.html.push('\n'),
            Event::HardBreak => self.html.push_str("<br/>\n"),
            Event::Rule => self.html.push_str("<hr/>\n"),
            // Of extensions that are not switched on.
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::HtmlBlock => self.html.push_str("<p>"),
            Tag::BlockQuote(_) => self.html.push_str("<blockquote>\n"),
            Tag::CodeBlock(_) => self.html.push_str("<pre tabindex=\"0\"><code>"),
            Tag::List(None) => self.html.push_str("<ul>\n"),
            Tag::List(Some(1)) => self.html.push_str("<ol>\n"),
            Tag::List(Some(first)) => self.put(format_args!("<ol start=\"{first}\">\n")),
            Tag::Item => self.html.push_str("<li>"),
            Tag::Emphasis => self.html.push_str("<em>"),
            Tag::Strong => self.html.push_str("<strong>"),
            Tag::Link { dest_url, .. } => {
                self.linked = leads_to_a_page(dest_url);
                if self.linked {
                    self.put(format_args!("<a href=\"{}\">", escape(dest_url)));
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        self.html.push_str(match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => "</p>\n",
            TagEnd::BlockQuote(_) => "</blockquote>\n",
            TagEnd::CodeBlock => "</code></pre>\n",
            TagEnd::List(false) => "</ul>\n",
            TagEnd::List(true) => "</ol>\n",
            TagEnd::Item => "</li>\n",
            TagEnd::Emphasis => "</em>",
            TagEnd::Strong => "</strong>",
            TagEnd::Link if std::mem::take(&mut self.linked) => "</a>",
            _ => "",
        });
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.html.write_fmt(text).expect("a string takes any text");
    }
}

/// Whether a link may be followed: to the web, or to a place in this page or beside it, and never into a script.
fn leads_to_a_page(link: &str) -> bool {
    let scheme = link.split(['/', '?', '#']).next().unwrap_or_default();
    let before_colon = scheme.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(before_colon.as_deref(), None | Some("http" | "https" | "mailto"))
}
