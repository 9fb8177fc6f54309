//! `tickerd check`: looks at everything that `tickerd serve` needs, and says what to do.

mod clock;
mod finding;
mod machine;
mod postgres;
mod redis;

use std::process::ExitCode;

use clap::Args;

use super::console::{CliError, print_line};
use crate::config::{DatabaseConfig, ServeConfig};
use crate::store::{Database, StoreError};
use finding::{Finding, Level};

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Print the findings as one JSON object on stdout
    #[arg(long, help_heading = "Options")]
    json: bool,
    #[command(flatten)]
    config: ServeConfig,
}

/// Prints what it finds. The exit code is 0 if all is well, 1 with warnings only, 2 if the server
/// can't work.
///
/// # Errors
/// If stdout can't be written.
pub async fn run(args: CheckArgs) -> Result<ExitCode, CliError> {
    let config = &args.config;
    let mut findings = vec![Finding::new("configuration", Level::Ok, "every setting can be read")];
    let notes = config.database.notes().into_iter();
    findings.extend(notes.map(|note| Finding::new("configuration", Level::Ok, note)));
    let (postgres, redis) =
        tokio::join!(postgres::check(&config.database), redis::check(&config.redis));
    findings.extend(postgres);
    findings.extend(redis);
    findings.extend(machine::check(&config.http, &config.admin));
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    if args.json {
        let report = serde_json::json!({ "result": worst, "findings": findings });
        print_line(&report.to_string())?;
    } else {
        for Finding { part, level, message } in &findings {
            print_line(&format!("{level:8} {part:14} {message}"))?;
        }
    }
    Ok(match worst {
        Level::Ok => ExitCode::SUCCESS,
        Level::Warning => ExitCode::from(1),
        Level::Wrong => ExitCode::from(2),
    })
}

/// The part of the check that the start of a server waits for.
///
/// # Errors
/// If waiting can't mend what is wrong with Postgres. Anything else is logged: the server starts,
/// and is ready when Postgres is.
pub async fn before_serving(config: &DatabaseConfig) -> Result<(), StoreError> {
    let inspection = match Database::inspect(config).await {
        Err(error) if error.is_permanent() => return Err(error),
        // The server says so itself, as it does later on.
        Err(_) => return Ok(()),
        Ok(inspection) => inspection,
    };
    if !inspection.has_tables {
        tracing::error!(
            "the database has no tables: run tickerd migrate, or start with --migrate; until then \
             requests get 503"
        );
    } else if !inspection.pending_migrations.is_empty() {
        let pending = inspection.pending_migrations.join(", ");
        tracing::error!(pending, "the tables are of an older release: run tickerd migrate");
    }
    let grants = inspection.missing_grants();
    if !grants.is_empty() {
        tracing::error!(
            "the role of the server lacks rights; run deploy/roles.sql, or: {}",
            grants.join("; ")
        );
    }
    Ok(())
}
