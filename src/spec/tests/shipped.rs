//! Every spec that comes with the program reads without a problem.

use std::path::{Path, PathBuf};

use crate::base::fs::list;
use crate::spec::{Elsewhere, Spec, load};

fn specs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in list(folder).unwrap() {
        if path.is_dir() {
            found.extend(specs(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml")
            && path.file_stem().is_some_and(|stem| stem != "base")
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_shipped_spec_reads() {
    let mut summary = Vec::new();
    for path in [specs(Path::new("experiments")), specs(Path::new("ablations"))].concat() {
        let loaded =
            load(&path, &[], &Elsewhere).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        summary.push(match &loaded.spec {
            Spec::Experiment(experiment) => {
                assert!(!experiment.about.description.is_empty(), "{} describes itself", path.display());
                format!("{}", path.display())
            }
            Spec::Ablation(ablation) => {
                assert!(!ablation.question.is_empty(), "{} asks something", path.display());
                let arms: Vec<_> = ablation
                    .arms
                    .iter()
                    .map(|arm| format!("{}{}", arm.name, if arm.oracle { " (oracle)" } else { "" }))
                    .collect();
                let runs = ablation.experiments.len();
                format!("{}: \"{}\", {runs} experiments: {}", path.display(), ablation.name, arms.join(", "))
            }
        });
    }
    insta::assert_snapshot!(summary.join("\n"));
}

#[test]
fn ablations_have_names_of_their_own() {
    let mut names: Vec<String> = specs(Path::new("ablations"))
        .iter()
        .map(|path| match load(path, &[], &Elsewhere).unwrap().spec {
            Spec::Ablation(ablation) => ablation.name,
            Spec::Experiment(_) => panic!("{} has no arms", path.display()),
        })
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_resolved_spec_reads_back_as_the_same_spec() {
    for path in [specs(Path::new("experiments")), specs(Path::new("ablations"))].concat() {
        let loaded = load(&path, &[], &Elsewhere).unwrap();
        let text = loaded.to_toml();
        let again = super::read(&text);
        assert_eq!(again.spec.id(), loaded.spec.id(), "{}\n{text}", path.display());
    }
}
