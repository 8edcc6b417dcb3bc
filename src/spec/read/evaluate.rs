//! Reads `[evaluate]`.

use crate::spec::convert::{self, Choice};
use crate::spec::diagnostic::Problem;
use crate::spec::evaluate::{Evaluate, EvaluateOn};
use crate::spec::reader::{Reader, whole_line};
use crate::spec::tree::Origin;

impl Choice for EvaluateOn {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("val", Self::Val), ("test", Self::Test)];
}

/// Looks at the validation images along a training, when nobody says how many.
const POINTS: u64 = 10;

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
    reader.finish();
    Evaluate { on, points }
}
