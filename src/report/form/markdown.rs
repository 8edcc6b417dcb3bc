//! The page: a study's numbers poured into `templates/report.md.jinja`.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use crate::report::answer::answer;
use crate::report::compare::{Comparison, MOST_RESAMPLED};
use crate::report::contrast::SAME_BUDGET;
use crate::report::figures::Figure;
use crate::report::findings::{Findings, references};
use crate::report::grid::{Grid, code, line, plain};
use crate::report::number::{NONE, count, counted, interval, or_none, points, signed};
use crate::report::regime::{BUDGET_ONE_PAIR, Finding, HEADROOM_ONE_PAIR, RegimeCheck};
use crate::report::scores::Scores;
use crate::report::study::{Study, Subset};
use crate::report::{published, sections, sensitivity, sheet};
use crate::spec::claim::claims_digest;
use crate::store::study::Registration;

const TEMPLATE: &str = include_str!("../templates/report.md.jinja");

/// Writes the report of a study as Markdown.
///
/// A pure function: the same facts, in any order of runs, images and code versions, give the same bytes.
///
/// # Panics
/// When a confusion matrix has not as many classes as the study names, which the reader of records has checked.
pub fn markdown(findings: &Findings, figures: &[(&'static str, Figure)]) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let page = environment
        .template_from_str(TEMPLATE)
        .and_then(|page| page.render(values(findings, figures)))
        .expect("the template and its values are part of the program, and every branch of it is tested");
    page + "\n"
}

fn values(findings: &Findings, figures: &[(&'static str, Figure)]) -> Value {
    let linked = |place: &str| {
        let of_place = figures.iter().filter(|(at, _)| *at == place);
        let links: Vec<String> = of_place.map(|(_, figure)| figure.link()).collect();
        (!links.is_empty()).then(|| links.join("\n\n"))
    };
    let Findings { study, scores, regime, contrasts, tables, .. } = findings;
    let (missing, undefined) = (scores.missing(), scores.undefined());
    let (classes, partial) = sections::classes(study, scores);
    let planned = scores.planned();
    let arms: Vec<(String, usize)> =
        study.arms.iter().map(|arm| (arm.name.clone(), scores.runs(&arm.name).count())).collect();
    context! {
        title => title(study, scores, regime.as_ref()),
        question => plain(&study.question),
        description => plain(&study.description),
        answer => answer(findings),
        miou => sections::miou(study, scores).render(),
        spread => planned > 1,
        design => design(study, missing.is_empty() && undefined.is_empty() && study.absent.is_empty()),
        best => sections::looks(scores, study).map(looks),
        oracle => study.arms.iter().any(|arm| arm.oracle),
        arms => sections::arms(study).render(),
        comparisons => comparisons(findings),
        repeated => sections::has_interval(findings),
        planned => planned,
        most_resampled => (findings.compared.len() > MOST_RESAMPLED).then_some(MOST_RESAMPLED),
        unit => if study.splits.len() > 1 { "splits" } else { "seeds" },
        registered => registered(study),
        sensitivity => sensitivity::words(findings),
        claims => filled(&sections::claims(findings)),
        components => filled(&sections::components(findings)),
        many_splits => study.splits.len() > 1 && study.seeds.len() > 1,
        headline => study.headline.to_string(),
        budget_line => regime.as_ref().map(budget_line),
        headroom_line => regime.as_ref().map(headroom_line),
        budget_rule => points(BUDGET_ONE_PAIR),
        headroom_rule => points(HEADROOM_ONE_PAIR),
        same_budget => counted((SAME_BUDGET * 100.0) as usize, "point"),
        contrasts => filled(&sections::contrasts(contrasts)),
        selection => filled(&sections::selection(study, scores)),
        labels => filled(&sections::labels(study, scores)),
        classes => classes.render(),
        partial => partial,
        dash => NONE,
        figures => context! {
            differences => linked("differences"),
            curves => linked("curves"),
            selection => linked("selection"),
            labels => linked("labels"),
            classes => linked("classes"),
            sharing => linked("sharing"),
        },
        sharing => (study.sharing.experiments > 0).then(|| sections::sharing(study).render()),
        unpaired => sections::unpaired(study),
        experiments => match study.sharing.experiments {
            1 => "1 experiment asks".to_owned(),
            n => format!("{} experiments ask", count(n)),
        },
        incomplete => !missing.is_empty(),
        missing => sections::cells(study, &missing),
        undefined => sections::cells(study, &undefined),
        published => published_rows(study),
        published_note => format!("{} {}", published::NOTE, published::settings()),
        sheet => sheet::grid(&sheet::sheet(&sections::sheet_facts(findings, &arms))).render(),
        provenance => sections::provenance(study).render(),
        runs => sections::runs(study, scores).render(),
        tables => sections::tables(tables).render(),
        name => code(&study.name),
        plain_name => line(&study.name).replace('+', " "),
    }
}

/// The title tells at once what a reader must know before any number.
fn title(study: &Study, scores: &Scores, regime: Option<&RegimeCheck>) -> String {
    let planned = scores.planned_in_all();
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
fn comparisons(findings: &Findings) -> Vec<Value> {
    let section = |name: &str| {
        let table = sections::differences(findings, name);
        (!table.is_empty()).then(|| context! { against => code(name), table => table.render() })
    };
    references(findings.study).into_iter().filter_map(section).collect()
}

/// When the claims were written down, and whether they, or the study, were changed.
fn registered(study: &Study) -> Option<String> {
    let last = study.registrations.last()?;
    if last.digest != claims_digest(&study.claims) {
        return Some(
            "These claims are not registered: `stpp exp run` does that before it trains.".to_owned(),
        );
    }
    let known = |found: &Registration| match found.finished {
        0 => "before any of the runs was done".to_owned(),
        finished => format!("when {finished} of {} were done", counted(found.planned as usize, "run")),
    };
    let mut words = format!("Registered {}, as {}.", known(last), code(last.digest.short()));
    if let [earlier @ .., _] = study.registrations.as_slice()
        && !earlier.is_empty()
    {
        let told: Vec<String> = earlier
            .iter()
            .map(|found| {
                let count = counted(found.claims.len(), "claim");
                format!("{} ({count}, {})", code(found.digest.short()), known(found))
            })
            .collect();
        let changed = if earlier.iter().any(|found| found.digest != last.digest) {
            "The claims were changed."
        } else {
            "The study was changed: its arms, seeds, splits or data."
        };
        words += &format!(" **{changed}** Registered earlier: {}.", told.join(", then "));
    }
    Some(words)
}

/// What others published under the study's protocol, on the same images.
fn published_rows(study: &Study) -> Option<String> {
    let rows = published::published(&study.protocol);
    (study.headline == Subset::Val && !rows.is_empty()).then(|| published::grid(&rows).render())
}

fn filled(grid: &Grid) -> Option<String> {
    (!grid.is_empty()).then(|| grid.render())
}

fn budget_line(regime: &RegimeCheck) -> String {
    let alone = "training longer on the labeled images alone";
    let verdict = match (regime.budget_finding(), regime.budget.interval()) {
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
    let verdict = match (regime.headroom_finding(), regime.headroom.interval()) {
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
    let interval = match comparison.interval() {
        Some(found) => format!("{}, n = {}", interval(found), comparison.units()),
        None => format!("no interval, n = {}", comparison.units()),
    };
    let mean = or_none(comparison.mean(), signed);
    format!("{} minus {} is {mean} ({interval})", code(comparison.arm), code(comparison.against))
}
