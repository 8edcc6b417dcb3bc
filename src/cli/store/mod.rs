//! `stpp store`: what looks after a store as a whole.

pub mod args;
mod busy;
mod export;
mod gc;
mod import;
mod verify;

use args::StoreCommand;

use super::failure::Failure;

/// Runs one of the commands.
pub fn run(command: &StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Verify(args) => verify::verify(args),
        StoreCommand::Gc(args) => gc::gc(args),
        StoreCommand::Export(args) => export::export(args),
        StoreCommand::Import(args) => import::import(args),
    }
}

/// A number of bytes for people: `17 bytes`, `3.4 MB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") };
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // What would be shown as 1000.0 is shown as 1.0 of the next unit.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_said_in_units_that_fit() {
        let said = [0, 1, 999, 1000, 999_949, 999_950, 3_400_000, 5_000_000_000_000_000].map(size);
        let expected =
            ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "999.9 kB", "1.0 MB", "3.4 MB", "5000.0 TB"];
        assert_eq!(said, expected);
    }
}
