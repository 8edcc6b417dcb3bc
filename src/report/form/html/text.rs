//! Text that cannot become markup, in HTML and in XML.

use pulldown_cmark::Event;

/// Text for use between tags and in quoted attributes.
///
/// Characters that XML cannot hold at all become U+FFFD, as a browser would show them.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' => escaped.push(letter),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The words of some events, without their markup.
pub fn plain(events: &[Event<'_>]) -> String {
    let mut words = String::new();
    for event in events {
        match event {
            Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) => words.push_str(text),
            Event::SoftBreak | Event::HardBreak => words.push(' '),
            _ => {}
        }
    }
    words
}

/// Where the element that starts at `at` ends.
///
/// # Panics
/// When nothing starts there.
pub fn end_of(events: &[Event<'_>], at: usize) -> usize {
    let Event::Start(tag) = &events[at] else { panic!("an element starts here") };
    let wanted = tag.to_end();
    let mut open = 0_usize;
    for (offset, event) in events[at..].iter().enumerate() {
        match event {
            Event::Start(inner) if inner.to_end() == wanted => open += 1,
            Event::End(end) if *end == wanted => {
                open -= 1;
                if open == 0 {
                    return at + offset;
                }
            }
            _ => {}
        }
    }
    unreachable!("the parser ends what it starts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_opens_an_element_or_leaves_an_attribute() {
        assert_eq!(escape(r#"<a b="c" d='e'>&amp;"#), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(escape("a\0b\u{8}c\u{ffff}d\té"), "a\u{fffd}b\u{fffd}c\u{fffd}d\té");
    }
}
