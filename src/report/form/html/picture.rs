//! Pictures in the place of links to them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pulldown_cmark::{Event, Tag};

use super::text::{end_of, escape};

/// Pictures wider than this, in units of their own, are not shrunk to a phone's width but scroll there.
const WIDE: f64 = 520.0;

/// A picture that is written into the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Embedded {
    /// An SVG element, which becomes an element of the page. It is trusted: whoever makes it has escaped the names in it.
    /// Its ids are unique among all pictures, it says itself what it shows (`role="img"`, `title`, `desc`), and its
    /// looks are attributes or `style` elements without `&`: the page's policy forbids `style` attributes.
    Svg(String),
    /// The bytes of a PNG file.
    Png(Vec<u8>),
}

/// Pictures by the link that stands for them in the Markdown, such as `figures/forest.svg`.
pub type Pictures = BTreeMap<String, Embedded>;

/// A picture in a line of text.
///
/// `title` is what follows the link in the Markdown: `![alt](link "title")`.
pub fn inline(picture: &Embedded, alt: &str, title: &str) -> String {
    match picture {
        Embedded::Svg(svg) => element(svg).to_owned(),
        Embedded::Png(bytes) => {
            // With a title, `alt` is printed as the caption and need not be said twice.
            let words = if title.is_empty() { alt } else { title };
            format!(
                r#"<img src="data:image/png;base64,{}" alt="{}"/>"#,
                STANDARD.encode(bytes),
                escape(words)
            )
        }
    }
}

/// A picture that stands alone; `alt` is its caption where the Markdown gives a title, too.
pub fn figure(picture: &Embedded, alt: &str, title: &str) -> String {
    let class = if width(picture).is_some_and(|width| width > WIDE) { "picture wide" } else { "picture" };
    let name = if alt.trim().is_empty() { "Picture" } else { alt };
    let image = inline(picture, alt, title);
    let caption = match title {
        "" => String::new(),
        _ => format!("<figcaption>{}</figcaption>\n", escape(alt)),
    };
    format!(
        "<figure class=\"{class}\">\n<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"{}\">{image}</div>\n\
         {caption}</figure>\n",
        escape(name)
    )
}

/// The picture of each image in a paragraph that holds nothing else, or nothing when it holds anything else.
pub fn alone<'a>(events: &'a [Event<'a>], pictures: &Pictures) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(event) = events.get(at) {
        match event {
            Event::Start(Tag::Image { dest_url, .. }) if pictures.contains_key(dest_url.as_ref()) => {
                found.push(at);
                at = end_of(events, at);
            }
            Event::SoftBreak | Event::HardBreak => {}
            Event::Text(text) if text.trim().is_empty() => {}
            _ => return None,
        }
        at += 1;
    }
    (!found.is_empty()).then_some(found)
}

/// The `style` elements of the pictures, each as the text between its tags, for the page's policy.
pub fn styles(pictures: &Pictures) -> Vec<&str> {
    svgs(pictures).flat_map(|svg| svg.split("<style").skip(1).filter_map(style)).collect()
}

/// The text of a `style` element from what follows `<style`.
fn style(rest: &str) -> Option<&str> {
    let text = rest.split_once('>')?.1.split_once("</style>")?.0;
    Some(text.strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>")).unwrap_or(text))
}

/// All ids within the pictures.
pub fn ids(pictures: &Pictures) -> impl Iterator<Item = String> {
    svgs(pictures)
        .flat_map(|svg| svg.split(" id=\"").skip(1))
        .filter_map(|rest| rest.split_once('"').map(|(id, _)| id.to_owned()))
}

fn svgs(pictures: &Pictures) -> impl Iterator<Item = &str> {
    pictures.values().filter_map(|picture| match picture {
        Embedded::Svg(svg) => Some(svg.as_str()),
        Embedded::Png(_) => None,
    })
}

/// An SVG file without what stands before its element, which has no place within a page.
fn element(svg: &str) -> &str {
    svg.find("<svg").map_or(svg, |start| &svg[start..]).trim_end()
}

/// How wide a picture is in its own units: those of an SVG's `viewBox`, or the pixels of a PNG.
fn width(picture: &Embedded) -> Option<f64> {
    match picture {
        Embedded::Svg(svg) => {
            let (numbers, _) = svg.split_once("viewBox=\"")?.1.split_once('"')?;
            numbers.split_whitespace().nth(2)?.parse().ok()
        }
        Embedded::Png(bytes) => {
            let word = bytes.get(16..20)?.try_into().expect("four bytes were asked for");
            Some(f64::from(u32::from_be_bytes(word)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str = "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 640 20\"><style>.a{}</style><g id=\"x\"/>\
                       <style type=\"text/css\"><![CDATA[.b > .c{}]]></style></svg>\n";

    fn pictures() -> Pictures {
        let png = Embedded::Png(b"\x89PNG".to_vec());
        BTreeMap::from([("a.svg".to_owned(), Embedded::Svg(SVG.to_owned())), ("b.png".to_owned(), png)])
    }

    #[test]
    fn styles_and_ids_are_found() {
        let pictures = pictures();
        assert_eq!(styles(&pictures), [".a{}", ".b > .c{}"]);
        assert_eq!(ids(&pictures).collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn a_caption_needs_a_title_and_a_wide_picture_is_marked() {
        let pictures = pictures();
        insta::assert_snapshot!(figure(&pictures["a.svg"], "Forest", ""), @r#"
        <figure class="picture wide">
        <div class="scroll" role="group" tabindex="0" aria-label="Forest"><svg viewBox="0 0 640 20"><style>.a{}</style><g id="x"/><style type="text/css"><![CDATA[.b > .c{}]]></style></svg></div>
        </figure>
        "#);
        insta::assert_snapshot!(figure(&pictures["b.png"], "Masks of <b>", "Four images"), @r#"
        <figure class="picture">
        <div class="scroll" role="group" tabindex="0" aria-label="Masks of &lt;b&gt;"><img src="data:image/png;base64,iVBORw==" alt="Four images"/></div>
        <figcaption>Masks of &lt;b&gt;</figcaption>
        </figure>
        "#);
    }

    #[test]
    fn the_width_of_a_png_is_read_from_its_header() {
        let mut bytes = vec![0; 16];
        bytes.extend([0, 0, 2, 128, 0, 0, 0, 1]);
        assert_eq!(width(&Embedded::Png(bytes)), Some(640.0));
        assert_eq!(width(&Embedded::Png(Vec::new())), None);
    }
}
