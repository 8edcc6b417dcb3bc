//! Reads `[method.select]`: which pseudo labels enter the (first) re-training.

use crate::spec::convert::{Bounds, Choice};
use crate::spec::diagnostic::Problem;
use crate::spec::method::{ImageCriterion, ImageSelect, PixelSelect, Select, Ties};
use crate::spec::reader::Reader;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Level {
    None,
    Image,
    Pixel,
}

impl Choice for Level {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("image", Self::Image), ("pixel", Self::Pixel)];
}

impl Choice for ImageCriterion {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("stability", Self::Stability),
        ("confidence", Self::Confidence),
        ("entropy", Self::Entropy),
        ("random", Self::Random),
        ("oracle", Self::Oracle),
    ];
}

impl Choice for Ties {
    const WORDS: &'static [(&'static str, Self)] = &[("id", Self::Id), ("list", Self::List)];
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    Threshold,
    ClassBalanced,
    Entropy,
    Matched,
    Oracle,
}

impl Choice for Rule {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("threshold", Self::Threshold),
        ("class-balanced", Self::ClassBalanced),
        ("entropy", Self::Entropy),
        ("matched", Self::Matched),
        ("oracle", Self::Oracle),
    ];
}

/// The paper's R.
const FRACTION: f64 = 0.5;
/// FixMatch and UniMatch on Pascal.
const THRESHOLD: f64 = 0.95;
/// CBST's last round.
const CLASS_FRACTION: f64 = 0.5;
/// U2PL.
const QUANTILE: f64 = 0.2;

const OF_IMAGE: &[&str] = &["criterion", "fraction", "ties", "background"];
const OF_PIXEL: &[&str] = &["rule", "threshold", "quantile", "to"];

/// Reads `[method.select]`. Keys of `level = "image"` may stand beside `level = "none"`: a base says them once,
/// for all arms that select.
pub fn select(reader: Reader<'_>) -> Select {
    if !reader.has("level") && !reader.is_empty() {
        reader
            .missing("level", "write level = \"image\" or level = \"pixel\", or name a method that selects");
    }
    let select = match reader.choice("level", Level::None) {
        Level::None => {
            reader.ignore(OF_IMAGE);
            reader.ignore(OF_PIXEL);
            Select::None
        }
        Level::Image => {
            let image = image(&reader);
            reader.unused(OF_PIXEL, "with level = \"image\"");
            Select::Image(image)
        }
        Level::Pixel => {
            let pixel = pixel(&reader);
            reader.unused(&["criterion", "ties", "background"], "with level = \"pixel\"");
            Select::Pixel(pixel)
        }
    };
    reader.finish();
    select
}

fn image(reader: &Reader<'_>) -> ImageSelect {
    ImageSelect {
        criterion: reader.choice("criterion", ImageCriterion::Stability),
        fraction: reader.number("fraction", FRACTION, Bounds::SHARE),
        ties: reader.choice("ties", Ties::Id),
        background: reader.flag("background", true),
    }
}

fn pixel(reader: &Reader<'_>) -> PixelSelect {
    let number = |key, usual, bounds| reader.number(key, usual, bounds);
    if !reader.has("rule") {
        reader.missing(
            "rule",
            "write rule = \"threshold\", \"class-balanced\", \"entropy\", \"matched\" or \"oracle\"",
        );
        reader.ignore(&["rule", "threshold", "fraction", "quantile", "to"]);
        return PixelSelect::Oracle;
    }
    let Some(rule) = reader.read("rule", crate::spec::convert::choice::<Rule>) else {
        reader.ignore(&["threshold", "fraction", "quantile", "to"]);
        return PixelSelect::Oracle;
    };
    reader.line("rule", rule.word(), &crate::spec::tree::Origin::Default);
    let (select, unused): (_, &[&str]) = match rule {
        Rule::Threshold => (
            PixelSelect::Threshold { threshold: number("threshold", THRESHOLD, Bounds::UNIT) },
            &["fraction", "quantile", "to"],
        ),
        Rule::ClassBalanced => (
            PixelSelect::ClassBalanced { fraction: number("fraction", CLASS_FRACTION, Bounds::SHARE) },
            &["threshold", "quantile", "to"],
        ),
        Rule::Entropy => (
            PixelSelect::Entropy { quantile: number("quantile", QUANTILE, Bounds::BELOW_ONE) },
            &["threshold", "fraction", "to"],
        ),
        Rule::Matched => {
            (PixelSelect::Matched { to: matched(reader.table("to")) }, &["threshold", "fraction", "quantile"])
        }
        Rule::Oracle => (PixelSelect::Oracle, &["threshold", "fraction", "quantile", "to"]),
    };
    reader.unused(unused, &format!("with rule = \"{}\"", rule.word()));
    select
}

fn matched(reader: Reader<'_>) -> ImageSelect {
    let to = image(&reader);
    if to.criterion == ImageCriterion::Oracle {
        let problem =
            Problem::new("`method.select.to.criterion` is \"oracle\": a method cannot match a ceiling");
        let problem = problem.at(&reader.origin("criterion")).label("not with rule = \"matched\"");
        reader.report(problem.help("match a criterion that needs no true masks, such as \"stability\""));
    }
    reader.finish();
    to
}
