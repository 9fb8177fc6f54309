//! `tickerd migrate`: creates and updates the tables.

use clap::Args;

use super::console::{CliError, print_line};
use crate::config::DatabaseConfig;
use crate::store::Database;

#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseConfig,
    /// Print the applied migrations as one JSON object on stdout
    #[arg(long, help_heading = "Options")]
    json: bool,
}

pub async fn run(args: MigrateArgs) -> Result<(), CliError> {
    let applied = Database::new(&args.database)?.migrate().await?;
    if args.json {
        print_line(&serde_json::json!({ "applied": applied }).to_string())?;
    } else if applied.is_empty() {
        eprintln!("The tables are up to date.");
    } else {
        eprintln!("Applied {}.", applied.join(", "));
    }
    Ok(())
}
