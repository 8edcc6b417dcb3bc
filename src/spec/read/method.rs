//! Reads `[method]`.

use super::select::select;
use crate::spec::convert::{self, Bounds, Choice};
use crate::spec::diagnostic::Problem;
use crate::spec::method::{Labels, Method, Select, Tta, Which};
use crate::spec::reader::Reader;
use crate::spec::shorthand::METHODS;
use crate::spec::train::Length;
use crate::spec::tree::Origin;

impl Choice for Labels {
    const WORDS: &'static [(&'static str, Self)] = &[("pseudo", Self::Pseudo), ("truth", Self::Truth)];
}

impl Choice for Which {
    const WORDS: &'static [(&'static str, Self)] = &[("last", Self::Last), ("best", Self::Best)];
}

/// The paper's K.
const CHECKPOINTS: u64 = 3;

/// The paper's scales of test-time augmentation.
const SCALES: [f64; 5] = [0.5, 0.75, 1.0, 1.5, 2.0];

/// Reads `[method]`; `teacher` is how long the teacher is trained, and where that is said.
pub fn method(reader: Reader<'_>, teacher: (Length, &Origin)) -> Method {
    let name = name(&reader);
    if !reader.has("retrainings") && name.is_none() && !reader.has("name") {
        reader.missing(
            "name",
            "name a recipe: \"supervised\", \"fully-supervised\", \"plain\", \"st\" or \"stpp\"",
        );
    }
    let method = Method {
        retrainings: reader.whole("retrainings", 0, 0..=2) as usize,
        labels: reader.choice("labels", Labels::Pseudo),
        teacher: reader.choice("teacher", Which::Last),
        checkpoints: reader.whole("checkpoints", CHECKPOINTS, 2..=1000) as usize,
        relabel_reliable: reader.flag("relabel_reliable", false),
        tta: tta(reader.table("tta")),
        select: select(reader.table("select")),
    };
    recipe_is_possible(&reader, &method);
    let (length, said) = (teacher.0.units(), teacher.1);
    if method.compares_checkpoints() && method.checkpoints as u64 > length {
        let message =
            format!("`method.checkpoints` is {}, but the teacher's length is {length}", method.checkpoints);
        let problem =
            Problem::new(message).at(&reader.origin("checkpoints")).label(format!("at most {length}"));
        reader.report(problem.context(said, "the length").help("train longer or compare fewer checkpoints"));
    }
    reader.finish();
    method
}

fn name(reader: &Reader<'_>) -> Option<&'static str> {
    reader.read("name", |path, node| {
        let text = convert::text(path, node)?;
        let names = || METHODS.iter().map(|(name, _)| *name);
        names().find(|name| *name == text).ok_or_else(|| {
            let listed = names().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            let problem = Problem::new(format!("`{path}` has no value \"{text}\"")).at(&node.origin);
            problem.label(format!("one of {listed}")).suggest(&text.to_lowercase().replace('+', "p"), names())
        })
    })
}

fn recipe_is_possible(reader: &Reader<'_>, method: &Method) {
    if method.labels == Labels::Truth && method.retrainings > 0 {
        let problem = Problem::new("`method.labels` is \"truth\", but there are re-trainings");
        let problem = problem.at(&reader.origin("labels")).label("true masks leave nothing to re-train");
        reader.report(problem.context(&reader.origin("retrainings"), "must be 0"));
    }
    if method.retrainings == 2 && method.select == Select::None && !method.relabel_reliable {
        let problem = Problem::new("two re-trainings need a selection, or `relabel_reliable = true`");
        let problem = problem.at(&reader.origin("retrainings")).label("the second would repeat the first");
        reader.report(problem.help("write select.level = \"image\", or let student_1 label everything anew"));
    }
}

fn tta(reader: Reader<'_>) -> Tta {
    let scales = reader.read("scales", |path, node| {
        let scales = convert::numbers(path, node, Bounds::POSITIVE)?;
        if scales.is_empty() {
            let problem = Problem::new(format!("`{path}` is empty")).at(&node.origin);
            return Err(problem.label("at least one scale").help("[1.0] looks once, as the image is"));
        }
        Ok(scales)
    });
    let scales = scales.unwrap_or_else(|| SCALES.to_vec());
    reader.line("scales", scales.clone(), &Origin::Default);
    let tta = Tta { scales, flip: reader.flag("flip", true) };
    reader.finish();
    tta
}
