//! What a spec takes from around it: variables in locations, and whether the locations must exist.

/// The surroundings a spec is read in.
pub trait Environment {
    /// The value of `${name}`.
    fn var(&self, name: &str) -> Option<String>;

    /// Whether variables must be set and folders and files must be there.
    fn checks_locations(&self) -> bool {
        true
    }
}

/// The process's own variables; everything must be there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process;

impl Environment for Process {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// No variables; `${NAME}` stays as it is, and nothing need be there: for reading a spec on another machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Elsewhere;

impl Environment for Elsewhere {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn checks_locations(&self) -> bool {
        false
    }
}
