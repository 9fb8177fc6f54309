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
    if args.migrate {
        Database::new(&args.config.database)?.migrate().await?;
    }
    let listeners = Listeners::take(&args.config.http, &args.config.admin)?;
    if args.config.redis.redis_url.is_none() {
        tracing::info!("no REDIS_URL: limits and cache are in process, right for one instance");
    }
    let log_stop = |drains| tracing::info!(drains, "stopping");
    serve(listeners, args.config, log, log_stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Logs the addresses and serves until a signal. Calls `on_stop` when the signal arrives, with true
/// if clients get time to reconnect elsewhere.
///
/// # Errors
/// If the server can't start or fails.
pub async fn serve(
    listeners: Listeners,
    config: ServeConfig,
    log: &LogConfig,
    on_stop: impl FnOnce(bool) + Send + 'static,
) -> Result<(), CliError> {
    let has_redis = config.redis.redis_url.is_some();
    let address = listeners.public.local_addr()?;
    let operators = listeners.admin.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
    let server = Server::new(listeners, config, log)?;
    if let Some(address) = operators {
        tracing::info!(%address, "listening for operators");
    }
    tracing::info!(%address, "listening");
    if !has_redis {
        tracing::info!("no REDIS_URL: limits and cache are in process, which suits one instance");
    }
    server.run(on_stop).await?;
    Ok(())
}
