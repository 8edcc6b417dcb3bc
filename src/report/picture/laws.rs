//! What holds for every picture, whatever it is drawn of: well-formed, all within its edges, no text over another, no
//! number that is none, ids and classes of its own.

use std::collections::BTreeSet;

use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::arm::Arm;
use super::svg::{About, Picture};
use super::text;
use super::theme;

/// Few cases of a law, because a picture is large; `PROPTEST_CASES` asks for more.
pub fn cases() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases / 8, failure_persistence: None, ..asked }
}

/// A name, a title and a description.
pub fn about(name: &str) -> About {
    About {
        name: name.to_owned(),
        title: format!("A picture of {name}"),
        description: "What is drawn & what it says.".to_owned(),
    }
}

/// A picture with its style sheet left out, to be read.
pub fn without_style(picture: &Picture) -> String {
    picture.svg.replace(theme::style(), "…")
}

/// Ordinary, odd and very long names.
pub fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,12}(-[a-z]{1,12}){0,3}",
        "[a-zA-Z<&>\"'_ .=日é-]{0,60}",
        "\\PC{0,20}",
        "(?s).{0,20}",
        "[MW@%]{30,50}"
    ]
}

/// Arms at any place of a study.
pub fn arm() -> impl Strategy<Value = Arm> {
    (name(), 0usize..60).prop_map(|(name, place)| Arm { name, place })
}

/// Numbers as they come from a study, and such as should not.
pub fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..100.0f64,
        2 => 0.0..1.0f64,
        2 => -20.0..20.0f64,
        1 => (0u32..5).prop_map(|n| f64::from(n) * 10.0),
        1 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => -1e13..1e13f64,
    ]
}

/// Fewer than `most` such numbers.
pub fn numbers(most: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(number(), 0..most)
}

/// Fewer than six looks of a run: step and value.
pub fn run() -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((number(), number()), 0..6)
}

/// Pairs of such numbers, or none.
pub fn pair() -> impl Strategy<Value = Option<(f64, f64)>> {
    prop::option::of((number(), number()))
}

/// Checks a picture.
pub fn check(picture: &Picture) {
    let document = Document::parse(&picture.svg).expect("a picture is well-formed XML");
    let root = document.root_element();
    let view: Vec<f64> = read_numbers(root.attribute("viewBox").unwrap());
    let (width, height) = (view[2], view[3]);
    ids_are_its_own(&document, &picture.name);
    let mut texts: Vec<(Box, String)> = Vec::new();
    for node in root.descendants().filter(Node::is_element) {
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!["style", "href", "onclick"].contains(&name), "{name}");
            let across = ["x", "cx", "x1", "x2"].contains(&name);
            let down = ["y", "cy", "y1", "y2"].contains(&name);
            if across || down {
                let (value, most) = (value.parse::<f64>().unwrap(), if across { width } else { height });
                assert!((0.0..=most).contains(&value), "{name} = {value} of {most}: {node:?}");
            }
            if ["points", "d"].contains(&name) {
                for point in read_numbers(value).chunks_exact(2) {
                    let inside = (0.0..=width).contains(&point[0]) && (0.0..=height).contains(&point[1]);
                    assert!(inside, "{point:?} of {width} × {height}");
                }
            }
            if ["width", "height", "r"].contains(&name) {
                assert!(value.parse::<f64>().unwrap() >= 0.0, "{name} = {value}");
            }
        }
        if node.has_tag_name("rect") {
            let of = |name| node.attribute(name).unwrap().parse::<f64>().unwrap();
            assert!(
                of("x") + of("width") <= width + 0.11 && of("y") + of("height") <= height + 0.11,
                "{node:?}"
            );
        }
        if node.has_tag_name("text") {
            let (place, words) = box_of(&node);
            let inside =
                place.0 >= -0.2 && place.1 >= -0.2 && place.2 <= width + 0.2 && place.3 <= height + 0.2;
            assert!(inside, "`{words}` at {place:?} of {width} × {height}");
            if node.attribute("transform").is_none() {
                let over = texts.iter().find(|(other, _)| touch(*other, place));
                assert!(over.is_none(), "`{words}` at {place:?} over {over:?}");
                texts.push((place, words));
            }
        }
    }
}

/// Left, top, right and bottom, in pixels.
type Box = (f64, f64, f64, f64);

fn touch(a: Box, b: Box) -> bool {
    a.0 < b.2 - 0.2 && b.0 < a.2 - 0.2 && a.1 < b.3 - 0.2 && b.1 < a.3 - 0.2
}

fn box_of(node: &Node) -> (Box, String) {
    let of = |name| node.attribute(name).unwrap().parse::<f64>().unwrap();
    let words: String = node.children().filter(Node::is_text).filter_map(|text| text.text()).collect();
    let bold = node.attribute("class").is_some_and(|class| class.contains(theme::BOLD));
    let wide = if bold { text::bold_width(&words) } else { text::width(&words) };
    let (x, y) = (of("x"), of("y"));
    if node.attribute("transform").is_some() {
        let along = wide * std::f64::consts::FRAC_1_SQRT_2;
        return ((x - 8.0, y - along, x + along, y + 2.0), words);
    }
    let left = match node.attribute("text-anchor") {
        None => x,
        Some("middle") => x - wide / 2.0,
        Some(_) => x - wide,
    };
    ((left, y - 9.5, left + wide, y + 3.0), words)
}

fn read_numbers(text: &str) -> Vec<f64> {
    let parts =
        text.split(|c: char| !c.is_ascii_digit() && !"-.".contains(c)).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().unwrap()).collect()
}

fn ids_are_its_own(document: &Document, name: &str) {
    let prefix = format!("stpp-{name}-");
    let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    assert!(ids.iter().all(|id| id.starts_with(&prefix)), "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    for id in root.attribute("aria-labelledby").unwrap().split(' ') {
        assert!(ids.contains(&id), "{id}");
    }
    let classes = document.descendants().filter_map(|node| node.attribute("class"));
    assert!(classes.flat_map(|class| class.split(' ')).all(|class| class.starts_with("stpp-")));
}
