//! `tickerd serve`: serves the API until SIGTERM or SIGINT.

use clap::Args;

use super::console::CliError;
use crate::config::{LogConfig, ServeConfig, TracesConfig};
use crate::http::{Listeners, Server};
use crate::store::Database;

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ServeConfig,
    #[command(flatten)]
    pub traces: TracesConfig,
    /// Bring the database's tables up to date first. Instances that start at the same time wait
    /// for each other
    #[arg(long, env = "MIGRATE", value_parser = clap::builder::BoolishValueParser::new())]
    migrate: bool,
}

pub async fn run(args: ServeArgs, log: &LogConfig) -> Result<(), CliError> {
    for note in args.config.database.notes() {
        tracing::info!("{note}");
    }
    if args.migrate {
        Database::new(&args.config.database)?.migrate().await?;
    }
    let listeners = Listeners::take(&args.config.http, &args.config.admin)?;
    let has_redis = args.config.redis.server()?.is_some();
    let server = start(listeners, args.config, log)?;
    if !has_redis {
        tracing::info!("no REDIS_URL: limits and cache are in process, which suits one instance");
    }
    server.run(|drains| tracing::info!(drains, "stopping")).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Builds the server, and logs its addresses.
///
/// # Errors
/// If the server can't start.
pub fn start(
    listeners: Listeners,
    config: ServeConfig,
    log: &LogConfig,
) -> Result<Server, CliError> {
    let address = listeners.public.local_addr()?;
    let operators = listeners.admin.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
    let server = Server::new(listeners, config, log)?;
    if let Some(address) = operators {
        tracing::info!(%address, "listening for operators");
    }
    tracing::info!(%address, "listening");
    Ok(server)
}
