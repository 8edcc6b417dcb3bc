//! The `stpp` program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // SAFETY: this is the first statement of the program; no other thread runs yet.
    unsafe { stpp::nn::threads::keep_candle_single_threaded() };
    stpp::nn::heap::keep_freed_memory();
    stpp::cli::main()
}
