//! What it costs that nothing is lost: `cargo bench --bench costs [-- --pairs N]`.
//!
//! - A training with journal and resume points against the same training without, by turns. The median of the ratios is
//!   what checkpointing costs; run it on a quiet machine.
//! - The trace, which both keep: its time alone, as a share of a training's.
//! - What a stage costs beside its work: taking the lease, writing record, costs, environment, clearing away.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use candle_core::Device;
use stpp::base::progress::Quiet;
use stpp::plan::{Kind, Node};
use stpp::run::cadence::Cadence;
use stpp::run::desk::StageDesk;
use stpp::run::event::StageName;
use stpp::run::signal::Stop;
use stpp::run::{Event, Executor, PlannedStudy, Settings, Sink, numerics};
use stpp::spec::ablation::Ablation;
use stpp::spec::{Process, Spec, load};
use stpp::stage::desk::Standing;
use stpp::stage::pixels::PreparedPixels;
use stpp::stage::{self, Context};
use stpp::store::Store;
use stpp::train::trace::Trace;

type Failure = Box<dyn std::error::Error>;

/// Adds the seconds of stages up.
#[derive(Default)]
struct Seconds(f64, usize);

impl Sink for Seconds {
    fn take(&mut self, event: &Event) {
        if let Event::Finished { seconds, .. } = event {
            self.0 += seconds;
            self.1 += 1;
        }
    }
}

fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip_while(|word| word != "--pairs");
    let pairs: usize = words.nth(1).map_or(Ok(7), |count| count.parse())?;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let Spec::Experiment(experiment) = load(&root.join("experiments/synthetic/st.toml"), &[], &Process)?.spec
    else {
        return Err("it is an experiment".into());
    };
    let folder = tempfile::tempdir()?;
    let store = Store::open(&folder.path().join("store"))?;
    let ablation = Ablation::of_experiment("costs", *experiment);
    let study = PlannedStudy::new(ablation, &numerics::class(&Device::Cpu), &store.cache())?;

    let (device, settings) = (Device::Cpu, Settings::default());
    let mut seconds = Seconds::default();
    let mut executor =
        Executor { store: &store, device, sink: &mut seconds, stop: Stop::default(), settings };
    let summary = executor.run(&study)?;
    println!(
        "a stage beside its work: {:.1} ms, over {} stages",
        1e3 * (summary.seconds - seconds.0) / seconds.1 as f64,
        seconds.1
    );

    let teacher = study.graph.nodes().iter().find(|node| node.kind == Kind::Teacher).expect("there is one");
    let (mut alone, mut ratios) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        // The second of two is warmer: each has its turn.
        let (without, with) = if pair % 2 == 0 {
            let without = train(&study, &store, teacher, false)?;
            (without, train(&study, &store, teacher, true)?)
        } else {
            let with = train(&study, &store, teacher, true)?;
            (train(&study, &store, teacher, false)?, with)
        };
        println!("{:.3} s without, {:.3} s with", without.as_secs_f64(), with.as_secs_f64());
        ratios.push(with.as_secs_f64() / without.as_secs_f64());
        alone.push(without.as_secs_f64());
    }
    let steps = teacher.cost.steps;
    println!(
        "journal and resume points: {:.4} of the time without (median of {pairs} pairs)",
        median(ratios)
    );

    let watch = Instant::now();
    let mut trace = Trace::new(steps);
    (1..=steps).for_each(|step| trace.step(step, 1.0 / step as f32, 0.1));
    let share = watch.elapsed().as_secs_f64() / median(alone);
    println!("trace: {:.6} of the time, {} marks in {steps} steps", share, trace.marks().len());
    Ok(())
}

/// How long a training takes, with a desk that keeps what a resume needs, or without.
fn train(study: &PlannedStudy, store: &Store, node: &Node, keeping: bool) -> Result<Duration, Failure> {
    let prepare = node.inputs[0];
    let record = store.record(Kind::Prepare, prepare)?.expect("it is done");
    let dataset = &study.data[&prepare];
    let context = Context {
        store,
        keeps: store,
        key: node.key,
        dataset,
        pixels: Some(PreparedPixels::open(store, dataset, &record)?),
        device: &Device::Cpu,
        weights: &study.weights,
        role: node.role,
        wants: &node.wants,
        inputs: vec![&record],
    };
    let watch = Instant::now();
    if keeping {
        let mut quiet = Seconds::default();
        let sink: Mutex<&mut dyn Sink> = Mutex::new(&mut quiet);
        let (stop, halt) = (Stop::default(), AtomicBool::new(false));
        let name = StageName::of(node, 1, 1, "");
        let running = store.running(node.kind, node.key);
        let cadence = Cadence::new(Settings::default().resume_every);
        let mut desk = StageDesk::new(&sink, (&stop, &halt), &name, node, running, cadence);
        stage::run(&node.work, &context, &mut desk)?;
        desk.close()?.1.remove()?;
    } else {
        stage::run(&node.work, &context, &mut Standing(&mut Quiet::default()))?;
    }
    Ok(watch.elapsed())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
