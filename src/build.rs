//! The build script: writes down what the program is built from, for `run/capture.rs`.
//!
//! It runs when the sources change and not at every commit: what it notes is the commit at the time, and how far the
//! sources were from it. Without git, and without a git that knows this folder, nothing of that is noted.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// What decides what the program is.
const SOURCES: [&str; 3] = ["src", "Cargo.toml", "Cargo.lock"];

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for source in SOURCES {
        writeln!(out, "cargo::rerun-if-changed={source}")?;
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let facts = [
        ("STPP_COMMIT", commit().or_else(packaged_commit).unwrap_or_default()),
        ("STPP_CHANGES", changes().or_else(packaged_changes).unwrap_or_default()),
        ("STPP_RUSTC", output(Command::new(variable("RUSTC")).arg("--version")).unwrap_or_default()),
        ("STPP_TARGET", variable("TARGET")),
        ("STPP_PROFILE", variable("PROFILE")),
    ];
    for (name, value) in facts {
        writeln!(out, "cargo::rustc-env={name}={}", value.lines().next().unwrap_or_default())?;
    }
    Ok(())
}

/// The commit that is checked out, where these sources are git's.
fn commit() -> Option<String> {
    // A package may lie unpacked in a folder that belongs to another repository.
    output(git(&["ls-files", "--error-unmatch", "Cargo.toml"]))?;
    output(git(&["rev-parse", "HEAD"]))
}

/// The commit that a package from a registry was made of.
fn packaged_commit() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"')
        .nth(1)
        .filter(|commit| commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_owned)
}

/// Whether a package was made of more than its commit.
fn packaged_changes() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let is_dirty = text.contains("\"dirty\": true");
    Some(if is_dirty { "unknown" } else { "clean" }.to_owned())
}

/// `clean`, or the digest of what differs from the commit, new files too.
fn changes() -> Option<String> {
    commit()?;
    let plain = ["diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--"];
    let mut differences = output(git(&plain).args(SOURCES))?;
    let new = output(git(&["ls-files", "--others", "--exclude-standard", "--"]).args(SOURCES))?;
    for path in new.lines().filter(|path| Path::new(path).is_file()) {
        let digest = output(git(&["hash-object", "--no-filters", "--"]).arg(path))?;
        differences.push_str(&format!("\n{digest} {path}"));
    }
    if differences.is_empty() { Some("clean".to_owned()) } else { digest(&differences) }
}

fn digest(text: &str) -> Option<String> {
    let mut command = git(&["hash-object", "--stdin"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn git(args: &[&str]) -> Command {
    let mut command = Command::new("git");
    // A hook may have been called for another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// What a command says, if it succeeds.
fn output(mut command: impl std::borrow::BorrowMut<Command>) -> Option<String> {
    let output = command.borrow_mut().stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
