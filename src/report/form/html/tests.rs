//! The HTML form as a whole.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roxmltree::{Document, ParsingOptions};

use super::{Embedded, Pictures, html};

const SMALL: &str = r#"# study: *incomplete*

**Does `st` help?**

## Differences to `st`

| arm | difference | reading |
| :-- | --: | :-- |
| `<b>` & co | −2.99 | within the noise |
| `plain` *oracle* | – | higher, but told in so many words that it wraps |

![Forest](figures/forest.svg)

A picture ![of masks](figures/panel.png) in a line, ![one that is lost](figures/lost.svg), <i>markup</i>.

### Runs

- one [link](https://example.org/?a=1&b=2), one [script](javascript:alert(1))
- two

## Differences to `st`

Words.
"#;

fn pictures() -> Pictures {
    let svg =
        r#"<svg viewBox="0 0 600 10" role="img"><style>.forest { fill: red; }</style><g id="runs"/></svg>"#;
    BTreeMap::from([
        ("figures/forest.svg".to_owned(), Embedded::Svg(svg.to_owned())),
        ("figures/panel.png".to_owned(), Embedded::Png(b"\x89PNG".to_vec())),
    ])
}

/// The page without its style, its script and their digests, which have files of their own.
fn skeleton(page: &str) -> String {
    let mut page = page.to_owned();
    for (start, end) in [("<style>/*", "</style>"), ("<script>/*", "</script>")] {
        let from = page.find(start).expect("the template has one") + start.len() - 2;
        let to = from + page[from..].find(end).expect("it ends");
        page.replace_range(from..to, "…");
    }
    page.split('\'')
        .map(|part| if part.starts_with("sha256-") { "sha256-…" } else { part })
        .collect::<Vec<_>>()
        .join("'")
}

fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error} in\n{page}"))
}

fn count(document: &Document<'_>, tag: &str) -> usize {
    document.descendants().filter(|node| node.tag_name().name() == tag).count()
}

#[test]
fn a_small_report() {
    let page = html(SMALL, "study", &pictures());
    parsed(&page);
    insta::assert_snapshot!(skeleton(&page));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(html(SMALL, "study", &pictures()), html(SMALL, "study", &pictures()));
}

#[test]
fn the_policy_knows_the_styles_of_pictures_and_allows_no_others() {
    let page = html(SMALL, "study", &pictures());
    let policy = page.lines().find(|line| line.contains("Content-Security-Policy")).unwrap();
    // printf '.forest { fill: red; }' | openssl dgst -sha256 -binary | base64
    assert!(policy.contains("'sha256-2w48gq2eeT/6Dk2/luhmU+2mDz/kjaasa1A6Q/CDg8I='"), "{policy}");
    assert!(!policy.contains("unsafe") && policy.contains("default-src 'none'"), "{policy}");
}

#[test]
fn a_report_without_a_title_gets_one_and_a_second_title_is_a_section() {
    let page = html("words", "a & b", &Pictures::new());
    assert!(page.contains("<h1>a &amp; b</h1>\n<p>words</p>") && !page.contains("<nav"), "{page}");
    let page = html("# one\n\n# two\n", "title", &Pictures::new());
    assert_eq!((page.matches("<h1>").count(), page.matches("<h2 id=\"two\">").count()), (1, 1));
}

#[test]
fn a_long_list_is_folded_below_a_part_only() {
    let rows = "| a |\n| :-- |\n".to_owned() + &"| x |\n".repeat(25);
    let folded =
        |heading: &str| html(&format!("{heading}\n\n{rows}"), "t", &Pictures::new()).contains("All 25 rows");
    assert!(folded("### Runs") && !folded("## Classes"));
}

#[test]
fn scripts_and_styles_cannot_end_early() {
    let page = html("", "t", &Pictures::new());
    let document = parsed(&page);
    assert_eq!((count(&document, "script"), count(&document, "style")), (1, 1));
    assert_eq!((page.matches("</script").count(), page.matches("]]>").count()), (1, 2));
}

/// Text with what is special in Markdown, HTML and XML, more often than by chance.
fn nasty() -> impl Strategy<Value = String> {
    let special = "<script>|</script>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|&|&#0;|\"|'|`|\\*|_|\\||\\[|\\]\\(|!\\[|\\)|#|>|\n|\n\n|\\\\|- ";
    let word = prop_oneof![special, "[a-z]{1,3}", any::<String>()];
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn names_never_become_markup(name in nasty(), title in nasty()) {
        let code = name.replace('`', "'").replace('\n', " ");
        let cell = name.replace('|', "\\|").replace('\n', " ");
        let markdown = format!(
            "# `{code}`\n\n**{name}**\n\n## To `{code}`\n\n| a | {cell} |\n| :-- | --: |\n| `{code}` | {cell} |\n\n![{cell}](figures/forest.svg)\n"
        );
        let page = html(&markdown, &title, &pictures());
        let document = parsed(&page);
        prop_assert_eq!(count(&document, "script"), 1);
        prop_assert_eq!(count(&document, "h1"), 1);
        prop_assert_eq!(page.matches("<script").count(), 1);
    }

    #[test]
    fn any_text_makes_a_sound_page(markdown in nasty()) {
        let page = html(&markdown, "title", &pictures());
        let document = parsed(&page);
        prop_assert_eq!(count(&document, "script"), 1);
        prop_assert_eq!(count(&document, "h1"), 1);
        let ids: Vec<_> = document.descendants().filter_map(|node| node.attribute("id")).collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), ids.len());
        for link in document.descendants().filter_map(|node| node.attribute("href")) {
            prop_assert!(!link.to_ascii_lowercase().starts_with("javascript"));
        }
    }
}
