//! Colours and letters, for screens that are light or dark and for paper.
//!
//! One style sheet serves every picture, so that a page may hold many of them, and allow this one by its digest. Colours
//! are custom properties: light ones by default and on paper, dark ones where the reader's system asks for them; a
//! page that sets `data-theme` on its root decides. A program that knows no custom properties draws the light colours.
//!
//! The eight colours of arms are those of Okabe and Ito, darkened or lightened until they stand out from the ground.

use std::fmt::Write;
use std::sync::LazyLock;

/// How many colours arms have.
pub const COLOURS: usize = 8;

/// The share of a heat map's colour from which its numbers are written in the other ink.
pub const HOT: f64 = 0.6;

/// The class of bold text.
pub const BOLD: &str = "stpp-bold";

/// The class of text that is read second.
pub const SOFT: &str = "stpp-soft";

/// A colour by name: its light and its dark value.
type Colour = (&'static str, &'static str, &'static str);

const PALETTE: [Colour; 19] = [
    ("ground", "#ffffff", "#14171a"),
    ("zone", "#f3f5f7", "#1d2126"),
    ("ink", "#1b1f24", "#e6e9ec"),
    ("soft", "#59616a", "#a3acb5"),
    ("grid", "#dfe3e7", "#2f353c"),
    ("axis", "#808994", "#7d8691"),
    ("heat", "#001670", "#7fbaf0"),
    ("on-cold", "#000000", "#ffffff"),
    ("on-hot", "#ffffff", "#000000"),
    ("box", "#eef2f6", "#20262d"),
    ("edge", "#7c8794", "#8b95a1"),
    ("c0", "#0072b2", "#4a9ade"),
    ("c1", "#d55e00", "#f0803c"),
    ("c2", "#009371", "#2dbe93"),
    ("c3", "#b0578d", "#d98bbb"),
    ("c4", "#b57a00", "#e69f00"),
    ("c5", "#3f97cf", "#9bd4f5"),
    ("c6", "#857b00", "#f0e442"),
    ("c7", "#4a4a4a", "#c8c8c8"),
];

/// Classes that fill with, or draw a line in, a colour.
const FILLS: [(&str, &str); 7] = [
    ("ground", "ground"),
    ("zone", "zone"),
    ("soft", "soft"),
    ("heat", "heat"),
    ("on-cold", "on-cold"),
    ("on-hot", "on-hot"),
    ("ink", "ink"),
];
const LINES: [(&str, &str, &str); 6] = [
    ("grid", "grid", "1"),
    ("axis", "axis", "1"),
    ("zero", "ink", "1.2"),
    ("diagonal", "axis", "1.2"),
    ("lead", "axis", "0.8"),
    ("edge", "edge", "1.2"),
];

/// The style sheet of every picture.
pub fn style() -> &'static str {
    static STYLE: LazyLock<String> = LazyLock::new(sheet);
    &STYLE
}

fn sheet() -> String {
    let light = properties(|colour| colour.1);
    let dark = properties(|colour| colour.2);
    let mut css = format!(
        "\n.stpp-picture{{{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{.stpp-picture{{{dark}}}}}\n\
         @media screen{{:root[data-theme=light] .stpp-picture{{{light}}}\
         :root[data-theme=dark] .stpp-picture{{{dark}}}}}\n\
         .stpp-picture{{{}{}max-width:100%;height:auto;\
         font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif}}\n",
        set("background", "ground"),
        set("fill", "ink"),
    );
    for (class, colour) in FILLS {
        rule(&mut css, class, &set("fill", colour));
    }
    for (class, colour, width) in LINES {
        rule(&mut css, class, &format!("fill:none;{}stroke-width:{width}", set("stroke", colour)));
    }
    for i in 0..COLOURS {
        let colour = format!("c{i}");
        rule(&mut css, &format!("full{i}"), &set("fill", &colour));
        rule(&mut css, &format!("line{i}"), &format!("fill:none;{}", set("stroke", &colour)));
    }
    rule(&mut css, "hollow", &(set("fill", "ground") + &set("stroke", "c0")));
    rule(&mut css, "box", &(set("fill", "box") + &set("stroke", "axis")));
    rule(&mut css, "bold", "font-weight:600");
    css
}

/// The colours of one theme as custom properties.
fn properties(value: impl Fn(&Colour) -> &'static str) -> String {
    PALETTE.iter().map(|colour| format!("--stpp-{}:{};", colour.0, value(colour))).collect()
}

/// Sets a property to a colour: twice, for a program that knows no custom properties.
fn set(property: &str, colour: &str) -> String {
    let light = PALETTE.iter().find(|(name, ..)| *name == colour).expect("the palette has every colour").1;
    format!("{property}:{light};{property}:var(--stpp-{colour});")
}

fn rule(css: &mut String, class: &str, declarations: &str) {
    writeln!(css, ".stpp-{class}{{{declarations}}}").expect("a string takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of a colour, as the contrast ratio of WCAG 2 has it.
    fn luminance(colour: [f64; 3]) -> f64 {
        let linear = colour.map(|part| {
            let part = part / 255.0;
            if part <= 0.04045 { part / 12.92 } else { libm::pow((part + 0.055) / 1.055, 2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn rgb(name: &str, dark: bool) -> [f64; 3] {
        let colour = PALETTE.iter().find(|colour| colour.0 == name).unwrap();
        let hex = if dark { colour.2 } else { colour.1 };
        [1, 3, 5].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()))
    }

    #[test]
    fn marks_and_words_stand_out_from_the_ground() {
        for dark in [false, true] {
            let seen = |name: &str, ground: &str| contrast(rgb(name, dark), rgb(ground, dark));
            for name in (0..COLOURS).map(|i| format!("c{i}")).chain(["axis".to_owned(), "edge".to_owned()]) {
                for ground in ["ground", "zone"] {
                    assert!(seen(&name, ground) >= 2.9, "{name} on {ground}: {}", seen(&name, ground));
                }
                assert!(seen(&name, "ground") >= 3.0, "{name}: {}", seen(&name, "ground"));
            }
            for name in ["ink", "soft"] {
                for ground in ["ground", "zone", "box"] {
                    assert!(seen(name, ground) >= 4.5, "{name} on {ground}: {}", seen(name, ground));
                }
            }
        }
    }

    #[test]
    fn numbers_can_be_read_on_every_heat() {
        for dark in [false, true] {
            let (ground, heat) = (rgb("ground", dark), rgb("heat", dark));
            for i in 0..=100 {
                let share = f64::from(i) / 100.0;
                let cell = [0, 1, 2].map(|c| ground[c] * (1.0 - share) + heat[c] * share);
                let ink = if share < HOT { "on-cold" } else { "on-hot" };
                let seen = contrast(cell, rgb(ink, dark));
                assert!(seen >= 4.5, "{ink} at {share}: {seen}");
            }
        }
    }

    #[test]
    fn every_class_is_the_programs_own() {
        let css = style();
        let selectors =
            css.split('}').filter_map(|rule| rule.rsplit_once('{')).map(|(selectors, _)| selectors);
        let mut classes = selectors.flat_map(|selectors| selectors.split('.').skip(1));
        assert!(classes.all(|class| class.starts_with("stpp-")));
        insta::assert_snapshot!(css);
    }
}
