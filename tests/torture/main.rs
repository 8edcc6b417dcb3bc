//! Whatever happens to the process, the disk or the clock: the same command completes, and the bytes are the same.
//!
//! ```text
//! cargo test --release --features failpoints --test torture
//! STPP_TORTURE=full cargo test --release --features failpoints --test torture
//! ```
//!
//! The program is run once without a fault, with a log of all places that it passes ([`reference`]). Then it is ended at
//! these places and at random times, its disk is filled, its files are damaged, its clock jumps, other processes work
//! beside it; and each time [`place::completes`] wants the tables, the report, every artifact and every record to be
//! what they were. By default a test takes the first, a middle and the last of the places with one name; with
//! `STPP_TORTURE=full` all of them, and two hundred random times.

mod address;
mod clocks;
mod damage;
mod disks;
mod kills;
mod mounts;
mod place;
mod processes;
mod program;
mod reference;
mod secrets;
mod signals;
mod together;

/// Whether everything was asked for.
fn is_full() -> bool {
    std::env::var("STPP_TORTURE").is_ok_and(|word| word == "full")
}
