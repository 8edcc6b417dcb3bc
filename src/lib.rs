//! Reproducible experiments for self-training in semi-supervised semantic segmentation: ST and ST++.
//!
//! *A [`spec`] becomes a [`plan`], [`stage`]s run it, a [`store`] remembers, a [`report`] compares.*
//!
//! ```text
//! selection.toml ─spec─▶ Ablation ─plan─▶ one graph of stages ─run─▶ stages, in order, on a device
//!                                          equal ones merged            │
//!                                               │ done already?         ├─ Event ─▶ screen: bars, lines, JSON
//!                                               ▼                       ├─ journal and resume points, while it lasts
//!                                             store ◀─ artifacts, then the record
//!                                               │
//!                                               ├─▶ report ─▶ HTML, Markdown, LaTeX, JSON; tables (track)
//!                                               └─▶ mlflow ─▶ a server, while it runs or later
//! ```
//!
//! An *experiment* is one fully resolved setting. An *ablation* is a question: arms × seeds × splits, each combination an
//! experiment. Every experiment is a chain of *stages* (`prepare`, `teacher`, `score`, `label`, `select`, `retrain`,
//! `evaluate`), and a stage's key is the digest of all that its bytes depend on: experiments with a key in common share
//! the work. A stage is done when its record is in the store. So a run that was stopped goes on, a changed arm computes
//! what it changed, and a report is a pure function of the store. A stage that was stopped goes on from its working folder,
//! to the same bits; several processes share a store by leases; and what is damaged is told before it is made anew.
//!
//! # The map
//!
//! Modules use those above them; `tests/layers.rs` holds them to it.
//!
//! | module | what it is |
//! |---|---|
//! | [`base`] | digests, canonical JSON, addressed randomness, atomic files, the clock |
//! | [`spec`] | what the user meant: TOML to [`Experiment`](spec::experiment::Experiment) and [`Ablation`](spec::ablation::Ablation), or all problems at once |
//! | [`plan`] | what must be computed: recipes, stage keys, one graph |
//! | [`data`] | images and masks: where they come from, which are labeled, how they reach a training step |
//! | [`nn`] | operations with gradients, ResNet, DeepLabV3+, weights |
//! | [`metric`] | what is measured, each measure in one file |
//! | [`train`] | the loop, SGD, schedule, prediction, evaluation |
//! | [`method`] | the paper, readable beside it: stability, selection by image and by pixel |
//! | [`store`] | artifacts by content, records, studies; journals, resume points, leases; what is damaged, what may go |
//! | [`stage`] | the glue of each kind of stage: the only place where store and learning meet |
//! | [`run`] | binds a plan to files and a device, runs what is missing, computes again what is doubted |
//! | [`track`] | tables under a schema, and Parquet |
//! | [`screen`] | what a person or a program sees of a run |
//! | [`report`] | rows, statistics, claims, pictures, and every form of a report |
//! | [`mlflow`] | what a tracking server shows of the store, and how it gets there |
//! | [`cli`] | what was typed, what is said, how it fails |
//!
//! # Where this differs from the first sketch, and why
//!
//! - **`spec` lies below `data` and `nn`.** Its structs are plain data, so they serve as the one vocabulary: an augmentation
//!   is described by [`spec::augment`] and done by [`data::augment`], and nothing is translated in between. What is hashed
//!   is what is run.
//! - **`report` decides rows, `track` only knows tables.** What a row says needs a study; that rows are sorted, unique and
//!   well typed does not. [`report::rows`] makes the former out of the store, [`track::table`] guards the latter.
//! - **`report` reads artifacts** and so names the types that stages wrote ([`stage::label::Quality`],
//!   [`stage::metrics`], [`method::record`]). A second copy of them would be free to disagree.
//! - **Learning knows no candle above `train`.** [`method`] works on masks and statistics of pixels, so that its tests need no
//!   network; [`stage`] and [`run`] name candle for the device alone.
//! - **A stage's outputs have wishes.** Which checkpoints are kept, and when validation is looked at, changes no other bit, so
//!   it is no part of a key: see [`plan::graph::Want`].
//!
//! - **`mlflow` is a module of its own, above `report`.** What a server shows of a run are its tables, results and report;
//!   under `track`, which the report uses, it would close a circle. It reads the store and nothing else: there is no queue
//!   that a run fills, so that nothing can be lost in one.
//! - **A record holds nothing of its machine.** Two machines of one numerics class write the same record, so that a late
//!   owner's commit changes nothing. What a stage was executed on stands beside it, as costs do.
//! - **A journal lasts as long as its stage.** When the stage is done, its points are an artifact, checked by digest like any
//!   other, and tables are made of that; faults and attempts go to the costs.
//! - **A lease has generations**, each created exclusively: a takeover can't take a younger owner's lease for the dead one's.
//!
//! # In code
//!
//! The stability of an image (paper, Eq. 4) is how little its mask changed between checkpoints of the teacher:
//!
//! ```
//! use stpp::data::image::Mask;
//! use stpp::method::stability::stability;
//!
//! let early = Mask::new(2, 2, vec![0, 0, 1, 1]);
//! let middle = Mask::new(2, 2, vec![0, 1, 1, 1]);
//! let last = Mask::new(2, 2, vec![0, 1, 1, 1]);
//! let stability = stability(&[early, middle, last], 2, true)?;
//! assert_eq!(stability.pairs, [(1.0 / 2.0 + 2.0 / 3.0) / 2.0, 1.0]);
//! # Ok::<(), stpp::method::stability::StabilityError>(())
//! ```

pub mod base;
pub mod cli;
pub mod data;
pub mod method;
pub mod metric;
pub mod mlflow;
pub mod nn;
pub mod plan;
pub mod report;
pub mod run;
pub mod screen;
pub mod spec;
pub mod stage;
pub mod store;
pub mod track;
pub mod train;
