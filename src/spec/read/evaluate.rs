//! Reads `[evaluate]`.

use crate::spec::convert::{self, Choice};
use crate::spec::diagnostic::Problem;
use crate::spec::evaluate::{Evaluate, EvaluateOn, Windows};
use crate::spec::reader::{Reader, whole_line};
use crate::spec::tree::Origin;

impl Choice for EvaluateOn {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("val", Self::Val), ("test", Self::Test)];
}

/// Looks at the validation images along a training, when nobody says how many.
const POINTS: u64 = 10;

/// The smallest window that makes sense: a few of the coarsest features.
const SMALLEST: u64 = 32;

/// Reads `[evaluate]`; `shortest` is the length of the shortest training, in epochs or iterations.
pub fn evaluate(reader: Reader<'_>, has_test: bool, shortest: u64) -> Evaluate {
    let on = reader.choice("on", EvaluateOn::Auto);
    if on == EvaluateOn::Test && !has_test {
        let problem = Problem::new("`evaluate.on` is \"test\", but `[data]` has no test images");
        reader.report(
            problem
                .at(&reader.origin("on"))
                .label("no test images")
                .help("name a list with `data.test`, or write on = \"val\""),
        );
    }
    let points = reader.read("points", |path, node| {
        let points = convert::whole(path, node, &(1..=convert::MANY))?;
        if points <= shortest {
            return Ok(points);
        }
        let message = format!("`{path}` is {points}, but the shortest training has a length of {shortest}");
        Err(Problem::new(message).at(&node.origin).label(format!("at most {shortest}")))
    });
    let points = points.unwrap_or(POINTS.min(shortest));
    reader.line("points", whole_line(points), &Origin::Follows("10, or the shortest length"));
    let windows = windows(&reader);
    reader.finish();
    Evaluate { on, points, windows }
}

fn windows(reader: &Reader<'_>) -> Option<Windows> {
    let side = reader.read("window", |path, node| convert::whole(path, node, &(SMALLEST..=convert::MANY)));
    let Some(side) = side else {
        reader.unused(
            &["stride"],
            "it is the way from one window to the next, and there is no `evaluate.window`",
        );
        return None;
    };
    reader.line("window", whole_line(side), &Origin::Default);
    let two_thirds = (2 * side).div_ceil(3);
    let otherwise = Origin::Follows("two thirds of the window, as is usual");
    let stride = reader.whole_or("stride", two_thirds, 1..=side, &otherwise);
    Some(Windows { side: side as usize, stride: stride as usize })
}
