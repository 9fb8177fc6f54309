//! The command line: one file a subcommand.

mod confirm;
mod demo;
mod generate;
mod ingest;
mod keys;
mod migrate;
mod operator;
mod serve;
mod stocks;
mod telemetry;
mod tiers;
mod usage;
mod usage_error;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{self, LogConfig};
use crate::redis::{Message, Redis};

/// How long a command waits for Redis to tell instances of what it did.
const REDIS_WAIT: Duration = Duration::from_secs(2);

/// A market data API that one person can run
#[derive(Debug, Parser)]
#[command(name = "tickerd", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogConfig,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    Serve(Box<serve::ServeArgs>),
    /// Try everything: its own Postgres and Redis, real sample data, one key per tier, a running
    /// server
    Demo(demo::DemoArgs),
    /// Bring the database's tables up to date
    Migrate(migrate::MigrateArgs),
    /// Issue, find, change, rotate and revoke API keys, and see who did
    Keys(keys::KeysArgs),
    /// List tiers and set their limits
    Tiers(tiers::TiersArgs),
    /// Load stocks, prices or corporate actions from CSV
    Ingest(ingest::IngestArgs),
    /// Show what keys used
    Usage(usage::UsageArgs),
    /// Rename, delist and relist stocks
    Stocks(stocks::StocksArgs),
    /// Write synthetic history for load tests
    Generate(generate::GenerateArgs),
}

/// The exit code that clap has for it, too.
const WRONG_USAGE: u8 = 2;

/// Any failure, as the one sentence that it is to its reader.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command line. 0: done; 1: it failed, and stderr says why in a sentence; 2: it was
/// called wrongly.
pub fn main() -> ExitCode {
    let cli: Cli = match config::parse() {
        Ok(cli) => cli,
        Err(error) => return usage_error::report(&error),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tickerd: {failure}");
            if failure.is::<confirm::ConfirmationRequired>() {
                ExitCode::from(WRONG_USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let traces = if let Command::Serve(args) = &cli.command { Some(&args.traces) } else { None };
    let _telemetry = telemetry::start(&cli.log, traces)?;
    if matches!(cli.command, Command::Serve(_) | Command::Demo(_)) {
        config::warn_about_old_names();
    }
    if let Command::Generate(args) = &cli.command {
        return Ok(generate::run(args)?);
    }
    // Drives the connections to Postgres and Redis; HTTP has threads of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let command = match cli.command {
        // It stops its servers after the runtime has ended.
        Command::Demo(args) => return demo::run(args, &cli.log, runtime),
        other => other,
    };
    let done = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(*args, &cli.log).await,
            Command::Migrate(args) => migrate::run(args).await,
            Command::Keys(args) => keys::run(args).await,
            Command::Tiers(args) => tiers::run(args).await,
            Command::Ingest(args) => ingest::run(args).await,
            Command::Usage(args) => usage::run(args).await,
            Command::Stocks(args) => stocks::run(args).await,
            Command::Generate(_) | Command::Demo(_) => Ok(()),
        }
    });
    // What still reads a pipe that nobody writes to is not waited for: it would keep what failed
    // from being said.
    runtime.shutdown_background();
    done
}

/// Prints a line for a script. A reader that has gone away, as `head` does, wanted no more.
///
/// # Errors
/// When stdout can't be written for any other reason.
fn print_line(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Tells every instance that data changed. Where nobody can be told, they look for themselves in a
/// while.
async fn tell_of_data(redis: Option<Redis>) {
    let Some(redis) = redis else { return };
    if !(redis.wait_until_connected(REDIS_WAIT).await && redis.publish(Message::Look).await.is_ok())
    {
        eprintln!("Redis could not be reached: instances notice the new data within 30 s.");
    }
}

/// The whole command line as clap knows it, for tests that hold the documents to it.
pub fn command() -> clap::Command {
    Cli::command()
}
