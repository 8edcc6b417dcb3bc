//! Reads `[split]`, and the splits of an ablation.

use std::path::{Path, PathBuf};

use crate::base::canon::MAX_SAFE_INTEGER;
use crate::spec::convert::{self, Bounds};
use crate::spec::data::{Amount, Data, Split};
use crate::spec::diagnostic::Problem;
use crate::spec::location::{self, Kind};
use crate::spec::reader::{Context, Reader, whole_line};
use crate::spec::tree::{Node, Origin, Value};

/// What a split's label starts from: an ablation puts others in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// The label of the spec's own split.
    pub label: String,
    /// The folder that list folders are relative to.
    pub root: PathBuf,
}

/// Reads `[split]` and says how it is called; `None` when it is wrong.
pub fn split(reader: Reader<'_>, data: Option<&Data>) -> (Option<Split>, Base) {
    for (first, second) in [("labeled", "fraction"), ("labeled", "lists"), ("fraction", "lists")] {
        reader.exclusive(first, second);
    }
    let root = match data {
        Some(Data::Listed(listed)) => listed.root.clone(),
        Some(Data::Synthetic(_)) | None => PathBuf::new(),
    };
    let (split, label) = if reader.has("lists") {
        let (split, label) = lists(&reader, data, &root);
        reader.unused(&["seed"], "with `lists`");
        reader.ignore(&["labeled", "fraction"]);
        (split, label)
    } else {
        let labeled = amount(&reader, data);
        let seed = reader.whole("seed", 0, 0..=MAX_SAFE_INTEGER);
        reader.ignore(&["lists"]);
        (labeled.map(|labeled| Split::Drawn { labeled, seed }), seed.to_string())
    };
    reader.finish();
    (split, Base { label, root })
}

fn lists(reader: &Reader<'_>, data: Option<&Data>, root: &Path) -> (Option<Split>, String) {
    let Some(text) = reader.read("lists", convert::text) else { return (None, String::new()) };
    reader.line("lists", text.clone(), &Origin::Default);
    let origin = reader.origin("lists");
    if matches!(data, Some(Data::Synthetic(_))) {
        reader.report(no_lists(&reader.full("lists"), &origin));
        return (None, text);
    }
    // A dataset whose root is wrong has been reported; its lists would be the same problem once more.
    let folder = data.and_then(|_| {
        location::resolve(reader.context, &reader.full("lists"), &text, &origin, root, Kind::Lists)
    });
    (folder.map(|folder| Split::Lists { folder }), text)
}

fn no_lists(key: &str, origin: &Origin) -> Problem {
    Problem::new(format!("`{key}`: synthetic data have no list files"))
        .at(origin)
        .label("lists name files")
        .help("draw the split: `labeled = 24` or `fraction = 0.125`")
}

fn amount(reader: &Reader<'_>, data: Option<&Data>) -> Option<Amount> {
    if !reader.has("labeled") && !reader.has("fraction") {
        reader.ignore(&["labeled", "fraction"]);
        reader.missing(
            "labeled",
            "say which images are labeled: `labeled = 24`, `fraction = 0.125`, or `lists`",
        );
        return None;
    }
    let images = match data {
        Some(Data::Synthetic(synthetic)) => Some(synthetic.train),
        Some(Data::Listed(_)) | None => None,
    };
    let most = images.map_or(convert::MANY, |images| images as u64);
    let count = reader.read("labeled", |path, node| convert::whole(path, node, &(1..=most)));
    let share = reader.read("fraction", |path, node| {
        let share = convert::number(path, node, Bounds::SHARE)?;
        match images {
            Some(images) if Amount::Fraction(share).of(images) == 0 => {
                let problem = Problem::new(format!("`{path}` of {images} images is no image"));
                Err(problem.at(&node.origin).label("rounded down to 0"))
            }
            _ => Ok(share),
        }
    });
    match (count, share) {
        (Some(count), _) => {
            reader.line("labeled", whole_line(count), &Origin::Default);
            Some(Amount::Count(count as usize))
        }
        (None, Some(share)) => {
            reader.line("fraction", share, &Origin::Default);
            Some(Amount::Fraction(share))
        }
        (None, None) => None,
    }
}

impl Base {
    /// The split of an ablation that `node` names in the place of `own`: a seed, or a folder with lists.
    pub fn named(&self, context: &Context<'_>, node: &Node, own: &Split) -> Option<(String, Split)> {
        match (&node.value, own) {
            (Value::Text(text), Split::Lists { .. }) => {
                let folder =
                    location::resolve(context, "splits", text, &node.origin, &self.root, Kind::Lists)?;
                Some((text.clone(), Split::Lists { folder }))
            }
            (Value::Text(_), Split::Drawn { .. }) => {
                let problem =
                    Problem::new("`splits` names a folder, but the split is drawn").at(&node.origin);
                let problem = problem.label("a seed is expected");
                context.report(problem.help("use whole numbers here, or name a folder with `split.lists`"));
                None
            }
            (Value::Integer(_), Split::Lists { .. }) => {
                let problem = Problem::new("`splits` has a seed, but the split is a folder of lists");
                let problem = problem.at(&node.origin).label("a folder is expected");
                context.report(problem.help("for example splits = [\"splits/1_8/split_0\"]"));
                None
            }
            (_, Split::Lists { .. }) => {
                context.report(convert::wrong_type("splits", "text", node));
                None
            }
            (_, Split::Drawn { labeled, .. }) => {
                match convert::whole("splits", node, &(0..=MAX_SAFE_INTEGER)) {
                    Ok(seed) => Some((seed.to_string(), Split::Drawn { labeled: *labeled, seed })),
                    Err(problem) => {
                        context.report(problem);
                        None
                    }
                }
            }
        }
    }
}
