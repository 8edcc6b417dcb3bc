//! Writes one picture: elements with numbers of one decimal and escaped text, one to a line.
//!
//! Whoever sees no picture is told its title and description. Ids carry the picture's name, and classes the program's,
//! so that many pictures can stand in one page.

use super::text;
use super::theme;

/// Pixels from the left to the right edge of most pictures.
pub const WIDTH: f64 = 760.0;

/// What a picture is called and says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Tells the pictures of a page apart: lower-case letters, digits and hyphens; another character becomes a hyphen.
    pub name: String,
    /// A short title.
    pub title: String,
    /// What is drawn, and its message, in one or two sentences.
    pub description: String,
}

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The name in the ids, which serves as the name of a file too.
    pub name: String,
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
    /// The document, which can also stand within a page.
    pub svg: String,
}

/// The point of a text that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// An element that is being written.
#[derive(Debug, Clone)]
pub struct Tag {
    name: &'static str,
    text: String,
}

/// Starts an element.
pub fn tag(name: &'static str) -> Tag {
    Tag { name, text: format!("<{name}") }
}

/// A straight line of a class.
pub fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> Tag {
    tag("line").class(class).number("x1", x1).number("y1", y1).number("x2", x2).number("y2", y2)
}

/// A rectangle of a class, by its upper left corner and its size.
pub fn rect(class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) -> Tag {
    tag("rect").class(class).number("x", x).number("y", y).number("width", width).number("height", height)
}

impl Tag {
    /// Its class or classes.
    #[must_use]
    pub fn class(self, class: &str) -> Self {
        self.word("class", class)
    }

    /// An attribute in pixels.
    #[must_use]
    pub fn number(self, name: &str, value: f64) -> Self {
        let value = fixed(value);
        self.word(name, &value)
    }

    /// Points of a polygon or polyline, in pixels.
    #[must_use]
    pub fn points(self, points: &[(f64, f64)]) -> Self {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", fixed(x), fixed(y))).collect();
        self.word("points", &points.join(" "))
    }

    /// An attribute that is text.
    #[must_use]
    pub fn word(mut self, name: &str, value: &str) -> Self {
        self.text += &format!(" {name}=\"{}\"", escape(value));
        self
    }
}

/// A picture that is being drawn.
#[derive(Debug, Clone)]
pub struct Svg {
    body: String,
    width: f64,
}

impl Svg {
    /// An empty picture of a width in pixels.
    pub fn new(width: f64) -> Self {
        Self { body: String::new(), width }
    }

    /// Draws an element.
    pub fn put(&mut self, tag: &Tag) {
        self.body += &format!("{}/>\n", tag.text);
    }

    /// Draws an element that tells its title where a pointer rests on it.
    pub fn put_titled(&mut self, tag: &Tag, title: &str) {
        self.body += &format!("{}><title>{}</title></{}>\n", tag.text, escape(title), tag.name);
    }

    /// Writes a text of a class (none: "") at its baseline.
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, words: &str) {
        self.write(&text_tag(class, at, anchor), words, words);
    }

    /// Writes a name in at most `room` pixels; a shortened one has the whole as its title.
    pub fn name(&mut self, class: &str, at: (f64, f64), anchor: Anchor, name: &str, room: f64) {
        let room = if class == theme::BOLD { room * text::width("m") / text::bold_width("m") } else { room };
        self.write(&text_tag(class, at, anchor), name, &text::shorten(&readable(name), room));
    }

    /// Writes a name that rises to the right by half a right angle, in at most `room` pixels.
    pub fn rising_name(&mut self, at: (f64, f64), name: &str, room: f64) {
        let turn = format!("rotate(-45 {} {})", fixed(at.0), fixed(at.1));
        let tag = text_tag("", at, Anchor::Start).word("transform", &turn);
        self.write(&tag, name, &text::shorten(&readable(name), room));
    }

    fn write(&mut self, tag: &Tag, whole: &str, shown: &str) {
        let title = if readable(whole) == shown { String::new() } else { title(whole) };
        self.body += &format!("{}>{title}{}</text>\n", tag.text, escape(shown));
    }

    /// The finished picture, `height` pixels high.
    pub fn finish(self, height: f64, about: About) -> Picture {
        let name = id(&about.name);
        let (width, height) = (fixed(self.width), fixed(height));
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"stpp-picture\" role=\"img\" \
             aria-labelledby=\"stpp-{name}-title stpp-{name}-desc\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <title id=\"stpp-{name}-title\">{}</title>\n<desc id=\"stpp-{name}-desc\">{}</desc>\n\
             <style>{}</style>\n\
             <rect class=\"stpp-ground\" x=\"0.0\" y=\"0.0\" \
             width=\"{width}\" height=\"{height}\"/>\n{}</svg>\n",
            escape(&about.title),
            escape(&about.description),
            theme::style(),
            self.body,
        );
        Picture { name, title: about.title, description: about.description, svg }
    }
}

fn text_tag(class: &str, (x, y): (f64, f64), anchor: Anchor) -> Tag {
    let tag = tag("text");
    let tag = if class.is_empty() { tag } else { tag.class(class) };
    let tag = tag.number("x", x).number("y", y);
    match anchor {
        Anchor::Start => tag,
        Anchor::Middle => tag.word("text-anchor", "middle"),
        Anchor::End => tag.word("text-anchor", "end"),
    }
}

fn title(text: &str) -> String {
    format!("<title>{}</title>", escape(text))
}

/// A number with one decimal; a zero has no sign.
///
/// # Panics
/// When the number is no number: what cannot be drawn must have been left out.
fn fixed(value: f64) -> String {
    assert!(value.is_finite(), "a coordinate is a number");
    let text = format!("{value:.1}");
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

/// A name of an id and of a file.
fn id(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(letter).collect()
}

/// Characters that XML forbids, and those that turn the direction of what follows, become U+FFFD.
fn readable(text: &str) -> String {
    let strange = |c: char| {
        c.is_control()
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFE}' | '\u{FFFF}')
    };
    text.chars().map(|c| if strange(c) { '\u{FFFD}' } else { c }).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in readable(text).chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;

    #[test]
    fn a_picture_says_what_it_is() {
        let mut svg = Svg::new(100.0);
        svg.put(&line("stpp-axis", (0.0, -0.01), (10.04, 5.0)));
        svg.name("", (0.0, 20.0), Anchor::Start, "a<b>&\"c\"\u{1} and its long tail", 90.0);
        let about = About {
            name: "Two of \"them\"".to_owned(),
            title: "A & B".to_owned(),
            description: "A line.".to_owned(),
        };
        insta::assert_snapshot!(laws::without_style(&svg.finish(30.0, about)));
    }
}
