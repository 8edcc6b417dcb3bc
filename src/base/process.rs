//! Which process this is, and whether another one still lives.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process, as one on the same machine can recognise it. It names no host and no user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The machine's boot and the process's namespace: two processes with the same one see each other's ids. Empty
    /// where the system tells neither.
    pub machine: String,
    /// The process's id.
    pub id: u32,
    /// When it started, in ticks since the boot: an id is given away again. 0 where the system does not tell.
    pub started: u64,
}

/// This process.
pub fn this() -> Process {
    let id = std::process::id();
    Process { machine: machine(), id, started: started(id).unwrap_or(0) }
}

/// Whether a process still lives; none if it can't be seen from here.
pub fn is_alive(process: &Process) -> Option<bool> {
    if !process.is_here() {
        return None;
    }
    Some(started(process.id) == Some(process.started))
}

impl Process {
    /// Whether it runs, or ran, where this process can see it.
    pub fn is_here(&self) -> bool {
        !self.machine.is_empty() && self.machine == machine()
    }
}

/// The boot's id and the namespace of process ids: containers of one machine share the former only.
fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = fs::read_link("/proc/self/ns/pid");
    match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => format!("{} {}", boot.trim(), namespace.display()),
        _ => String::new(),
    }
}

/// When a process started (`proc_pid_stat(5)`, field 22); none when it is gone, or dead and not yet collected.
fn started(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is a name in parentheses, with whatever its owner put there.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_alive_until_it_ends() {
        assert_eq!(is_alive(&this()), Some(true));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process { id: child.id(), started: started(child.id()).unwrap(), ..this() };
        assert_eq!(is_alive(&process), Some(true));
        assert_eq!(is_alive(&Process { started: process.started + 1, ..process.clone() }), Some(false));
        child.kill().unwrap();
        while started(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert_eq!(is_alive(&process), Some(false), "dead, and not yet collected");
        child.wait().unwrap();
        assert_eq!(is_alive(&process), Some(false));
    }

    #[test]
    fn a_process_of_another_machine_cannot_be_judged() {
        assert_eq!(is_alive(&Process { machine: "another".to_owned(), ..this() }), None);
        assert_eq!(is_alive(&Process { machine: String::new(), ..this() }), None);
    }
}
