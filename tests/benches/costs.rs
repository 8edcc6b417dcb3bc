//! What it costs that nothing is lost: `cargo bench --bench costs [-- --pairs N]`.
//!
//! - A training with journal and resume points against the same training without, by turns, on one thread, which is
//!   steadier than two. The median of the ratios is what checkpointing costs; run it on a quiet machine. Beside it, the
//!   share of the time that was spent in the calls that keep something, which is less noisy and leaves side effects out.
//!   Once as by default, and once with a resume point as often as one a second would be asked for.
//! - The trace, which both keep: its time alone, as a share of a training's.
//! - What a stage costs beside its work: taking the lease, writing record, costs, environment, clearing away.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use candle_core::Device;
use stpp::base::digest::Digest;
use stpp::base::progress::{Progress, Quiet};
use stpp::plan::{Kind, Node};
use stpp::run::cadence::Cadence;
use stpp::run::desk::{StageDesk, Stops};
use stpp::run::event::StageName;
use stpp::run::signal::Stop;
use stpp::run::usage::Sampler;
use stpp::run::{Event, Executor, PlannedStudy, Settings, Sink, numerics};
use stpp::spec::ablation::Ablation;
use stpp::spec::{Process, Spec, load};
use stpp::stage::desk::Desk;
use stpp::stage::pixels::PreparedPixels;
use stpp::stage::{self, Context};
use stpp::store::running::{ResumeHead, ResumePoint};
use stpp::store::{Store, StoreError};
use stpp::train::evaluate::Kept;
use stpp::train::trace::Trace;

type Failure = Box<dyn std::error::Error + Send + Sync>;

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
    let pairs: usize = words.nth(1).map_or(Ok(11), |count| count.parse())?;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let Spec::Experiment(experiment) =
        load(&root.join("experiments/synthetic/st.toml"), &["train.iterations=300".to_owned()], &Process)?
            .spec
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
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let train = |every: Option<Duration>| pool.install(|| train(&study, &store, teacher, every));
    let mut alone = Vec::new();
    for every in [Settings::default().resume_every, Duration::from_secs(1)] {
        let (mut ratios, mut shares) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            // The second of two is warmer: each has its turn.
            let (without, with) = if pair % 2 == 0 {
                let without = train(None)?;
                (without, train(Some(every))?)
            } else {
                let with = train(Some(every))?;
                (train(None)?, with)
            };
            ratios.push(with.seconds / without.seconds);
            shares.push(with.keeping / with.seconds);
            alone.push(without.seconds);
        }
        println!(
            "a resume point every {} s: {:.4} of the time without (median of {pairs} pairs); {:.2} % of it in calls that \
             keep",
            every.as_secs(),
            median(ratios),
            100.0 * median(shares)
        );
    }
    let steps = teacher.cost.steps;

    let watch = Instant::now();
    let mut trace = Trace::new(steps);
    (1..=steps).for_each(|step| trace.step(step, 1.0 / step as f32, 0.1));
    let share = watch.elapsed().as_secs_f64() / median(alone);
    println!("trace: {:.6} of the time, {} marks in {steps} steps", share, trace.marks().len());
    Ok(())
}

/// What a training took, in seconds.
struct Took {
    seconds: f64,
    /// In calls that keep something.
    keeping: f64,
}

/// Trains with a desk that keeps what a resume needs, or without.
fn train(study: &PlannedStudy, store: &Store, node: &Node, every: Option<Duration>) -> Result<Took, Failure> {
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
    let Some(every) = every else {
        stage::run(&node.work, &context, &mut Quiet::default())?;
        return Ok(Took { seconds: watch.elapsed().as_secs_f64(), keeping: 0.0 });
    };
    let mut quiet = Seconds::default();
    let sink: Mutex<&mut dyn Sink> = Mutex::new(&mut quiet);
    let (stop, halt) = (Stop::default(), AtomicBool::new(false));
    let name = StageName::of(node, 1, 1, "");
    let running = store.running(node.kind, node.key);
    let desk = StageDesk::new(
        &sink,
        Stops { user: &stop, halt: &halt, lease: None },
        &name,
        node,
        running,
        Cadence::new(every),
        Sampler::begin(),
    );
    let mut timed = Timed { desk, spent: Duration::ZERO };
    stage::run(&node.work, &context, &mut timed)?;
    let Timed { desk, spent } = timed;
    desk.close()?.1.remove()?;
    Ok(Took { seconds: watch.elapsed().as_secs_f64(), keeping: spent.as_secs_f64() })
}

/// A desk whose calls that keep something are timed.
struct Timed<D> {
    desk: D,
    spent: Duration,
}

impl<D: Desk> Timed<D> {
    fn time<T>(&mut self, call: impl FnOnce(&mut D) -> T) -> T {
        let watch = Instant::now();
        let result = call(&mut self.desk);
        self.spent += watch.elapsed();
        result
    }
}

impl<D: Desk> Progress for Timed<D> {
    fn advance(&mut self, done: u64, total: u64, note: &str) {
        self.desk.advance(done, total, note);
    }

    fn metric(&mut self, key: &str, step: u64, value: f64) {
        self.time(|desk| desk.metric(key, step, value));
    }

    fn note(&mut self, message: &str) {
        self.desk.note(message);
    }

    fn stop_requested(&self) -> bool {
        self.desk.stop_requested()
    }
}

impl<D: Desk> Desk for Timed<D> {
    fn resume(
        &mut self,
        suits: &mut dyn FnMut(&ResumeHead) -> bool,
    ) -> Result<Option<ResumePoint>, StoreError> {
        self.time(|desk| desk.resume(suits))
    }

    fn is_due(&self, ends_epoch: bool) -> bool {
        self.desk.is_due(ends_epoch)
    }

    fn keep(&mut self, point: ResumePoint) -> Result<(), StoreError> {
        self.time(|desk| desk.keep(point))
    }

    fn images(&mut self, identity: Digest) -> Result<Box<dyn Kept>, StoreError> {
        self.time(|desk| desk.images(identity))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
