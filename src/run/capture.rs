//! On what a stage was executed, for whoever asks why two machines differ. It is compared with nothing.
//!
//! The list is closed: every field below is named, read from where its line says, and nothing else is. No variable of
//! the process's environment, no path, no name of a person, and the name of the host only where it was asked for.

use std::fmt;
use std::path::Path;

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::commit::CODE;
use super::numerics;
use crate::base::digest::Digest;
use crate::base::fs;

/// The dependencies that the program was built with, to the last version.
const LOCK: &str = include_str!("../../Cargo.lock");

/// A program, and the machine it runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// What was built.
    pub program: Program,
    /// What it runs on.
    pub machine: Machine,
}

/// What was built, and from what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Name and version.
    pub version: String,
    /// The commit that was checked out, where git knew.
    pub commit: Option<String>,
    /// `clean`, or the digest of what the sources had beside the commit.
    pub changes: Option<String>,
    /// Digest of Cargo.lock.
    pub lock: Digest,
    /// The compiler.
    pub rustc: String,
    /// The target it compiled for.
    pub target: String,
    /// `release` or `debug`.
    pub profile: String,
    /// The cargo features.
    pub features: Vec<String>,
}

/// What a program runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The numerics class of the device.
    pub numerics: String,
    /// The CPU's name, where the system tells.
    pub cpu: Option<String>,
    /// Those features of the CPU for which kernels exist, in a fixed order.
    pub cpu_features: Vec<String>,
    /// The accelerator's name.
    pub accelerator: Option<String>,
    /// The version of its driver.
    pub driver: Option<String>,
    /// The operating system.
    pub system: String,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The C library.
    pub libc: Option<String>,
    /// The host's name, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl Environment {
    /// This program on this machine, computing on a device.
    pub fn of(device: &Device) -> Self {
        Self { program: Program::this(), machine: Machine::this(device) }
    }

    /// With the name of the host.
    #[must_use]
    pub fn with_host(mut self) -> Self {
        self.machine.host = line_of("/proc/sys/kernel/hostname");
        self
    }
}

impl fmt::Display for Environment {
    /// In one line: program, sources, compiler, machine.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, machine } = self;
        write!(f, "{} ({}, {})", program.version, program.source(), program.rustc)?;
        let parts = [&machine.accelerator, &machine.cpu, &machine.kernel, &machine.host];
        let mut parts = parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
        parts.push(&machine.system);
        write!(f, " on {}", parts.join(", "))
    }
}

impl Program {
    /// This program.
    pub fn this() -> Self {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let features = [
            ("cuda", cfg!(feature = "cuda")),
            ("cudnn", cfg!(feature = "cudnn")),
            ("failpoints", cfg!(feature = "failpoints")),
        ];
        Self {
            version: CODE.to_owned(),
            commit: known(env!("STPP_COMMIT")),
            changes: known(env!("STPP_CHANGES")),
            lock: Digest::of(LOCK.as_bytes()),
            rustc: env!("STPP_RUSTC").to_owned(),
            target: env!("STPP_TARGET").to_owned(),
            profile: env!("STPP_PROFILE").to_owned(),
            features: features.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()).collect(),
        }
    }

    /// The commit, and whether the sources were more than that.
    pub fn source(&self) -> String {
        let short = |digest: &str| digest.chars().take(12).collect::<String>();
        match (self.commit.as_deref().map(short), self.changes.as_deref()) {
            (None, _) => "unknown commit".to_owned(),
            (Some(commit), None | Some("clean")) => format!("commit {commit}"),
            (Some(commit), Some(changes)) => format!("commit {commit} and changes {}", short(changes)),
        }
    }
}

impl Machine {
    /// This machine.
    pub fn this(device: &Device) -> Self {
        let (accelerator, driver) = accelerator(device);
        Self {
            numerics: numerics::class(device),
            cpu: cpu(),
            cpu_features: cpu_features(),
            accelerator,
            driver,
            system: std::env::consts::OS.to_owned(),
            kernel: line_of("/proc/sys/kernel/osrelease"),
            libc: libc_version(),
            host: None,
        }
    }
}

/// The first line of a file of the system, where there is one.
fn line_of(path: &str) -> Option<String> {
    let text = fs::read_text(Path::new(path)).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// The value of a line `name : value` of a text.
fn field(text: &str, name: &str) -> Option<String> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(found, _)| found.trim() == name).map(|(_, value)| value.trim());
    values.next().filter(|value| !value.is_empty()).map(str::to_owned)
}

fn cpu() -> Option<String> {
    field(&fs::read_text(Path::new("/proc/cpuinfo")).ok()?, "model name")
}

fn cpu_features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let features = [
        ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
        ("avx", std::arch::is_x86_feature_detected!("avx")),
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("f16c", std::arch::is_x86_feature_detected!("f16c")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512bw", std::arch::is_x86_feature_detected!("avx512bw")),
        ("avx512vl", std::arch::is_x86_feature_detected!("avx512vl")),
    ];
    #[cfg(target_arch = "aarch64")]
    let features = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("sve", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let features: [(&str, bool); 0] = [];
    features.iter().filter(|(_, there)| *there).map(|(name, _)| (*name).to_owned()).collect()
}

/// The accelerator's name and its driver's version.
fn accelerator(device: &Device) -> (Option<String>, Option<String>) {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => (super::cuda::card_name(card), driver_version()),
        _ => (None, None),
    }
}

/// The version in `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 …`.
#[cfg(any(feature = "cuda", test))]
fn version_in(line: &str) -> Option<String> {
    let is_version =
        |word: &&str| word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    line.split_whitespace().find(is_version).map(str::to_owned)
}

#[cfg(feature = "cuda")]
fn driver_version() -> Option<String> {
    version_in(&line_of("/proc/driver/nvidia/version")?)
}

fn libc_version() -> Option<String> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: glibc returns a text that lives as long as the process.
        let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        Some(format!("glibc {}", version.to_string_lossy()))
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_nothing_of_who_runs_it_and_where() {
        let text = serde_json::to_string(&Environment::of(&Device::Cpu)).unwrap();
        let personal =
            ["USER", "LOGNAME", "HOME", "HOST", "PWD", "PATH", "DIR", "KEY", "TOKEN", "SECRET", "PASS"];
        let mut looked_for = 0;
        for (name, value) in std::env::vars() {
            if value.len() > 3 && personal.iter().any(|part| name.contains(part)) {
                looked_for += 1;
                assert!(!text.contains(&value), "{name} is in it");
            }
        }
        assert!(looked_for > 0, "cargo sets some");
        let host = line_of("/proc/sys/kernel/hostname");
        let hidden = |host: &str| host.len() < 4 || !text.contains(host);
        assert!(host.as_deref().is_none_or(hidden), "the host's name is in it");
        assert!(!text.contains('/') || !text.contains(env!("CARGO_MANIFEST_DIR")), "{text}");
    }

    #[test]
    fn a_host_is_named_where_that_was_asked_for() {
        let environment = Environment::of(&Device::Cpu).with_host();
        assert_eq!(environment.machine.host, line_of("/proc/sys/kernel/hostname"));
    }

    #[test]
    fn it_comes_back_as_it_was_written() {
        let environment = Environment::of(&Device::Cpu);
        let text = serde_json::to_string(&environment).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&text).unwrap(), environment);
        assert_eq!(Environment::of(&Device::Cpu), environment);
    }

    #[test]
    fn one_line_of_many_is_taken() {
        let text = "processor\t: 0\nmodel name\t: A CPU\nserial\t: 77\nmodel name\t: Another\nflags\t:\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A CPU"));
        assert_eq!((field(text, "flags"), field(text, "model")), (None, None));
        let line = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 06:57:49 UTC 2025";
        assert_eq!(version_in(line).as_deref(), Some("580.65.06"));
    }

    #[test]
    fn the_sources_are_named_as_far_as_git_knew() {
        let mut program = Program::this();
        program.commit = None;
        assert_eq!(program.source(), "unknown commit");
        program.commit = Some("0123456789abcdef".to_owned());
        program.changes = Some("clean".to_owned());
        assert_eq!(program.source(), "commit 0123456789ab");
        program.changes = Some("fedcba9876543210".to_owned());
        assert_eq!(program.source(), "commit 0123456789ab and changes fedcba987654");
    }
}
