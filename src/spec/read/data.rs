//! Reads `[data]`.

use std::path::{Path, PathBuf};

use crate::base::canon::MAX_SAFE_INTEGER;
use crate::spec::convert::{self, Bounds, Choice};
use crate::spec::data::{Data, Listed, Synthetic};
use crate::spec::diagnostic::Problem;
use crate::spec::location::{self, Kind};
use crate::spec::preset::{PRESETS, default_palette};
use crate::spec::reader::{Reader, whole_line};
use crate::spec::tree::{Node, Origin, Value};

#[derive(Debug, Clone, Copy, PartialEq)]
enum DataKind {
    Synthetic,
    Listed,
}

impl Choice for DataKind {
    const WORDS: &'static [(&'static str, Self)] =
        &[("synthetic", Self::Synthetic), ("listed", Self::Listed)];
}

const OF_SYNTHETIC: &[&str] = &["seed", "width", "height", "classes", "difficulty"];
const OF_LISTED: &[&str] = &["preset", "name", "root", "palette", "ignore", "long_side"];

/// Class ids are bytes, and one byte is kept for "ignore".
const MOST_CLASSES: u64 = 255;

/// Mask value of pixels that count nowhere, in both official datasets.
const IGNORE: u64 = 255;

/// Reads `[data]`; `None` when it is missing or its kind is wrong.
pub fn data(reader: Reader<'_>) -> Option<Data> {
    if reader.is_empty() {
        reader.report(Problem::new("`[data]` is missing").help(
            "say where images come from: `kind = \"synthetic\"`, or `kind = \"listed\"` with `root` and lists",
        ));
        return None;
    }
    if !reader.has("kind") {
        reader.missing("kind", "write kind = \"synthetic\" or kind = \"listed\"");
        return None;
    }
    let kind = reader.read("kind", convert::choice::<DataKind>)?;
    reader.line("kind", kind.word(), &Origin::Default);
    match kind {
        DataKind::Synthetic => Some(Data::Synthetic(synthetic(reader))),
        DataKind::Listed => listed(reader).map(Data::Listed),
    }
}

fn synthetic(reader: Reader<'_>) -> Synthetic {
    let data = Synthetic {
        seed: reader.whole("seed", 0, 0..=MAX_SAFE_INTEGER),
        width: reader.count("width", 64, 8),
        height: reader.count("height", 64, 8),
        train: reader.count("train", 240, 1),
        val: reader.count("val", 60, 1),
        test: reader.count("test", 60, 0),
        classes: reader.whole("classes", 6, 2..=MOST_CLASSES) as usize,
        difficulty: reader.number("difficulty", 0.5, Bounds::UNIT),
    };
    reader.unused(OF_LISTED, "with kind = \"synthetic\"");
    reader.finish();
    data
}

fn listed(reader: Reader<'_>) -> Option<Listed> {
    preset_is_known(&reader);
    let root = root(&reader);
    // Without a root nothing relative to it can be looked for; the readers below then only check types.
    let base = root.as_deref();
    let name = name(&reader, base);
    let classes = classes(&reader, base);
    let listed = Listed {
        name,
        train: list(&reader, "train", base),
        val: list(&reader, "val", base).unwrap_or_default(),
        test: list(&reader, "test", base),
        ignore: ignore(&reader, classes.len()),
        palette: palette(&reader, classes.len()),
        long_side: reader.read("long_side", |path, node| {
            convert::whole(path, node, &(8..=convert::MANY)).map(|side| side as usize)
        }),
        classes,
        root: root.clone().unwrap_or_default(),
    };
    if let Some(side) = listed.long_side {
        reader.line("long_side", whole_line(side as u64), &Origin::Default);
    }
    if !reader.has("val") {
        reader.missing("val", "name the list of validation images, relative to `root`");
    }
    reader.unused(
        &OF_SYNTHETIC.iter().copied().filter(|key| *key != "classes").collect::<Vec<_>>(),
        "with kind = \"listed\"",
    );
    reader.finish();
    root.map(|_| listed)
}

fn preset_is_known(reader: &Reader<'_>) {
    reader.read("preset", |path, node| {
        let text = convert::text(path, node)?;
        let names = || PRESETS.iter().map(|preset| preset.name);
        if names().any(|name| name == text) {
            return Ok(());
        }
        let listed = names().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let problem = Problem::new(format!("`{path}` has no value \"{text}\"")).at(&node.origin);
        Err(problem.label(format!("one of {listed}")).suggest(&text, names()))
    });
}

fn root(reader: &Reader<'_>) -> Option<PathBuf> {
    if !reader.has("root") {
        reader.missing(
            "root",
            "name the folder that paths in lists start from, such as \"${STPP_DATA}/camvid\"",
        );
        return None;
    }
    let text = reader.read("root", convert::text)?;
    let origin = reader.origin("root");
    let base = location::folder_of(reader.context, &origin);
    let root = location::resolve(reader.context, "data.root", &text, &origin, &base, Kind::Folder)?;
    reader.line("root", root.display().to_string(), &Origin::Default);
    Some(root)
}

fn list(reader: &Reader<'_>, key: &'static str, root: Option<&Path>) -> Option<PathBuf> {
    let text = reader.read(key, convert::text)?;
    reader.line(key, text.clone(), &Origin::Default);
    let full = reader.full(key);
    location::resolve(reader.context, &full, &text, &reader.origin(key), root?, Kind::File)
}

fn name(reader: &Reader<'_>, root: Option<&Path>) -> String {
    let folder = root.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = reader.read("name", convert::text).or(folder).unwrap_or_default();
    reader.line("name", name.clone(), &Origin::Follows("the root folder's name"));
    name
}

fn classes(reader: &Reader<'_>, root: Option<&Path>) -> Vec<String> {
    if !reader.has("classes") {
        let help = "list the class names in the order of their ids, name a file with one name a line, or use a preset";
        reader.missing("classes", help);
        reader.ignore(&["classes"]);
        return vec![];
    }
    let names = reader.read("classes", |path, node| match &node.value {
        Value::Array(_) => convert::texts(path, node),
        Value::Text(file) => Ok(root.map_or(vec![], |root| names_in(reader, file, &node.origin, root))),
        _ => Err(convert::wrong_type(path, "a list of names or the path of a text file", node)),
    });
    let names = names.unwrap_or_default();
    let count = names.len() as u64;
    // Nothing can be said of a file that was not read.
    if count == 1 || count > MOST_CLASSES {
        let problem =
            Problem::new(format!("`data.classes` has {count} names, but must have 2 to {MOST_CLASSES}"));
        reader.report(problem.at(&reader.origin("classes")).label("2 to 255 names"));
    }
    if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        let problem = Problem::new(format!("`data.classes` has \"{}\" twice", twice.1));
        reader.report(problem.at(&reader.origin("classes")).label("class names are unique"));
    }
    match reader.node("classes").and_then(Node::text) {
        Some(file) if names.is_empty() => reader.line("classes", file, &Origin::Default),
        _ => reader.line("classes", names.clone(), &Origin::Default),
    }
    names
}

fn names_in(reader: &Reader<'_>, file: &str, origin: &Origin, root: &Path) -> Vec<String> {
    let Some(path) = location::resolve(reader.context, "data.classes", file, origin, root, Kind::File) else {
        return vec![];
    };
    match crate::base::fs::read_text(&path) {
        Ok(text) => text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        Err(_) if !reader.context.environment.checks_locations() => vec![],
        Err(error) => {
            let problem = Problem::new(format!("cannot read {}: {}", path.display(), error.source));
            reader.report(problem.at(origin).label("class names are read from this file"));
            vec![]
        }
    }
}

fn ignore(reader: &Reader<'_>, classes: usize) -> u8 {
    let ignore = reader.whole("ignore", IGNORE, 0..=255);
    if (ignore as usize) < classes {
        let problem = Problem::new(format!("`data.ignore` is {ignore}, but that is a class id"));
        let label = format!("class ids are 0 to {}", classes - 1);
        reader.report(problem.at(&reader.origin("ignore")).label(label));
    }
    ignore as u8
}

fn palette(reader: &Reader<'_>, classes: usize) -> Vec<[u8; 3]> {
    let palette = reader.read("palette", |path, node| {
        let colours: Vec<_> = convert::list(path, node, "colours")?
            .iter()
            .map(|item| colour(path, item))
            .collect::<Result<_, _>>()?;
        if colours.len() == classes || classes == 0 {
            return Ok(colours);
        }
        let message = format!("`{path}` has {} colours for {classes} classes", colours.len());
        Err(Problem::new(message).at(&node.origin).label("one colour per class, in the order of the ids"))
    });
    let palette = palette.unwrap_or_else(|| default_palette(classes));
    let line: Vec<Vec<i64>> = palette.iter().map(|rgb| rgb.map(i64::from).to_vec()).collect();
    reader.line("palette", line, &Origin::Default);
    palette
}

fn colour(path: &str, node: &Node) -> Result<[u8; 3], Problem> {
    let parts: Vec<u8> = convert::list(path, node, "[red, green, blue]")?
        .iter()
        .map(|part| convert::whole(path, part, &(0..=255)).map(|part| part as u8))
        .collect::<Result<_, _>>()?;
    <[u8; 3]>::try_from(parts).map_err(|_| {
        let problem = Problem::new(format!("`{path}` must be a list of [red, green, blue]"));
        problem.at(&node.origin).label("three numbers are expected")
    })
}
