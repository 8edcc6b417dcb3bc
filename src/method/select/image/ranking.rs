//! From scores to two halves: sort, break ties by rule, cut.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::score::{ScoreError, criterion};
use crate::base::share;
use crate::method::record::ImageRecord;
use crate::spec::method::{ImageSelect, Ties};

/// Which images are reliable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The first floor(fraction · n) images, the best first.
    pub reliable: Vec<String>,
    /// The others, the best first.
    pub unreliable: Vec<String>,
    /// Every image with its score, the best first.
    pub scores: Vec<(String, f64)>,
}

/// Ranks the images of some records by the criterion of a spec, and cuts the ranking at its fraction.
///
/// The order of `records` does not matter: a tie is broken by id, or by the position that the record holds (the
/// official code's stable sort). `seed` is read by the criterion `random` alone.
///
/// # Errors
/// [`ScoreError`], which names the image that cannot be ranked.
pub fn select(records: &[ImageRecord], rule: &ImageSelect, seed: u64) -> Result<Selection, ScoreError> {
    let criterion = criterion(rule, seed);
    let scored: Result<Vec<(f64, &ImageRecord)>, ScoreError> =
        records.iter().map(|record| Ok((criterion.score(record)?, record))).collect();
    let mut scored = scored?;
    scored.sort_by(|(a, x), (b, y)| descending(*a, *b).then_with(|| tie(rule.ties, x, y)));

    let scores: Vec<(String, f64)> = scored.iter().map(|(score, r)| (r.id.clone(), *score)).collect();
    let kept = share::floor(rule.fraction, scores.len() as u64) as usize;
    let ids = |part: &[(String, f64)]| part.iter().map(|(id, _)| id.clone()).collect();
    let (reliable, unreliable) = scores.split_at(kept);
    Ok(Selection { reliable: ids(reliable), unreliable: ids(unreliable), scores })
}

/// The higher score first; 0 and -0 are equal.
fn descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).expect("a criterion gives finite scores")
}

fn tie(ties: Ties, a: &ImageRecord, b: &ImageRecord) -> Ordering {
    match ties {
        Ties::Id => a.id.cmp(&b.id),
        Ties::List => a.position.cmp(&b.position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, text_float};
    use crate::spec::method::ImageCriterion;
    use proptest::prelude::*;

    fn record(id: &str, position: usize, score: f64) -> ImageRecord {
        ImageRecord {
            id: id.to_owned(),
            pixels: 1,
            position,
            stability: vec![score],
            stability_mean: score,
            stability_no_background: score / 2.0,
            confidence: 1.0 - score,
            entropy: score,
            truth_miou: None,
        }
    }

    fn rule(criterion: ImageCriterion, fraction: f64, ties: Ties) -> ImageSelect {
        ImageSelect { criterion, fraction, ties, background: true }
    }

    #[test]
    fn the_halves_are_those_of_the_official_sort() {
        let file = fixture("method/stability.json");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let list = |key: &str| -> Vec<String> { file[key].as_array().unwrap().iter().map(text).collect() };
        let images = file["images"].as_array().unwrap().iter().enumerate();
        let records: Vec<ImageRecord> =
            images.map(|(i, row)| record(&text(&row["id"]), i, text_float(&row["score"]).unwrap())).collect();

        let selection = select(&records, &rule(ImageCriterion::Stability, 0.5, Ties::List), 0).unwrap();
        assert_eq!(selection.reliable, list("reliable"));
        assert_eq!(selection.unreliable, list("unreliable"));
    }

    #[test]
    fn ties_are_broken_by_id_or_by_list() {
        let records = [record("b", 0, 0.5), record("a", 1, 0.5), record("c", 2, 0.9)];
        let order = |ties| {
            let selection = select(&records, &rule(ImageCriterion::Stability, 1.0, ties), 0).unwrap();
            selection.reliable.concat()
        };
        assert_eq!(order(Ties::Id), "cab");
        assert_eq!(order(Ties::List), "cba");
    }

    #[test]
    fn every_criterion_reads_its_own_number() {
        let records = [record("low", 0, 0.2), record("high", 1, 0.8)];
        let best =
            |criterion| select(&records, &rule(criterion, 0.5, Ties::Id), 0).unwrap().reliable.concat();
        assert_eq!(best(ImageCriterion::Stability), "high");
        assert_eq!(best(ImageCriterion::Confidence), "low");
        assert_eq!(best(ImageCriterion::Entropy), "low");
        let foreground = ImageSelect { background: false, ..rule(ImageCriterion::Stability, 0.5, Ties::Id) };
        assert_eq!(select(&records, &foreground, 0).unwrap().scores[0].1, 0.4);
    }

    #[test]
    fn an_oracle_without_truth_names_the_image() {
        let mut records = [record("seen", 0, 0.2), record("unseen", 1, 0.8)];
        records[0].truth_miou = Some(0.7);
        let oracle = rule(ImageCriterion::Oracle, 0.5, Ties::Id);
        let error = select(&records, &oracle, 0).unwrap_err();
        assert_eq!(error, ScoreError::NoTruth("unseen".to_owned()));
        records[1].truth_miou = Some(0.1);
        assert_eq!(select(&records, &oracle, 0).unwrap().reliable, ["seen"]);
    }

    #[test]
    fn a_score_that_is_no_number_is_an_error_with_a_name() {
        let records = [record("fine", 0, 0.2), record("broken", 1, f64::NAN)];
        let error = select(&records, &rule(ImageCriterion::Entropy, 0.5, Ties::Id), 0).unwrap_err();
        insta::assert_snapshot!(
            error,
            @"score image `broken` by entropy: its score is NaN; did the teacher diverge?"
        );
    }

    #[test]
    fn random_depends_on_seed_and_id_alone() {
        let records: Vec<ImageRecord> = (0..40).map(|i| record(&format!("image {i}"), i, 0.5)).collect();
        let rule = rule(ImageCriterion::Random, 0.5, Ties::Id);
        let first = select(&records, &rule, 1).unwrap();
        assert_ne!(first, select(&records, &rule, 2).unwrap());
        let fewer = select(&records[..20], &rule, 1).unwrap();
        let kept: Vec<_> =
            first.scores.iter().filter(|(id, _)| fewer.scores.iter().any(|(o, _)| o == id)).collect();
        assert!(fewer.scores.iter().eq(kept));
    }

    proptest! {
        #[test]
        fn the_order_of_records_does_not_matter(
            levels in prop::collection::vec(0u8..4, 0..30),
            fraction in 0.0f64..=1.0,
            by_list: bool,
            seed: u64,
        ) {
            let ties = if by_list { Ties::List } else { Ties::Id };
            let mut records: Vec<ImageRecord> = levels.iter().enumerate()
                .map(|(i, level)| record(&format!("{}", (i * 7) % 31), i, f64::from(*level) / 4.0))
                .collect();
            let rule = rule(ImageCriterion::Stability, fraction, ties);
            let selection = select(&records, &rule, 0).unwrap();
            Stream::at(seed, "test", "", 0, "").shuffle(&mut records);
            prop_assert_eq!(&selection, &select(&records, &rule, 0).unwrap());

            prop_assert_eq!(selection.reliable.len() as u64, share::floor(fraction, levels.len() as u64));
            prop_assert_eq!(selection.reliable.len() + selection.unreliable.len(), levels.len());
            prop_assert!(selection.scores.is_sorted_by(|(_, a), (_, b)| a >= b));
        }
    }

    use crate::base::stream::Stream;
}
