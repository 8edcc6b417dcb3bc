//! What the whole reader promises, over real files.

mod laws;
mod problems;
mod resolved;
mod shipped;

use std::path::Path;

use super::{Elsewhere, Environment, Loaded, SpecProblems, load};

/// No variables, but everything must be there.
struct Bare;

impl Environment for Bare {
    fn var(&self, _: &str) -> Option<String> {
        None
    }
}

fn fixture(name: &str, sets: &[&str]) -> Result<Loaded, SpecProblems> {
    let path = Path::new("tests/fixtures/spec").join(name);
    load(&path, &sets.iter().map(|set| (*set).to_owned()).collect::<Vec<_>>(), &Bare)
}

/// Reads a text as a spec, as if it stood beside the fixtures.
fn read(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.toml");
    std::fs::write(&path, text).unwrap();
    load(&path, &[], &Elsewhere).unwrap_or_else(|problems| panic!("{}\n{text}", problems.render(false)))
}
