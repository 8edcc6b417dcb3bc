//! What is wrong with a spec, where it is written, and what to do: all of it at once, in the look of rustc.

use std::fmt;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin as Header, Renderer, Snippet};

use super::source::{Place, SourceKind, Sources};
use super::tree::Origin;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in one line.
    pub message: String,
    /// Where it is written; `None` for what is written nowhere. (Boxed, for readers return problems in results.)
    pub place: Option<Box<Place>>,
    /// What stands under the caret.
    pub label: String,
    /// Other places that matter, each with its label.
    pub context: Vec<(Place, String)>,
    /// What to do.
    pub help: Vec<String>,
}

impl Problem {
    /// A problem that is written nowhere in particular.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, label: String::new(), context: vec![], help: vec![] }
    }

    /// Says where; a value that a preset stands for is shown where the preset is named.
    #[must_use]
    pub fn at(mut self, origin: &Origin) -> Self {
        self.place = origin.place().cloned().map(Box::new);
        if let Origin::Preset { key, name, .. } = origin {
            self.help.push(format!("the value is part of {key} = \"{name}\""));
        }
        self
    }

    /// Says something under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Shows another place.
    #[must_use]
    pub fn context(mut self, origin: &Origin, label: impl Into<String>) -> Self {
        self.context.extend(origin.place().map(|place| (place.clone(), label.into())));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// "did you mean", when a candidate is near.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match crate::base::suggest::nearest(word, candidates) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    fn render(&self, sources: &Sources, renderer: &Renderer) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(self.message.as_str()));
        let mut files: Vec<usize> = self.place.iter().map(|place| place.source).collect();
        for (place, _) in &self.context {
            if !files.contains(&place.source) {
                files.push(place.source);
            }
        }
        for file in files {
            group = group.element(self.snippet(sources, file));
        }
        if self.place.is_none()
            && let Some(first) = sources.iter().next()
        {
            group = group.element(Header::path(first.name()));
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    fn snippet<'a>(&'a self, sources: &'a Sources, file: usize) -> Snippet<'a, Annotation<'a>> {
        let mut marks: Vec<Annotation<'a>> = Vec::new();
        let mut text = None;
        let own = self.place.iter().map(|place| (&**place, &self.label, AnnotationKind::Primary));
        let others = self.context.iter().map(|(place, label)| (place, label, AnnotationKind::Context));
        for (place, label, kind) in own.chain(others).filter(|(place, ..)| place.source == file) {
            let source = sources.of(place);
            text = Some(source);
            let mark = kind.span(place.span.clone());
            marks.push(if label.is_empty() { mark } else { mark.label(label.as_str()) });
        }
        let source = text.expect("a file is listed because a place in it is shown");
        Snippet::source(source.text.as_str()).path(source.name()).annotations(marks)
    }
}

/// Everything that is wrong with a spec, in the order of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecProblems {
    /// The file that was asked for, as the user named it.
    pub file: String,
    /// What the spec was read from.
    pub sources: Sources,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl SpecProblems {
    /// Sorts by place and drops what several arms report alike.
    pub(super) fn new(file: String, sources: Sources, problems: Vec<Problem>) -> Self {
        let mut kept: Vec<Problem> = Vec::new();
        for problem in problems {
            let again = |other: &Problem| other.message == problem.message && other.place == problem.place;
            if !kept.iter().any(again) {
                kept.push(problem);
            }
        }
        kept.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.source, place.span.start)));
        Self { file, sources, problems: kept }
    }

    /// The whole text for a terminal; with `colour`, ANSI escapes.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let texts: Vec<_> =
            self.problems.iter().map(|problem| problem.render(&self.sources, &renderer)).collect();
        texts.join("\n\n")
    }

    /// `path:line:column: message`, one line per problem, for machines.
    pub fn lines(&self) -> Vec<String> {
        self.problems
            .iter()
            .map(|problem| match &problem.place {
                Some(place) => {
                    let (at, source) = (self.sources.show(place), self.sources.of(place));
                    match source.kind {
                        SourceKind::File(_) => {
                            let (_, column) = source.line_column(place.span.start);
                            format!("{at}:{column}: {}", problem.message)
                        }
                        SourceKind::Set => format!("{at}: {}", problem.message),
                    }
                }
                None => format!("{}: {}", self.file, problem.message),
            })
            .collect()
    }
}

impl fmt::Display for SpecProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "read {}: {count} problem{}", self.file, if count == 1 { "" } else { "s" })
    }
}

impl std::error::Error for SpecProblems {}
