//! One tree out of several texts: `extends`, presets, `--set`.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::diagnostic::Problem;
use super::merge::merge;
use super::shorthand;
use super::source::{Place, SourceKind, Sources, tidy};
use super::tree::{Node, Origin, Table, Value, from_document, from_value};

/// Reads a file, the files it extends, and the `--set` arguments into one tree.
///
/// Presets are written out in the layer that names them: there, what is said beside them counts more.
/// `None` when a text could not be read as TOML; the problems say why.
pub fn compose(
    path: &Path,
    sets: &[String],
    sources: &mut Sources,
    problems: &mut Vec<Problem>,
) -> Option<Table> {
    let before = problems.len();
    let mut tree = file(&tidy(path), None, &mut vec![], sources, problems);
    let mut said = Table::new();
    for set in sets {
        if let Some(argument) = argument(set, sources, problems) {
            merge(&mut said, argument, "");
        }
    }
    shorthand::expand(&mut said);
    merge(&mut tree, said, "");
    (problems.len() == before).then_some(tree)
}

/// Reads one file and what it extends; `chain` holds the files that are waiting for this one.
fn file(
    path: &Path,
    named: Option<&Origin>,
    chain: &mut Vec<PathBuf>,
    sources: &mut Sources,
    problems: &mut Vec<Problem>,
) -> Table {
    let at = |problem: Problem| match named {
        Some(origin) => problem.at(origin),
        None => problem,
    };
    if let Some(start) = chain.iter().position(|earlier| earlier == path) {
        let names: Vec<_> = chain[start..].iter().map(|file| file.display().to_string()).collect();
        let problem = Problem::new(format!("{} extends itself", path.display()));
        problems.push(at(problem).label("the circle closes here").help(format!(
            "{} → {}: one of them must stand on its own",
            names.join(" → "),
            path.display()
        )));
        return Table::new();
    }
    let text = match crate::base::fs::read_text(path) {
        Ok(text) => text,
        Err(error) => {
            let problem = Problem::new(format!("cannot read {}: {}", path.display(), reason(&error.source)));
            problems.push(at(problem));
            return Table::new();
        }
    };
    let source = sources.add(SourceKind::File(path.to_owned()), text.clone());
    let mut layer = parse(&text, source, problems);
    let extends = layer.remove("extends");
    shorthand::expand(&mut layer);
    let Some(extends) = extends else { return layer };
    let Some(relative) = extends.text() else {
        let problem = Problem::new(format!("`extends` must be text, not {}", extends.value.kind()));
        problems.push(problem.at(&extends.origin).label("the path of another spec is expected"));
        return layer;
    };
    let parent = tidy(&path.parent().unwrap_or(Path::new("")).join(relative));
    chain.push(path.to_owned());
    let mut lower = file(&parent, Some(&extends.origin), chain, sources, problems);
    chain.pop();
    merge(&mut lower, layer, "");
    lower
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

fn parse(text: &str, source: usize, problems: &mut Vec<Problem>) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let origin = Origin::Written(Place { source, span });
        problems.push(Problem::new("this is not TOML").at(&origin).label(error.message()));
    }
    from_document(document.get_ref(), source)
}

/// Reads `key.path=value`; a bare word counts as text.
fn argument(set: &str, sources: &mut Sources, problems: &mut Vec<Problem>) -> Option<Table> {
    let source = sources.add(SourceKind::Set, set.to_owned());
    let whole = Origin::Written(Place { source, span: 0..set.len() });
    let Some((path, text)) = set.split_once('=') else {
        let problem = Problem::new("`--set` takes key.path=value").at(&whole).label("there is no `=`");
        problems.push(problem.help("for example --set train.batch=8"));
        return None;
    };
    let keys: Vec<&str> = path.split('.').map(str::trim).collect();
    let plain = |key: &&str| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if !keys.iter().all(plain) {
        let origin = Origin::Written(Place { source, span: 0..path.len() });
        problems.push(Problem::new("`--set` takes key.path=value").at(&origin).label("this is no key"));
        return None;
    }
    let start = path.len() + 1;
    let place = Place { source, span: start..set.len() };
    let key = Origin::Written(Place { source, span: 0..path.len() });
    let origin = Origin::Written(place);
    let mut node = match DeValue::parse(text.trim()) {
        // Spans inside a list or table would need shifting; the whole value is near enough.
        Ok(value) => relocated(from_value(value.get_ref(), key.clone(), origin.clone(), source), &origin),
        Err(_) if is_bare(text.trim()) => {
            Node { key: key.clone(), origin, value: Value::Text(text.trim().to_owned()) }
        }
        Err(error) => {
            let problem = Problem::new("this is not a TOML value").at(&origin).label(error.message());
            problems.push(problem.help("text with other signs than - _ . / : $ { } needs quotes"));
            return None;
        }
    };
    node.key = key.clone();
    for name in keys[1..].iter().rev() {
        let inner = Table::from([((*name).to_owned(), node)]);
        node = Node { key: key.clone(), origin: key.clone(), value: Value::Table(inner) };
    }
    Some(Table::from([(keys[0].to_owned(), node)]))
}

fn is_bare(text: &str) -> bool {
    let sign = |c: char| c.is_alphanumeric() || "-_./:${}".contains(c);
    !text.is_empty() && text.chars().all(sign)
}

fn relocated(node: Node, origin: &Origin) -> Node {
    let value = match node.value {
        Value::Array(items) => Value::Array(items.into_iter().map(|item| relocated(item, origin)).collect()),
        Value::Table(table) => {
            Value::Table(table.into_iter().map(|(key, node)| (key, relocated(node, origin))).collect())
        }
        other => other,
    };
    Node { key: origin.clone(), origin: origin.clone(), value }
}
