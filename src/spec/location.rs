//! Where things lie: `${VARIABLE}` in a path, what a relative path starts from, and whether it is there.

use std::path::{Path, PathBuf};

use super::diagnostic::Problem;
use super::reader::Context;
use super::source::tidy;
use super::tree::Origin;

/// What must be found at a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A folder with `labeled.txt` and `unlabeled.txt`.
    Lists,
}

/// The path that `text` means, relative to `base`; `None` when a problem was reported.
///
/// Where locations are not checked, unset variables stay in the path and nothing is looked for.
pub fn resolve(
    context: &Context<'_>,
    key: &str,
    text: &str,
    origin: &Origin,
    base: &Path,
    kind: Kind,
) -> Option<PathBuf> {
    let expanded = match expand(context, text) {
        Ok(expanded) => expanded,
        Err(problem) => {
            context.report(problem.at(origin));
            return None;
        }
    };
    let path = if expanded.starts_with("${") { expanded.into() } else { tidy(&base.join(&expanded)) };
    if context.environment.checks_locations()
        && let Err(problem) = check(key, &path, kind)
    {
        context.report(problem.at(origin));
        return None;
    }
    Some(path)
}

/// The folder that a relative path starts from when it is relative to the file that says it.
pub fn folder_of(context: &Context<'_>, origin: &Origin) -> PathBuf {
    origin.place().map(|place| context.sources.folder(place)).unwrap_or_default()
}

fn expand(context: &Context<'_>, text: &str) -> Result<String, Problem> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else {
            return Err(Problem::new("a variable is not closed").label("`}` is missing"));
        };
        out.push_str(before);
        match context.environment.var(name) {
            Some(value) => out.push_str(&value),
            None if context.environment.checks_locations() => {
                let problem = Problem::new(format!("the environment variable `{name}` is not set"));
                let known =
                    if name == "STPP_DATA" { "the folder that holds your datasets" } else { "a path" };
                return Err(problem
                    .label("used here")
                    .help(format!("set it to {known}: export {name}=/path/to/it")));
            }
            None => out.push_str(&format!("${{{name}}}")),
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn check(key: &str, path: &Path, kind: Kind) -> Result<(), Problem> {
    let missing = |what: &str, path: &Path| {
        let problem = Problem::new(format!("`{key}`: there is no {what} {}", path.display()));
        Err(problem.label(format!("no such {what}")))
    };
    match kind {
        Kind::Folder | Kind::Lists if !path.is_dir() => missing("folder", path),
        Kind::File if !path.is_file() => missing("file", path),
        Kind::Lists => {
            for list in ["labeled.txt", "unlabeled.txt"] {
                let file = path.join(list);
                if !file.is_file() {
                    return missing("file", &file);
                }
            }
            Ok(())
        }
        Kind::Folder | Kind::File => Ok(()),
    }
}
