//! Parses the command line and runs the subcommand.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// A response is built from many small allocations, for which the system's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tickerd::cli::main()
}
