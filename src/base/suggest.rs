//! "Did you mean": the nearest of some names to a misspelt one.

/// The candidate nearest to `word`, when it is near enough to be meant.
///
/// ```
/// use stpp::base::suggest::nearest;
/// assert_eq!(nearest("iteratons", ["epochs", "iterations"]), Some("iterations"));
/// assert_eq!(nearest("zebra", ["epochs", "iterations"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
