//! Parses the command line and runs the subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    tickerd::cli::main()
}
