//! The command line: one module per subcommand.

mod cache;
mod check;
mod console;
mod deletions;
mod demo;
mod exchanges;
mod generate;
mod help;
mod ingest;
mod keys;
mod migrate;
mod open_files;
mod operator;
mod serve;
mod shell;
mod stock_list;
mod stocks;
mod telemetry;
mod tiers;
mod usage;
mod usage_error;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, LogConfig, Parsed};
use console::{CliError, ConfirmationRequired};

/// A market data API that one person can run
#[derive(Debug, Parser)]
#[command(name = "tickerd", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// File of variables (`NAME=value`), read where the environment has no value
    #[arg(long, global = true, value_name = "FILE", help_heading = "Options")]
    env_file: Option<PathBuf>,
    #[command(flatten)]
    log: LogConfig,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    Serve(Box<serve::ServeArgs>),
    /// Check settings, Postgres, Redis and this machine, and say what to do
    ///
    /// Exit codes: 0 if all is well, 1 with warnings, 2 if the server can't work so.
    Check(Box<check::CheckArgs>),
    /// Try everything: its own Postgres and Redis, real sample data, one key per tier, a running
    /// server
    Demo(demo::DemoArgs),
    /// Bring the database's tables up to date
    Migrate(migrate::MigrateArgs),
    /// Issue, find, change, rotate and revoke API keys, and show the audit
    Keys(keys::KeysArgs),
    /// List tiers and set their limits
    Tiers(tiers::TiersArgs),
    /// Load stocks, prices or corporate actions from CSV
    Ingest(ingest::IngestArgs),
    /// Delete bars that are wrong
    Prices(deletions::PricesArgs),
    /// Delete splits and dividends that are wrong
    Actions(deletions::ActionsArgs),
    /// Show the usage of keys
    Usage(usage::UsageArgs),
    /// List and show stocks, and rename, delist and relist them
    Stocks(stocks::StocksArgs),
    /// List exchanges, add them and change their hours and calendars
    Exchanges(exchanges::ExchangesArgs),
    /// Forget cached responses
    Cache(cache::CacheArgs),
    /// Write synthetic history for load tests
    Generate(generate::GenerateArgs),
    /// Print a script that completes arguments in a shell: bash, zsh, fish, elvish or powershell
    Completions(shell::CompletionsArgs),
    /// Write manual pages
    Man(shell::ManArgs),
}

/// The exit code of wrong usage, the same as clap's.
const WRONG_USAGE: u8 = 2;

/// Runs the command line. Exit codes: 0 success; 1 failure, with the reason on stderr as one
/// sentence; 2 wrong usage.
pub fn main() -> ExitCode {
    let parsed = match config::parse() {
        Ok(parsed) => parsed,
        Err(error) => return usage_error::report(&error, command()),
    };
    match run(parsed) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tickerd: {error}");
            if error.is::<ConfirmationRequired>() {
                ExitCode::from(WRONG_USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(Parsed { cli, warnings }: Parsed<Cli>) -> Result<ExitCode, CliError> {
    let traces = if let Command::Serve(args) = &cli.command { Some(&args.traces) } else { None };
    let _telemetry = telemetry::start(&cli.log, traces)?;
    if matches!(cli.command, Command::Serve(_) | Command::Demo(_)) {
        if let Some(file) = &cli.env_file {
            tracing::info!(file = %file.display(), "variables are read from a file as well");
        }
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    }
    let done = match &cli.command {
        Command::Generate(args) => Some(generate::run(args).map_err(CliError::from)),
        Command::Completions(args) => Some(shell::print_completions(args)),
        Command::Man(args) => Some(shell::write_manual(args)),
        _ => None,
    };
    if let Some(done) = done {
        return done.map(|()| ExitCode::SUCCESS);
    }
    // Drives the connections to Postgres and Redis. HTTP has its own threads.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let command = match cli.command {
        // The demo stops its servers after the runtime has ended.
        Command::Demo(args) => {
            return demo::run(args, &cli.log, runtime).map(|()| ExitCode::SUCCESS);
        }
        other => other,
    };
    let result = runtime.block_on(async {
        match command {
            Command::Check(args) => return check::run(*args).await,
            Command::Serve(args) => serve::run(*args, &cli.log).await,
            Command::Migrate(args) => migrate::run(args).await,
            Command::Keys(args) => keys::run(args).await,
            Command::Tiers(args) => tiers::run(args).await,
            Command::Ingest(args) => ingest::run(args).await,
            Command::Prices(args) => deletions::run_prices(args).await,
            Command::Actions(args) => deletions::run_actions(args).await,
            Command::Usage(args) => usage::run(args).await,
            Command::Stocks(args) => stocks::run(args).await,
            Command::Exchanges(args) => exchanges::run(args).await,
            Command::Cache(args) => cache::run(args).await,
            Command::Completions(_) | Command::Man(_) | Command::Generate(_) | Command::Demo(_) => {
                Ok(())
            }
        }
        .map(|()| ExitCode::SUCCESS)
    });
    // Don't wait for a thread that still reads an idle pipe: it would delay the error message.
    runtime.shutdown_background();
    result
}

/// The definition of the command line.
pub fn command() -> clap::Command {
    config::definition::<Cli>()
}
