//! How much of the machine a stage uses: looked at now and then, written beside its record, compared with nothing.

use crate::base::clock::{self, Stopwatch};
use crate::store::beside::Usage;

/// Looks that are kept of one stage. When there are more, two become one, and the next ones are half as often.
const MOST: usize = 64;
/// Seconds to the first look, and between the first ones.
const FIRST: f64 = 2.0;
/// A stage that took less has no look at its end.
const SHORT: f64 = 1.0;

/// What a stage used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Used {
    /// Processor time, in seconds over all cores.
    pub cpu_seconds: Option<f64>,
    /// The most memory that the process has had, in megabytes.
    pub peak_memory: Option<f64>,
    /// Looks along the way.
    pub samples: Vec<Usage>,
}

/// Looks at this process while a stage runs.
#[derive(Debug)]
pub struct Sampler {
    watch: Stopwatch,
    begin: Option<Reading>,
    last: Option<(f64, Reading)>,
    every: f64,
    next: f64,
    samples: Vec<Usage>,
}

/// What the system says of this process.
#[derive(Debug, Clone, Copy)]
struct Reading {
    cpu_seconds: f64,
    peak_memory: f64,
}

impl Sampler {
    /// Begins with a stage.
    pub fn begin() -> Self {
        let begin = reading();
        Self {
            watch: Stopwatch::start(),
            begin,
            last: begin.map(|reading| (0.0, reading)),
            every: FIRST,
            next: FIRST,
            samples: Vec::new(),
        }
    }

    /// Looks, if it is time to.
    pub fn look(&mut self) {
        let now = self.watch.seconds();
        if now >= self.next {
            self.sample(now);
            self.next = now + self.every;
        }
    }

    /// What was seen.
    pub fn end(mut self) -> Used {
        let now = self.watch.seconds();
        if now >= SHORT {
            self.sample(now);
        }
        let end = reading();
        Used {
            cpu_seconds: end.zip(self.begin).map(|(end, begin)| end.cpu_seconds - begin.cpu_seconds),
            peak_memory: end.map(|end| end.peak_memory),
            samples: self.samples,
        }
    }

    fn sample(&mut self, now: f64) {
        let (Some(reading), Some(memory), Some((then, last))) = (reading(), memory(), self.last) else {
            return;
        };
        if now <= then {
            return;
        }
        let cpu = 100.0 * (reading.cpu_seconds - last.cpu_seconds) / (now - then);
        self.samples.push(Usage { at: clock::unix_millis(), cpu, memory });
        self.last = Some((now, reading));
        if self.samples.len() == MOST {
            let both = |pair: &[Usage]| Usage { cpu: f64::midpoint(pair[0].cpu, pair[1].cpu), ..pair[1] };
            self.samples = self.samples.chunks_exact(2).map(both).collect();
            self.every *= 2.0;
        }
    }
}

#[cfg(unix)]
fn reading() -> Option<Reading> {
    // SAFETY: all bytes of `rusage` may be zero, and `getrusage` writes into the one it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) == 0).then_some(usage)
    }?;
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    // Kilobytes on Linux, bytes on macOS.
    let unit = if cfg!(target_os = "macos") { 1.0 } else { 1024.0 };
    Some(Reading {
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        peak_memory: usage.ru_maxrss as f64 * unit / 1e6,
    })
}

#[cfg(not(unix))]
fn reading() -> Option<Reading> {
    None
}

/// Memory that this process has at the moment, in megabytes, where the system tells.
fn memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn looks_are_thinned_and_a_busy_process_is_seen() {
        let mut sampler = Sampler::begin();
        let since = Stopwatch::start();
        while since.seconds() < 0.05 {
            std::hint::spin_loop();
        }
        for _ in 0..3 * MOST {
            sampler.sample(sampler.watch.seconds());
        }
        assert!(sampler.samples.len() <= MOST && sampler.every > FIRST, "{}", sampler.samples.len());
        let used = sampler.end();
        assert!(used.cpu_seconds.unwrap() > 0.0 && used.peak_memory.unwrap() > 1.0, "{used:?}");
        assert!(used.samples.iter().all(|sample| sample.memory > 1.0 && sample.cpu >= 0.0));
    }

    #[test]
    fn a_short_stage_has_no_looks() {
        let mut sampler = Sampler::begin();
        sampler.look();
        assert!(sampler.end().samples.is_empty());
    }
}
