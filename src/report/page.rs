//! The page: a study's numbers poured into `templates/report.md.jinja`.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::TableDigest;
use super::answer::answer;
use super::compare::{self, Comparison};
use super::contrast::{Contrasted, SAME_BUDGET};
use super::markdown::{code, line};
use super::number::{NONE, count, counted, interval, or_none, points, probability, signed};
use super::regime::{BUDGET_ONE_PAIR, Finding, HEADROOM_ONE_PAIR, RegimeCheck};
use super::scores::Scores;
use super::sections;
use super::study::Study;

const TEMPLATE: &str = include_str!("templates/report.md.jinja");

/// Writes the report of a study as Markdown.
///
/// A pure function: the same facts, in any order of runs, images and code versions, give the same bytes.
///
/// # Panics
/// When a confusion matrix has not as many classes as the study names, which the reader of records has checked.
pub fn render(study: &Study, tables: &[TableDigest]) -> String {
    let scores = Scores::new(study);
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let page = environment
        .template_from_str(TEMPLATE)
        .and_then(|page| page.render(values(study, &scores, tables)))
        .expect("the template and its values are part of the program, and every branch of it is tested");
    page + "\n"
}

fn values(study: &Study, scores: &Scores, tables: &[TableDigest]) -> Value {
    let regime = RegimeCheck::new(study, scores);
    let contrasts = Contrasted::all(study, scores);
    let (missing, undefined) = (scores.missing(), scores.undefined());
    let (classes, partial) = sections::classes(study, scores);
    let planned = scores.planned();
    context! {
        title => title(study, scores, regime.as_ref()),
        question => line(&study.question),
        description => line(&study.description),
        answer => answer(study, scores, regime.as_ref(), &contrasts),
        miou => sections::miou(study, scores).render(),
        spread => planned > 1,
        design => design(study, missing.is_empty() && undefined.is_empty()),
        best => sections::looks(scores, study).map(looks),
        oracle => study.arms.iter().any(|arm| arm.oracle),
        arms => sections::arms(study).render(),
        comparisons => comparisons(study, scores),
        repeated => sections::has_interval(study, scores),
        planned => planned,
        least_p => or_none(compare::smallest_p(planned), probability),
        many_splits => study.splits.len() > 1 && study.seeds.len() > 1,
        headline => study.headline.to_string(),
        budget_line => regime.as_ref().map(budget_line),
        headroom_line => regime.as_ref().map(headroom_line),
        budget_rule => points(BUDGET_ONE_PAIR),
        headroom_rule => points(HEADROOM_ONE_PAIR),
        same_budget => counted((SAME_BUDGET * 100.0) as usize, "point"),
        contrasts => filled(&sections::contrasts(&contrasts)),
        selection => filled(&sections::selection(study, scores)),
        labels => filled(&sections::labels(study, scores)),
        classes => classes.render(),
        partial => partial,
        dash => NONE,
        sharing => sections::sharing(study).render(),
        experiments => format!("{} experiments", count(study.sharing.experiments)),
        missing => sections::cells(study, &missing),
        undefined => sections::cells(study, &undefined),
        provenance => sections::provenance(study).render(),
        runs => sections::runs(study, scores).render(),
        tables => sections::tables(tables).render(),
        name => code(&study.name),
        plain_name => line(&study.name),
    }
}

/// The title tells at once what a reader must know before any number.
fn title(study: &Study, scores: &Scores, regime: Option<&RegimeCheck>) -> String {
    let planned = scores.planned() * study.arms.len();
    let missing = scores.missing().len();
    let mut words = Vec::new();
    if missing > 0 {
        words.push(format!("incomplete, {} of {}", planned - missing, counted(planned, "run")));
    }
    words.extend(regime.map(RegimeCheck::names).unwrap_or_default().into_iter().map(str::to_owned));
    if words.is_empty() {
        return line(&study.name);
    }
    format!("{}: *{}*", line(&study.name), words.join("; "))
}

fn design(study: &Study, complete: bool) -> String {
    if !complete {
        return "the runs that have a value (column n)".to_owned();
    }
    let (seeds, splits) = (study.seeds.len(), study.splits.len());
    format!("{} ({} × {})", counted(seeds * splits, "run"), counted(seeds, "seed"), counted(splits, "split"))
}

fn looks((fewest, most): (u64, u64)) -> String {
    if fewest == most { counted(most as usize, "look") } else { format!("{fewest} to {most} looks") }
}

/// Differences to the baseline and, where the study has one, to the longer supervised training.
fn comparisons(study: &Study, scores: &Scores) -> Vec<Value> {
    let long = study.regime.as_ref().map(|regime| regime.long.as_str());
    let mut against = vec![study.baseline.as_str()];
    against.extend(long.filter(|long| *long != study.baseline));
    let section = |name: &str| {
        let table = sections::differences(study, scores, name);
        (!table.is_empty()).then(|| context! { against => code(name), table => table.render() })
    };
    against.into_iter().filter_map(section).collect()
}

fn filled(grid: &super::markdown::Grid) -> Option<String> {
    (!grid.is_empty()).then(|| grid.render())
}

fn budget_line(regime: &RegimeCheck) -> String {
    let alone = "training longer on the labeled images alone";
    let verdict = match (regime.budget_finding(), regime.budget.interval) {
        (Finding::Sound, Some(found)) if found.high > 0.0 => format!(
            "{alone} gains nothing beyond the noise (a gain of up to {} is not excluded)",
            signed(found.high)
        ),
        (Finding::Sound, Some(_)) => format!("{alone} gains nothing beyond the noise"),
        (Finding::Sound, None) => {
            format!(
                "{alone} gains at most the {} points that a single pair may gain",
                points(BUDGET_ONE_PAIR)
            )
        }
        (Finding::Failed, _) => format!(
            "{alone} already gains, so that a gain of self-training over the shorter training may be a gain of \
             training longer: *confounded by budget*"
        ),
        (Finding::Undecided, _) => UNDECIDED.to_owned(),
    };
    format!("{}: {verdict}.", measured(&regime.budget))
}

fn headroom_line(regime: &RegimeCheck) -> String {
    let masks = "true masks for the unlabeled images";
    let verdict = match (regime.headroom_finding(), regime.headroom.interval) {
        (Finding::Sound, Some(_)) => {
            format!("{masks} are better beyond the noise, so that there is something to gain")
        }
        (Finding::Sound, None) => format!(
            "{masks} gain at least the {} points that a single pair must gain, so that there seems to be \
             something to gain",
            points(HEADROOM_ONE_PAIR)
        ),
        (Finding::Failed, _) => format!(
            "{masks} are not clearly better, so that no pseudo label can be expected to be: *without headroom*"
        ),
        (Finding::Undecided, _) => UNDECIDED.to_owned(),
    };
    format!("{}: {verdict}.", measured(&regime.headroom))
}

const UNDECIDED: &str = "not decided, for not every pair has a value";

fn measured(comparison: &Comparison) -> String {
    let interval = match comparison.interval {
        Some(found) => format!("{}, n = {}", interval(found), comparison.pairs),
        None => format!("no interval, n = {}", comparison.pairs),
    };
    let mean = or_none(comparison.mean, signed);
    format!("{} minus {} is {mean} ({interval})", code(comparison.arm), code(comparison.against))
}
