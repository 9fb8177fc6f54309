//! Parses the command line and runs the subcommand.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Answers are made of many small pieces: the system's allocator took an eighth of the server's
/// time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tickerd::cli::main()
}
