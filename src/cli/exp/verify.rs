//! `stpp exp verify`: computes stages again and holds every bit against the store.

use std::path::Path;
use std::sync::Mutex;

use crate::cli::args::VerifyArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::find;
use crate::cli::{output, target};
use crate::plan::{Kind, Node, StageKey};
use crate::report::number::counted;
use crate::run::device::choose;
use crate::run::event::StageName;
use crate::run::signal::Stop;
use crate::run::verify::{Verdict, Verifier};
use crate::run::{PlannedStudy, Sink, numerics};
use crate::screen;
use crate::spec::ablation::Ablation;
use crate::store::Store;
use crate::store::lease::Pace;

/// Runs the command.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    check(args)?;
    let store = Store::open_to_read(&args.store.store)?;
    let is_writable = Store::open(&args.store.store).is_ok();
    let mut asked = Asked::of(args, &store)?;
    let chosen = target::device(&args.device, &asked.ablation)?;
    let class = numerics::class(&chosen.device);
    let numerics = asked.numerics.take().unwrap_or_else(|| class.clone());
    let study = PlannedStudy::new(asked.ablation, &numerics, &store.cache())?;
    let chain = asked.run.map(|run| {
        let member = study.stored.members.iter().find(|member| member.run_id.to_string() == run);
        member.map_or_else(Vec::new, |member| member.chain.steps.iter().map(|step| step.key).collect())
    });
    let is_asked = |node: &&Node| {
        let in_run = chain.as_ref().is_none_or(|chain: &Vec<StageKey>| chain.contains(&node.key));
        in_run && (args.stages.is_empty() || args.stages.iter().any(|stage| is_named(node, stage)))
    };
    let nodes: Vec<&Node> = study.graph.nodes().iter().filter(is_asked).collect();
    if nodes.is_empty() {
        let message = format!("failed to find a stage of {} with {}", args.what, args.stages.join(", "));
        return Err(Failure::new(FailureKind::Input, message)
            .hint("--stage takes a kind (retrain), a role (student_1) or the first digits of a key"));
    }
    let stop = Stop::on_signal().map_err(|error| {
        Failure::new(FailureKind::Input, format!("failed to listen for signals: {error}"))
    })?;
    let mut screen = screen::choose(args.quiet, false);
    let sink: Mutex<&mut dyn Sink> = Mutex::new(&mut *screen);
    let (steps, tolerance) = (args.steps, args.tolerance);
    let scratch = if is_writable { store.cache() } else { std::env::temp_dir() };
    let device = chosen.device;
    let verifier = Verifier {
        store: &store,
        device,
        class,
        study: &study,
        scratch,
        steps,
        tolerance,
        stop: stop.clone(),
    };
    // Where nothing can be written, nobody removes anything either.
    let leases = store.leases(Pace::default());
    let _presence = is_writable.then(|| leases.presence(|_| ())).transpose()?;
    let (mut told, mut failure) = (Vec::new(), None);
    for (at, node) in nodes.iter().enumerate() {
        let serves = study.serves.get(&node.key).and_then(|names| names.first().cloned());
        let name = StageName::of(node, at + 1, nodes.len(), &serves.unwrap_or_default());
        match verifier.verify(node, &name, &sink) {
            Ok(verdict) => told.push((name, verdict)),
            Err(error) if error.is_interrupted() => break,
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
        if stop.requested() {
            break;
        }
    }
    drop(screen);
    // What was found before counts, whatever ended it.
    let found = conclude(&told, nodes.len());
    match failure {
        Some(error) if !told.iter().any(|(_, verdict)| verdict.is_damage()) => Err(error.into()),
        _ => found,
    }
}

/// An empty word in a script is a variable that was not set, and no answer may look like a pass then.
fn check(args: &VerifyArgs) -> Result<(), Failure> {
    let wrong = |what: &str| Err(Failure::new(FailureKind::Input, format!("failed to verify: {what}")));
    if args.what.is_empty() || args.stages.iter().any(String::is_empty) {
        return wrong("a name is empty; is a variable of yours not set?");
    }
    if !args.tolerance.is_finite() || args.tolerance < 0.0 {
        return wrong(&format!("--tolerance {} is no share; 1e-3 is the default", args.tolerance));
    }
    let is_spec = Path::new(&args.what).extension().is_some_and(|extension| extension == "toml");
    if !is_spec && !args.sets.is_empty() {
        return wrong(&format!("--set lays values over a spec file, and `{}` is none", args.what));
    }
    Ok(())
}

/// What was asked for.
struct Asked {
    ablation: Ablation,
    /// The numerics class of what is in the store; that of this machine for a spec.
    numerics: Option<String>,
    /// A run's id, where only its stages are meant.
    run: Option<String>,
}

impl Asked {
    fn of(args: &VerifyArgs, store: &Store) -> Result<Self, Failure> {
        if Path::new(&args.what).extension().is_some_and(|extension| extension == "toml") {
            let spec = crate::cli::args::SpecArgs { spec: args.what.clone().into(), sets: args.sets.clone() };
            return Ok(Self { ablation: target::ablation(&spec)?, numerics: None, run: None });
        }
        let mut studies = store.studies(&args.what)?;
        if !studies.is_empty() {
            // Of several numerics classes, that of this machine can be held against it bit by bit.
            let meant = &studies[0].ablation.experiments[0].experiment.run.device;
            let chosen = choose(args.device.device.as_deref().unwrap_or(meant))?;
            let class = numerics::class(&chosen.device);
            let own = studies.iter().position(|study| study.numerics == class).unwrap_or(0);
            let study = studies.swap_remove(own);
            return Ok(Self { ablation: study.ablation, numerics: Some(study.numerics), run: None });
        }
        let (study, member) = find::run(store, &args.what)?;
        let run = Some(member.run_id.to_string());
        Ok(Self { ablation: study.ablation, numerics: Some(study.numerics), run })
    }
}

/// Whether `--stage` means this stage: by its kind, its role, or the first digits of its key.
fn is_named(node: &Node, word: &str) -> bool {
    // `teacher` is a kind and a role: the training is meant, and not all that reads its model.
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == word) {
        return node.kind == kind;
    }
    let role = node.role.map_or("", |role| role.word());
    role == word
        || format!("{} {role}", node.kind) == word
        || (word.len() >= 4 && node.key.to_string().starts_with(word))
}

fn conclude(told: &[(StageName, Verdict)], asked: usize) -> Result<(), Failure> {
    let (mut same, mut missing, mut wrong, mut drifted) = (0, 0, Vec::new(), 0);
    for (name, verdict) in told {
        let stage = format!("{} {}", name.words(), name.key.short());
        match verdict {
            Verdict::Identical { steps } => {
                same += 1;
                let steps = steps.map_or_else(String::new, |(steps, of)| format!(", {steps} of {of} steps"));
                output::result(&format!("{stage}: identical{steps}"));
            }
            Verdict::Drift { words, within } => {
                drifted += 1;
                output::result(&format!("{stage}: {words}"));
                if !within {
                    wrong.push(format!("{stage}: {words}"));
                }
            }
            Verdict::NotDone => {
                missing += 1;
                output::result(&format!("{stage}: not in the store"));
            }
            Verdict::Differs(lines) => {
                let text = format!("{stage}: differs\n    {}", lines.join("\n    "));
                output::result(&text);
                wrong.push(format!("{stage}: {}", lines[0]));
            }
        }
    }
    if !wrong.is_empty() {
        let message =
            format!("{} of {} differ\n  {}", wrong.len(), counted(asked, "stage"), wrong.join("\n  "));
        return Err(Failure::new(FailureKind::Damage, message)
            .hint("`stpp doctor` checks this machine, `stpp store verify` the bytes of the store"));
    }
    if told.len() < asked {
        let message = format!("interrupted after {} of {}", told.len(), counted(asked, "stage"));
        return Err(Failure::new(FailureKind::Interrupted, message)
            .hint("--stage names those to verify; a further call begins with the first again"));
    }
    if missing == asked {
        return Err(Failure::new(
            FailureKind::Input,
            "failed to verify: none of these stages is in the store",
        )
        .hint("`stpp exp run` computes them"));
    }
    let more =
        |count: usize, words: &str| if count > 0 { format!(", {count} {words}") } else { String::new() };
    let drifted = more(drifted, "within the tolerance");
    let missing = more(missing, "not in the store");
    output::result(&format!("identical: {same} of {}{drifted}{missing}", counted(asked, "stage")));
    Ok(())
}
