//! `tickerd completions` and `tickerd man`: what packages install beside the program.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use super::console::{CliError, print_line};

/// The name of the program in both.
const NAME: &str = "tickerd";

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that will read them
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Directory to write the pages to; it is created
    dir: PathBuf,
}

/// Prints a script that completes the arguments of tickerd.
///
/// # Errors
/// If stdout can't be written.
pub fn print_completions(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), NAME, &mut script);
    print_line(String::from_utf8(script)?.trim_end())
}

/// Writes one manual page for each command.
///
/// # Errors
/// If a page can't be written.
pub fn write_manual(args: &ManArgs) -> Result<(), CliError> {
    let dir = args.dir.display();
    let failed = |error| format!("the pages can't be written to {dir}: {error}");
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    Ok(clap_mangen::generate_to(super::command(), &args.dir).map_err(failed)?)
}
