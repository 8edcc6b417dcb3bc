//! The direction of imports, the home of every foreign crate, and the shape of files: read from `src/`, not believed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use beside itself, lowest first: a whole module, or a part of one. Every permission is in use
/// (`no_permission_is_wider_than_needed`), so this table is what the program depends on, and not what it might.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("spec", &["base"]),
    ("plan", &["base", "spec"]),
    ("data", &["base", "spec"]),
    // The value that masks have where they say nothing.
    ("nn", &["base", "spec", "data::image"]),
    ("metric", &[]),
    ("train", &["base", "spec", "data", "nn", "metric"]),
    ("method", &["base", "spec", "data::image", "metric"]),
    ("store", &["base", "spec", "plan"]),
    ("stage", &["base", "spec", "plan", "data", "nn", "metric", "train", "method", "store"]),
    // The golden trace of `doctor` is a training without a stage.
    (
        "run",
        &[
            "base",
            "spec",
            "plan",
            "data",
            "nn::network",
            "nn::weights",
            "train::course",
            "train::evaluate",
            "train::fit",
            "train::trace",
            "store",
            "stage",
        ],
    ),
    ("track", &["base"]),
    ("screen", &["base", "plan", "run"]),
    // A report reads artifacts, and the types of what is in them are those of the stages that wrote them.
    (
        "report",
        &[
            "base",
            "spec",
            "plan",
            "metric",
            "method::record",
            "method::select",
            "store",
            "stage::label",
            "stage::metrics",
            "track",
        ],
    ),
    // What a server shows is made of what a report is made of, and of what a report leaves out: what stages took.
    ("mlflow", &["base", "spec", "plan", "metric", "store", "stage::metrics", "track", "report"]),
    // `doctor` runs every operation on its own.
    (
        "cli",
        &[
            "base",
            "spec",
            "plan",
            "data",
            "nn::selftest",
            "run",
            "screen",
            "store",
            "track",
            "report",
            "mlflow",
        ],
    ),
    ("main", &[]),
    ("build", &[]),
    ("lib", &[]),
];

/// Where a dependency may be named: folders, or files.
const HOMES: &[(&str, &[&str])] = &[
    ("annotate-snippets", &["spec/diagnostic.rs"]),
    ("backon", &["mlflow/patience.rs"]),
    ("base64", &["report/form/html/page.rs", "report/form/html/picture.rs"]),
    ("blake3", &["base/digest.rs"]),
    // Tensors below, and above them the device that stages run on, and what its errors say.
    (
        "candle-core",
        &[
            "nn",
            "train",
            "stage/mod.rs",
            "run/capture.rs",
            "run/crew.rs",
            "run/cuda.rs",
            "run/device.rs",
            "run/executor.rs",
            "run/panels.rs",
            "run/verify.rs",
            "run/golden.rs",
            "run/numerics.rs",
        ],
    ),
    ("candle-nn", &["nn"]),
    ("clap", &["cli"]),
    ("comfy-table", &["cli/output.rs"]),
    ("gemm", &["nn/ops/gemm.rs"]),
    ("image", &["data/decode.rs"]),
    ("indicatif", &["screen/bars.rs"]),
    ("libc", &["base/failpoint.rs", "nn/heap.rs", "run/capture.rs", "run/usage.rs"]),
    ("libm", &["base/stream.rs", "method", "nn/ops", "report/picture", "report/stats", "train/schedule.rs"]),
    ("minijinja", &["report/form/markdown.rs", "report/form/html/page.rs"]),
    ("percent-encoding", &["mlflow/server.rs"]),
    ("png", &["data/decode.rs"]),
    ("polars", &["track/frame.rs"]),
    ("pulldown-cmark", &["report/form/html"]),
    ("rand_chacha", &["base/stream.rs"]),
    // Where work is cut into independent items; and where the number of threads is set or written down.
    (
        "rayon",
        &[
            "data",
            "nn/ops",
            "nn/tape.rs",
            "train",
            "store/verify.rs",
            "stage",
            "run/crew.rs",
            "track/frame.rs",
            "report/query.rs",
            "report/stats/resamples.rs",
            "cli/target.rs",
            "cli/doctor.rs",
        ],
    ),
    // The address of a server is read as its client reads it.
    ("reqwest", &["mlflow/client.rs", "mlflow/server.rs"]),
    ("rustls", &["mlflow/client.rs"]),
    ("safetensors", &["nn/weights.rs", "nn/weights"]),
    ("serde_json_canonicalizer", &["base/canon.rs"]),
    ("sha2", &["report/form/html/page.rs", "report/form/ro_crate.rs"]),
    ("signal-hook", &["run/signal.rs"]),
    ("strsim", &["base/suggest.rs"]),
    ("tar", &["store/archive"]),
    ("tempfile", &["base/draft.rs", "base/fs.rs"]),
    ("toml", &["spec"]),
];

/// Dependencies that may be named anywhere: they are how plain data and errors are written down.
const ANYWHERE: &[&str] = &["serde", "serde_json", "thiserror"];

/// Words that stand in one place only, and why.
const WORDS: &[(&str, &str, &str)] = &[
    ("println!", "cli/output.rs", "prints: return text, and let `cli::output` write it"),
    ("print!", "cli/output.rs", "prints: return text, and let `cli::output` write it"),
    ("eprintln!", "cli/output.rs", "prints: send an event, or let `cli::output` remark it"),
    ("eprint!", "cli/output.rs", "prints: send an event, or let `cli::output` remark it"),
    ("Instant", "base/clock.rs", "reads the clock: use `base::clock`"),
    ("SystemTime", "base/clock.rs", "reads the clock: use `base::clock`"),
    ("dbg!", "nowhere", "is for debugging"),
    ("todo!", "nowhere", "is unfinished"),
    ("unimplemented!", "nowhere", "is unfinished"),
    (".unwrap()", "nowhere", "panics without a reason: use `expect` with the invariant, or return an error"),
];

/// No file is longer.
const MOST_LINES: usize = 600;

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for file in &Tree::read().files {
        let allowed = allowed(file.module());
        for used in file.paths() {
            if used.path[0] != file.module() && !allowed.iter().any(|layer| used.is_in(layer)) {
                let path = used.path.join("::");
                wrong.push(file.at(used.line, &format!("`{}` may not use crate::{path}", file.module())));
            }
        }
    }
    report(&wrong);
}

#[test]
fn the_table_of_layers_has_no_circle() {
    for (at, (module, allowed)) in LAYERS.iter().enumerate() {
        for layer in *allowed {
            let below = LAYERS[..at].iter().any(|(lower, _)| Some(*lower) == layer.split("::").next());
            assert!(below, "`{module}` may use `{layer}`, which does not stand above its line");
        }
    }
}

#[test]
fn no_permission_is_wider_than_needed() {
    let tree = Tree::read();
    for (module, allowed) in LAYERS {
        let mine = || tree.files.iter().filter(|file| file.module() == *module);
        assert!(mine().count() > 0, "there is no module `{module}`");
        for layer in *allowed {
            let used = mine().any(|file| file.paths().iter().any(|used| used.is_in(layer)));
            assert!(used, "`{module}` may use `{layer}` and does not: take the permission back");
        }
    }
}

#[test]
fn no_file_climbs_out_of_its_module() {
    let mut wrong = Vec::new();
    for file in &Tree::read().files {
        let inside = file.path.components().count() - usize::from(file.path.ends_with("mod.rs"));
        for (at, _) in file.words("super") {
            let climbs = file.code[at..].split("::").take_while(|part| *part == "super").count();
            let leads = !file.code[..at].ends_with("super::");
            if leads && climbs >= inside {
                wrong.push(file.at(file.line(at), "reaches the crate's root by `super`: write crate::…"));
            }
        }
    }
    report(&wrong);
}

#[test]
fn every_dependency_stays_at_home() {
    let tree = Tree::read();
    let mut wrong = Vec::new();
    for name in dependencies() {
        if ANYWHERE.contains(&name.as_str()) {
            continue;
        }
        let homes = HOMES.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, homes)| homes);
        let mut unused: BTreeSet<&str> = homes.iter().copied().collect();
        for file in &tree.files {
            for at in file.uses(&name.replace('-', "_")) {
                match homes.iter().find(|home| file.path.starts_with(home)) {
                    Some(home) => {
                        unused.remove(home);
                    }
                    None => wrong.push(file.at(file.line(at), &format!("`{name}` is not at home here"))),
                }
            }
        }
        wrong.extend(unused.iter().map(|home| format!("`{name}` is not used in src/{home}, its home")));
        if homes.is_empty() {
            wrong.push(format!("the dependency `{name}` has no home in this test: is it needed?"));
        }
    }
    report(&wrong);
}

#[test]
fn what_is_said_timed_or_unfinished_has_its_place() {
    let mut wrong = Vec::new();
    for file in &Tree::read().files {
        for (word, place, why) in WORDS {
            for (at, _) in file.words(word) {
                if !file.path.starts_with(place) {
                    wrong.push(file.at(file.line(at), &format!("`{word}` {why}")));
                }
            }
        }
    }
    report(&wrong);
}

#[test]
fn no_file_is_longer_than_one_can_hold_in_mind() {
    let tree = Tree::read();
    let long = tree.files.iter().filter(|file| file.lines > MOST_LINES);
    let wrong: Vec<String> =
        long.map(|file| file.at(file.lines, "is too long: it holds two ideas")).collect();
    report(&wrong);
}

#[test]
fn this_test_reads_code_and_nothing_else() {
    let text = r###"
        // println! in a comment, crate::report
        let a = "println!(\"x\")"; let b = r#"todo!"#; let c = '"'; let d = '\''; fn e<'a>(f: &'a str) {}
        use crate::{base::{canon, fs}, spec::Spec};
        #[cfg(test)]
        mod tests { fn f() { g().unwrap(); } }
        #[cfg(test)]
        mod fixture;
        fn last() {}
    "###;
    let (code, modules) = without_tests(&blank(text));
    assert_eq!(modules, ["fixture"]);
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(code.contains("fn last") && code.contains("fn e<'a>"), "{code}");
    for gone in ["println", "todo", "unwrap", "report", "fixture"] {
        assert!(!code.contains(gone), "{gone} is still there:\n{code}");
    }
    let file = Source { path: PathBuf::from("x.rs"), code, lines: 0 };
    let paths: Vec<String> = file.paths().iter().map(|used| used.path.join("::")).collect();
    assert_eq!(paths, ["base::canon", "base::fs", "spec::Spec"]);
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn allowed(module: &str) -> &'static [&'static str] {
    let found = LAYERS.iter().find(|(known, _)| *known == module);
    found.unwrap_or_else(|| panic!("src/{module} is a new module: give it a line in LAYERS")).1
}

/// The names under `[dependencies]`.
fn dependencies() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

/// `src/`, without tests and comments.
struct Tree {
    files: Vec<Source>,
}

/// One file.
struct Source {
    /// Relative to `src/`.
    path: PathBuf,
    /// Its code, comments and texts blanked out, test modules too; lines are where they were.
    code: String,
    /// All its lines.
    lines: usize,
}

/// A path into this crate.
struct Used {
    line: usize,
    path: Vec<String>,
}

impl Used {
    /// Whether the path leads into a layer, or a part of one.
    fn is_in(&self, layer: &str) -> bool {
        layer.split("::").enumerate().all(|(at, part)| self.path.get(at).is_some_and(|own| own == part))
    }
}

impl Tree {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut paths = Vec::new();
        collect(&root, &mut paths);
        let mut of_tests: Vec<PathBuf> = Vec::new();
        let mut files = Vec::new();
        for path in paths {
            let text = fs::read_to_string(&path).unwrap();
            let relative = path.strip_prefix(&root).unwrap().to_owned();
            let (code, modules) = without_tests(&blank(&text));
            let folder = if relative.ends_with("mod.rs") || relative == Path::new("lib.rs") {
                relative.parent().unwrap().to_owned()
            } else {
                relative.with_extension("")
            };
            of_tests.extend(modules.iter().map(|module| folder.join(module)));
            files.push(Source { path: relative, code, lines: text.lines().count() });
        }
        files.retain(|file| !of_tests.iter().any(|module| file.path.with_extension("").starts_with(module)));
        assert!(files.len() > 100, "this test reads the wrong folder");
        Self { files }
    }
}

impl Source {
    /// The top-level module: the first part of the path.
    fn module(&self) -> &str {
        let first = self.path.iter().next().unwrap().to_str().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The line of a position in the code.
    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// How a failure names a place.
    fn at(&self, line: usize, what: &str) -> String {
        format!("src/{}:{line}: {what}", self.path.display())
    }

    /// Where a word stands as such, and not as a part of another.
    fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        self.code.match_indices(word).filter(move |(at, _)| {
            let before = self.code[..*at].chars().next_back();
            let after = self.code[at + word.len()..].chars().next();
            let joins = |next: Option<char>, edge: Option<char>| {
                next.is_some_and(is_word) && edge.is_some_and(is_word)
            };
            !joins(before, word.chars().next()) && !joins(after, word.chars().next_back())
        })
    }

    /// Where a crate is named: at the head of a path, or by `use` alone.
    fn uses(&self, name: &str) -> Vec<usize> {
        let heads = self.words(name).filter(|(at, _)| {
            let (before, after) = (self.code[..*at].trim_end(), &self.code[at + name.len()..]);
            let inside = before.ends_with("::") || before.ends_with('.');
            !inside && (after.starts_with("::") || before.ends_with("use") && after.starts_with(';'))
        });
        heads.map(|(at, _)| at).collect()
    }

    /// Every path that starts at `crate::`, groups written out.
    fn paths(&self) -> Vec<Used> {
        let mut used = Vec::new();
        for (at, _) in self.code.match_indices("crate::") {
            if self.code[..at].chars().next_back().is_some_and(is_word) {
                continue;
            }
            let mut paths = Vec::new();
            expand(&self.code[at + "crate::".len()..], &[], &mut paths);
            let line = self.line(at);
            used.extend(paths.into_iter().map(|path| Used { line, path }));
        }
        used
    }
}

/// Writes `a::{b, c::d}` out as `a::b`, `a::c::d`; returns how much of the text was the path.
fn expand(text: &str, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if text[at..].starts_with('{') {
            at += 1;
            loop {
                at += expand(&text[at..], &path, paths);
                at += text[at..].len() - text[at..].trim_start().len();
                match text[at..].chars().next() {
                    Some(',') => at += 1,
                    _ => return at + 1,
                }
            }
        }
        let word: String = text[at..].chars().take_while(|&c| is_word(c)).collect();
        if word.is_empty() {
            break;
        }
        at += word.len();
        path.push(word);
        if text[at..].starts_with("::") {
            at += 2;
        } else {
            break;
        }
    }
    if path.len() > prefix.len() {
        paths.push(path);
    }
    at
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            collect(&entry, paths);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            paths.push(entry);
        }
    }
}

/// Blanks comments, texts and characters out; what is left stands where it stood.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => text_length(rest),
            'r' if !is_word(before) && rest[1..].trim_start_matches('#').starts_with('"') => {
                let hashes = rest[1..].chars().take_while(|&c| c == '#').count();
                let end = format!("\"{}", "#".repeat(hashes));
                let start = 2 + hashes;
                rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
            }
            '\'' => char_length(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(c);
            before = c;
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            before = ' ';
            rest = &rest[length..];
        }
    }
    out
}

fn text_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character, or 0 for a lifetime.
fn char_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[2..].find('\'').map_or(0, |at| {
            // '\'' holds the quote itself.
            if at == 0 { text[3..].find('\'').map_or(0, |at| at + 4) } else { at + 3 }
        }),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Blanks every item under `#[cfg(test)]` out, and names the modules among them that are files.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut modules = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        let length = item_length(item);
        let words: Vec<&str> = item[..length].split_whitespace().collect();
        if let Some(mod_at) = words.iter().position(|word| *word == "mod")
            && let Some(name) = words[mod_at + 1].strip_suffix(';')
        {
            modules.push(name.to_owned());
        }
        out.extend(rest[at..at + MARK.len() + length].chars().filter(|&c| c == '\n'));
        rest = &item[length..];
    }
    out.push_str(rest);
    (out, modules)
}

/// Up to the end of an item: its `;`, or the brace that closes its body.
fn item_length(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '}' => {
                depth -= 1;
                if depth == 0 && !item[..at].trim_start().starts_with("use") {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}
