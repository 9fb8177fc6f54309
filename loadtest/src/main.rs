//! Loads a `tickerd serve` over loopback, case by case, beside what the machine can do, and writes
//! down what it saw.
//!
//! The rooms, in reading order: [`options`] and [`cases`] say what is measured; [`stage`],
//! [`data`], [`keys`] and [`server`] are what it is measured on; [`load`] asks, [`probe`] watches,
//! [`report`] tells.

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

use options::{Cli, Command, Options};

/// Any failure, as the one sentence that it is to its reader.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// 0: done; 1: it failed, and stderr says why in a sentence; 2: it was called wrongly.
fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Bare(args)) => bare::run(&args),
        Some(Command::Sql) => {
            println!("{}", tickerd::store::bars_sql(tickerd::market::Order::Desc));
            Ok(())
        }
        None => run(&cli.options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("loadtest: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // Whichever ends first drops the other, and with it every process that it started.
        tokio::select! {
            done = cases::run(options) => done,
            _ = interrupt.recv() => Err("interrupted: everything that was started has been stopped".into()),
            _ = terminate.recv() => Err("told to end: everything that was started has been stopped".into()),
        }
    });
    runtime.shutdown_background();
    done
}
