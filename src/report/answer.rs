//! The answer in one paragraph: what is outside the noise, what is not, and what cannot be said.

use super::arm::ArmFacts;
use super::claim::Verdict;
use super::compare::{Comparison, Reading};
use super::contrast::{Contrast, Contrasted};
use super::findings::Findings;
use super::grid::code;
use super::number::{counted, interval, listed, or_none, points, signed};
use super::regime::{Finding, RegimeCheck};
use super::scores::Scores;
use super::stats;
use super::study::Study;

/// The paragraph.
pub fn answer(findings: &Findings) -> String {
    let Findings { study, scores, contrasts, .. } = findings;
    let planned = scores.planned_in_all();
    let missing = scores.missing().len();
    if missing > 0 {
        return format!(
            "None yet: {} of {} are done. What follows is interim; every mean says over how many runs it is, \
             and differences are taken only where both arms have run.",
            planned - missing,
            counted(planned, "run"),
        );
    }
    let mut sentences = vec![setting(study, scores)];
    sentences.extend(claims(findings));
    sentences.extend(contrast_sentence(
        contrasts,
        Contrast::Levels,
        "Image-level against pixel-level selection",
    ));
    sentences.extend(contrast_sentence(contrasts, Contrast::Chance, "Against a random selection"));
    sentences.extend(references(findings));
    sentences.extend(findings.regime.as_ref().and_then(caveat));
    sentences.join(" ")
}

/// How many of the claims hold.
fn claims(findings: &Findings) -> Option<String> {
    let of = |verdict: Verdict| findings.claims.iter().filter(|claim| claim.verdict == verdict).count();
    let verdicts = [Verdict::Supported, Verdict::Refuted, Verdict::Undecided];
    let told = verdicts.into_iter().filter(|verdict| of(*verdict) > 0);
    let told: Vec<String> = told.map(|verdict| format!("{} {}", of(verdict), verdict.word())).collect();
    let count = counted(findings.claims.len(), "claim");
    (!told.is_empty()).then(|| format!("Of {count}: {}.", listed(&told)))
}

/// The methods against the baseline and, where the study has one, against the longer supervised training.
fn references(findings: &Findings) -> Vec<String> {
    let study = findings.study;
    let long =
        study.regime.as_ref().map(|regime| regime.long.as_str()).filter(|long| *long != study.baseline);
    let baseline = Standing::new(findings, &study.baseline, |arm| Some(arm.name.as_str()) != long);
    let mut sentences: Vec<String> = baseline.sentence("the baseline ").into_iter().collect();
    if let Some(long) = long {
        let standing = Standing::new(findings, long, ArmFacts::is_self_training);
        let introduction = "the supervised training as long as a re-training, ";
        if standing.readings() == baseline.readings() && !standing.is_single() {
            sentences.push(format!("The same holds against {introduction}{}.", standing.reference));
        } else {
            sentences.extend(standing.sentence(introduction));
        }
    }
    sentences
}

fn setting(study: &Study, scores: &Scores) -> String {
    let per_arm = match scores.planned() {
        1 => "one run per arm, so that nothing here can be told from noise".to_owned(),
        _ if !study.absent.is_empty() => {
            "arms have different numbers of runs (column n); each difference is read at 95 %, not adjusted for the number of arms"
                .to_owned()
        }
        n => format!(
            "{n} runs per arm ({} × {}); each difference is read at 95 %, not adjusted for the number of arms",
            counted(study.seeds.len(), "seed"),
            counted(study.splits.len(), "split")
        ),
    };
    let undefined = match scores.undefined().len() {
        0 => String::new(),
        n => format!("; {} without a value", counted(n, "run")),
    };
    format!("mIoU on the {} images, in points, after the last epoch; {per_arm}{undefined}.", study.headline)
}

/// Where the methods among the arms stand against one of them.
struct Standing<'a> {
    reference: String,
    /// The reference trains on labeled images alone, and some compared arm trains on pseudo labels.
    supervised: bool,
    compared: Vec<(&'a ArmFacts, &'a Comparison<'a>)>,
}

impl<'a> Standing<'a> {
    fn new(findings: &'a Findings<'a>, name: &'a str, belongs: impl Fn(&ArmFacts) -> bool) -> Self {
        let Findings { study, scores, .. } = findings;
        let methods = study.arms.iter().filter(|arm| !arm.oracle && arm.name != name && belongs(arm));
        let compared: Vec<_> = methods.map(|arm| (arm, findings.compared.of(&arm.name, name))).collect();
        let mean = stats::mean(&scores.values(name, |run| run.miou(study.headline)));
        let supervised = study.arms.iter().any(|arm| arm.name == name && arm.retrainings == 0);
        Self {
            reference: format!("{} ({})", code(name), or_none(mean, points)),
            supervised: supervised && compared.iter().any(|(arm, _)| arm.is_self_training()),
            compared,
        }
    }

    fn readings(&self) -> Vec<(&str, Reading)> {
        self.compared.iter().map(|(arm, comparison)| (arm.name.as_str(), comparison.reading())).collect()
    }

    fn is_single(&self) -> bool {
        let single = |comparison: &Comparison| comparison.reading() == Reading::OneUnit;
        !self.compared.is_empty() && self.compared.iter().all(|(_, comparison)| single(comparison))
    }

    /// The arms of one reading, with their differences.
    fn with(&self, reading: Reading) -> Vec<String> {
        let chosen = self.compared.iter().map(|(_, comparison)| *comparison);
        chosen
            .filter(|comparison| comparison.reading() == reading)
            .map(|comparison| format!("{} ({})", code(comparison.arm), or_none(comparison.mean(), signed)))
            .collect()
    }

    fn sentence(&self, introduction: &str) -> Option<String> {
        let reference = format!("{introduction}{}", self.reference);
        if self.compared.is_empty() {
            return None;
        }
        if self.is_single() {
            let arms = listed(&self.with(Reading::OneUnit));
            return Some(format!(
                "Against {reference}: {arms}; without repetition none of this is evidence."
            ));
        }
        let (higher, lower) = (self.with(Reading::Higher), self.with(Reading::Lower));
        let within = self.with(Reading::WithinNoise);
        let mut parts = vec![match higher.as_slice() {
            [] => "nothing is higher beyond the noise".to_owned(),
            arms => format!("{} {} higher beyond the noise", listed(arms), is_or_are(arms)),
        }];
        if !lower.is_empty() {
            parts.push(format!("{} {} lower beyond it", listed(&lower), is_or_are(&lower)));
        }
        if !within.is_empty() {
            parts.push(format!("{} cannot be told from it", listed(&within)));
        }
        let single = self.with(Reading::OneUnit);
        if !single.is_empty() {
            parts.push(format!("of {} there is no spread, and no evidence", listed(&single)));
        }
        Some(format!("Against {reference}, {}.{}", parts.join("; "), self.verdict()))
    }

    /// What a reader who asks for self-training alone must be told. An interval around 0 is no proof of nothing.
    fn verdict(&self) -> &'static str {
        let trained =
            || self.compared.iter().filter(|(arm, _)| arm.is_self_training()).map(|(_, found)| *found);
        if !self.supervised || trained().any(|found| found.reading() == Reading::Higher) {
            ""
        } else if trained().all(|found| found.mean().is_some_and(|mean| mean <= 0.0)) {
            " Self-training does not beat it here."
        } else {
            " That self-training beats it is not shown."
        }
    }
}

fn is_or_are(subjects: &[String]) -> &'static str {
    if subjects.len() == 1 { "is" } else { "are" }
}

fn contrast_sentence(contrasts: &[Contrasted], contrast: Contrast, introduction: &str) -> Option<String> {
    let told: Vec<String> =
        contrasts.iter().filter(|found| found.contrast == contrast).filter_map(contrast_words).collect();
    (!told.is_empty()).then(|| format!("{introduction}: {}.", told.join("; ")))
}

fn contrast_words(contrasted: &Contrasted) -> Option<String> {
    let comparison = &contrasted.comparison;
    let mean = signed(comparison.mean()?);
    let verdict = match (comparison.reading(), contrasted.contrast) {
        (Reading::Higher, Contrast::Levels) => "image level is better beyond the noise",
        (Reading::Lower, Contrast::Levels) => "pixel level is better beyond the noise",
        (Reading::WithinNoise, Contrast::Levels) => "which level is better cannot be told",
        (Reading::Higher, Contrast::Chance) => "better beyond the noise",
        (Reading::Lower, Contrast::Chance) => "worse beyond the noise",
        (Reading::WithinNoise, Contrast::Chance) => "not to be told from chance",
        (Reading::OneUnit, _) => "a single one, no evidence",
        (Reading::Unknown, _) => return None,
    };
    let unequal = match contrasted.same_budget() {
        Some(false) => ", at unequal budgets",
        _ => "",
    };
    Some(format!(
        "{} minus {} is {}, {verdict}{unequal}",
        code(comparison.arm),
        code(comparison.against),
        comparison.interval().map_or(mean.clone(), |found| format!("{mean} {}", interval(found))),
    ))
}

fn caveat(regime: &RegimeCheck) -> Option<String> {
    let (short, long) = (code(regime.budget.against), code(regime.budget.arm));
    let budget = (regime.budget_finding() == Finding::Failed).then(|| {
        format!(
            "The study is *confounded by budget*: training longer on the labeled images alone already gains, \
             so that a gain over {short} says nothing of pseudo labels; compare with {long}."
        )
    });
    let headroom = (regime.headroom_finding() == Finding::Failed).then(|| {
        format!(
            "The study is *without headroom*: even true masks for the unlabeled images are not clearly better than \
             {long}, so that it cannot rank ways of labeling them."
        )
    });
    let found: Vec<String> = budget.into_iter().chain(headroom).collect();
    (!found.is_empty()).then(|| found.join(" "))
}
