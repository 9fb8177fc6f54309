//! Measures a `tickerd serve` under load over loopback, case by case, next to a ceiling of the same
//! machine, and writes a report.
//!
//! The modules in reading order: [`options`] and [`cases`] define the measurements; [`stage`],
//! [`data`], [`keys`] and [`server`] prepare what is measured; [`load`] generates load, [`probe`]
//! measures resources, [`report`] writes the results.

#![forbid(unsafe_code)]

mod bare;
mod cases;
mod data;
mod figures;
mod keys;
mod load;
mod options;
mod probe;
mod report;
mod server;
mod stage;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use options::{LoadtestCli, LoadtestCommand, Options};

/// An error whose message is one sentence for the user.
type LoadtestError = Box<dyn std::error::Error + Send + Sync>;

/// Exit codes: 0 success; 1 failure, with the reason on stderr; 2 wrong usage.
fn main() -> ExitCode {
    let cli = LoadtestCli::parse();
    let result = match cli.command {
        Some(LoadtestCommand::Bare(args)) => bare::run(&args),
        Some(LoadtestCommand::Sql) => {
            println!("{}", tickerd::store::bars_sql(tickerd::market::Order::Desc));
            Ok(())
        }
        None => run(&cli.options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), LoadtestError> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // Dropping the cases kills all processes that they started.
        tokio::select! {
            result = cases::run(options) => result,
            _ = interrupt.recv() => Err("interrupted: all started processes are stopped".into()),
            _ = terminate.recv() => Err("terminated: all started processes are stopped".into()),
        }
    });
    runtime.shutdown_background();
    result
}
