//! Live progress on a terminal: one bar over all optimiser steps, one for the stage at hand.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::base::clock::Stopwatch;
use crate::plan::StageKey;
use crate::run::event::StageName;
use crate::run::{Event, Sink};

/// Draws bars on standard error.
#[derive(Default)]
pub struct Bars {
    drawn: MultiProgress,
    all: Option<ProgressBar>,
    /// Stages that run at the moment.
    stages: BTreeMap<StageKey, StageBar>,
}

/// A stage that runs at the moment.
struct StageBar {
    bar: ProgressBar,
    since: Stopwatch,
    miou: Option<f64>,
}

impl Bars {
    fn begin_stage(&mut self, stage: &StageName) {
        let bar = self.drawn.add(ProgressBar::new(1));
        bar.set_style(style("  {prefix:<18} {bar:24.green/dim} {pos}/{len} {msg}"));
        bar.set_prefix(stage.words());
        self.stages.insert(stage.key, StageBar { bar, since: Stopwatch::start(), miou: None });
    }

    fn end_stage(&mut self, stage: &StageName) {
        if let Some(stage) = self.stages.remove(&stage.key) {
            stage.bar.finish_and_clear();
        }
        if let Some(all) = &self.all {
            all.inc(1);
            if all.position() == all.length().unwrap_or_default() {
                all.finish_and_clear();
            }
        }
    }
}

impl Sink for Bars {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Planned { experiments, stages, done, .. } => {
                let bar = self.drawn.add(ProgressBar::new(*stages as u64));
                bar.set_style(style(
                    "{prefix} {bar:30.cyan/dim} {pos}/{len} stages, {elapsed} so far, {eta} to go",
                ));
                bar.set_prefix(format!("{experiments} experiments"));
                bar.set_position(*done as u64);
                bar.reset_eta();
                bar.enable_steady_tick(Duration::from_millis(500));
                self.all = Some(bar);
            }
            Event::Started { stage } => self.begin_stage(stage),
            Event::Advanced { stage, done, total, images, note } => {
                if let Some(StageBar { bar, since, miou }) = self.stages.get(&stage.key) {
                    bar.set_length(*total);
                    bar.set_position(*done);
                    let rate = *images as f64 / since.seconds().max(1e-3);
                    let miou =
                        miou.map_or_else(String::new, |miou| format!("val mIoU {:.2}  ", miou * 100.0));
                    bar.set_message(format!("{note}  {miou}{rate:.0} images/s"));
                }
            }
            Event::Measured { stage, metric, value, .. } if metric == "val/miou" => {
                if let Some(stage) = self.stages.get_mut(&stage.key) {
                    stage.miou = Some(*value);
                }
            }
            Event::Measured { .. } => {}
            Event::Finished { stage, result, seconds } => {
                self.end_stage(stage);
                let line = format!("{:<18} {seconds:>7.1} s  {result:<34} {}", stage.words(), stage.serves);
                drop(self.drawn.println(line.trim_end()));
            }
            Event::Found { stage, .. } => self.end_stage(stage),
            Event::Noted { message } => drop(self.drawn.println(message)),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is ours").progress_chars("━╸─")
}
