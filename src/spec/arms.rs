//! Lays every arm of an ablation over its base, and checks that arms differ in what they declare and nowhere else.

use super::ablation::{Ablation, Arm, Member};
use super::claim::Images;
use super::data::Split;
use super::diagnostic::Problem;
use super::environment::Environment;
use super::experiment::{About, Experiment};
use super::identity::spec_id;
use super::merge::merge;
use super::read::{self, ArmHead, ClaimHead, Head, SplitBase};
use super::reader::{Context, Line};
use super::schema;
use super::shorthand;
use super::source::Sources;
use super::tree::{Origin, Table, find, leaves};

/// A resolved ablation, and how each arm came to be.
pub struct Resolved {
    /// The ablation.
    pub ablation: Ablation,
    /// Each arm's lines, in the order of the arms.
    pub lines: Vec<Vec<Line>>,
}

/// An arm laid over the base and read.
struct Read {
    experiment: Option<Experiment>,
    base: SplitBase,
    splits: Vec<(String, Split)>,
    lines: Vec<Line>,
}

/// Resolves all arms; `None` when there are problems, which are added to `problems`.
pub fn resolve(
    head: Head,
    base: &Table,
    sources: &Sources,
    environment: &dyn Environment,
    problems: &mut Vec<Problem>,
) -> Option<Resolved> {
    let context = Context::new(sources, environment);
    for arm in &head.arms {
        arm_is_declared(&context, &head, arm, base);
    }
    problems.extend(context.problems());

    let read: Vec<Read> =
        head.arms.iter().map(|arm| lay(&head, arm, base, sources, environment, problems)).collect();
    if head.arms.is_empty() {
        // Without arms there is still a base whose problems can be told.
        let context = Context::new(sources, environment);
        read::experiment(&context, base);
        problems.extend(context.problems());
    }
    let baseline = head.arms.iter().position(|arm| arm.name == head.baseline);
    if let Some(baseline) = baseline {
        for (index, arm) in head.arms.iter().enumerate() {
            problems.extend(hidden_differences(&head, arm, &read[index].lines, &read[baseline].lines));
        }
    }
    problems.extend(head.claims.iter().flat_map(|claim| unfit_claim(&head, claim, &read, baseline)));
    // An arm with a problem was read with defaults in its place, and may only look like another.
    if problems.is_empty() {
        problems.extend(same_experiments(&head.arms, &read));
    }
    if !problems.is_empty() {
        return None;
    }
    Some(gather(head, read, baseline?))
}

/// Every key that an arm sets must be a declared factor; an arm that sets nothing can only be the baseline.
fn arm_is_declared(context: &Context<'_>, head: &Head, arm: &ArmHead, base: &Table) {
    let baseline = head.arms.iter().find(|other| other.name == head.baseline);
    let set = leaves(&arm.layer, "");
    if set.is_empty() && arm.name != head.baseline {
        let problem = Problem::new(format!("arm \"{}\" sets nothing", arm.name)).at(&arm.key);
        context.report(
            problem.label("this is the base itself").help("only the baseline may leave the base as it is"),
        );
    }
    for (path, node) in set {
        // A key that does not exist is explained when the arm is read.
        if !schema::is_key(&path) || covered(&head.factors, &path) {
            continue;
        }
        let problem =
            Problem::new(format!("arm \"{}\" sets `{path}`, which is no declared factor", arm.name));
        let mut problem =
            problem.at(&node.key).label("set here").context(&head.factors_origin, "declared here");
        let own = baseline.filter(|other| other.name != arm.name).and_then(|other| find(&other.layer, &path));
        if let Some(other) = own.or_else(|| find(base, &path)) {
            problem = problem.context(&other.key, "the baseline has this");
        }
        context.report(problem.help(format!("add \"{path}\" to `factors`, or set it for all arms alike")));
    }
}

fn covered(factors: &[String], path: &str) -> bool {
    factors.iter().any(|factor| {
        path.strip_prefix(factor.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn lay(
    head: &Head,
    arm: &ArmHead,
    base: &Table,
    sources: &Sources,
    environment: &dyn Environment,
    problems: &mut Vec<Problem>,
) -> Read {
    let mut layer = arm.layer.clone();
    shorthand::expand(&mut layer);
    let mut tree = base.clone();
    merge(&mut tree, layer, "");
    let context = Context::new(sources, environment);
    let found = read::experiment(&context, &tree);
    let mut splits = Vec::new();
    if let Some(experiment) = &found.experiment {
        let nodes = head.splits.iter().flatten();
        splits.extend(nodes.filter_map(|node| found.base.named(&context, node, &experiment.split)));
    }
    problems.extend(context.problems());
    Read { experiment: found.experiment, base: found.base, splits, lines: context.lines() }
}

/// What a preset changes without being declared: `method.name = "plain"` also sets `augment.strong.on`.
fn hidden_differences(head: &Head, arm: &ArmHead, lines: &[Line], baseline: &[Line]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for line in lines {
        let Some(other) = baseline.iter().find(|other| other.key == line.key) else { continue };
        if other.value == line.value || covered(&head.factors, &line.key) {
            continue;
        }
        let (Some(blamed), whose) = (match (&line.origin, &other.origin) {
            (Origin::Preset { .. }, _) => (Some(&line.origin), format!("\"{}\"", arm.name)),
            (_, Origin::Preset { .. }) => (Some(&other.origin), "the baseline".to_owned()),
            _ => (None, String::new()),
        }) else {
            continue;
        };
        let message = format!(
            "arm \"{}\" differs from the baseline in `{}`, which is no declared factor",
            arm.name, line.key
        );
        let value = if std::ptr::eq(blamed, &line.origin) { &line.value } else { &other.value };
        let mut problem =
            Problem::new(message).label(format!("for {whose} this sets {} = {value}", line.key));
        problem.place = blamed.place().cloned().map(Box::new);
        let (of, its) = if std::ptr::eq(blamed, &line.origin) {
            (format!("for the baseline it is {}", other.value), &other.origin)
        } else {
            (format!("for \"{}\" it is {}", arm.name, line.value), &line.origin)
        };
        let problem = problem.context(its, of).context(&head.factors_origin, "declared here");
        let table = line.key.rsplit_once('.').map_or(line.key.as_str(), |(table, _)| table);
        problems.push(problem.help(format!("add \"{}\" or \"{table}\" to `factors`", line.key)));
    }
    problems
}

/// A claim about an arm that saw true masks, about images that nobody evaluates, or about a split that is none.
fn unfit_claim(head: &Head, claim: &ClaimHead, read: &[Read], baseline: Option<usize>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, origin) in [(&claim.claim.better, &claim.better), (&claim.claim.than, &claim.than)] {
        let arm = head.arms.iter().zip(read).find(|(arm, _)| arm.name == *name);
        if arm.and_then(|(_, read)| read.experiment.as_ref()).is_some_and(|found| found.method.is_oracle()) {
            let problem = Problem::new(format!("a claim names the arm \"{name}\", which sees true masks"));
            let problem = problem.at(origin).label("an oracle");
            problems.push(problem.help("an oracle is a ceiling and no side of a claim"));
        }
    }
    let Some(base) = baseline.map(|baseline| &read[baseline]) else { return problems };
    if claim.claim.on == Some(Images::Test)
        && base.experiment.as_ref().is_some_and(|experiment| !experiment.has_test())
    {
        let problem = Problem::new("a claim is about test images, and there are none").at(&claim.on);
        problems
            .push(problem.label("no such images").help("write on = \"val\", or name test images in [data]"));
    }
    if claim.claim.on == Some(Images::Val)
        && base.experiment.as_ref().is_some_and(|experiment| !experiment.has_val())
    {
        let problem = Problem::new("a claim is about validation images, and there are none").at(&claim.on);
        problems.push(problem.label("no such images").help("leave `on` out, or draw some: data.val"));
    }
    let labels: Vec<&str> = match &head.splits {
        Some(_) => base.splits.iter().map(|(label, _)| label.as_str()).collect(),
        None => vec![base.base.label.as_str()],
    };
    if let Some(split) = claim.claim.split.as_deref().filter(|split| !labels.contains(split)) {
        let problem =
            Problem::new(format!("a claim is about the split \"{split}\", which is none of the ablation"));
        let problem = problem.at(&claim.split).label("no such split");
        problems.push(problem.help(format!("splits: {}", labels.join(", "))));
    }
    problems
}

/// Two arms that are one experiment would be one row with two names.
fn same_experiments(arms: &[ArmHead], read: &[Read]) -> Vec<Problem> {
    let ids: Vec<_> = read.iter().map(|read| read.experiment.as_ref().map(spec_id)).collect();
    let mut problems = Vec::new();
    for (second, id) in ids.iter().enumerate() {
        let Some(first) = ids[..second].iter().position(|earlier| earlier.is_some() && earlier == id) else {
            continue;
        };
        let (first, second) = (&arms[first], &arms[second]);
        let problem =
            Problem::new(format!("arms \"{}\" and \"{}\" are the same experiment", first.name, second.name));
        let problem = problem.at(&second.key).label("the same as").context(&first.key, "this one");
        problems
            .push(problem.help("what differs between them is not used by their recipe; keep one of them"));
    }
    problems
}

fn gather(head: Head, read: Vec<Read>, baseline: usize) -> Resolved {
    let own = |read: &Read| read.experiment.clone().expect("an arm without problems has an experiment");
    let seeds = head.seeds.unwrap_or_else(|| vec![own(&read[baseline]).seed]);
    let splits: Vec<String> = match &head.splits {
        Some(_) => read[baseline].splits.iter().map(|(label, _)| label.clone()).collect(),
        None => vec![read[baseline].base.label.clone()],
    };
    let mut experiments = Vec::new();
    for seed in &seeds {
        for (index, label) in splits.iter().enumerate() {
            for (arm, read) in head.arms.iter().zip(&read) {
                let mut experiment = own(read);
                experiment.seed = *seed;
                if let Some((_, split)) = read.splits.get(index) {
                    experiment.split = split.clone();
                }
                experiment.about = About { description: arm.about.clone(), tags: experiment.about.tags };
                experiments.push(Member {
                    arm: arm.name.clone(),
                    seed: *seed,
                    split: label.clone(),
                    experiment,
                });
            }
        }
    }
    let arms = head.arms.into_iter().zip(&read).map(|(arm, read)| Arm {
        name: arm.name,
        description: arm.about,
        oracle: own(read).method.is_oracle(),
    });
    let ablation = Ablation {
        name: head.name,
        question: head.question,
        description: head.description,
        baseline: head.baseline,
        factors: head.factors,
        seeds,
        splits,
        arms: arms.collect(),
        regime: head.regime,
        claims: head.claims.into_iter().map(|head| head.claim).collect(),
        noise: head.noise,
        experiments,
    };
    Resolved { ablation, lines: read.into_iter().map(|read| read.lines).collect() }
}
