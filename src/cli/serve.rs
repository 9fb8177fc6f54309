//! `tickerd serve`: serves the API until SIGTERM or SIGINT.

use clap::Args;

use super::console::CliError;
use super::{check, open_files};
use crate::config::{LogConfig, ServeConfig, TracesConfig};
use crate::http::{Listeners, Server};
use crate::redis::Redis;
use crate::store::Database;

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ServeConfig,
    #[command(flatten)]
    pub traces: TracesConfig,
    /// Bring the database's tables up to date first. Instances that start at the same time wait
    /// for each other
    #[arg(
        long,
        env = "MIGRATE",
        help_heading = "Options",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    migrate: bool,
}

pub async fn run(args: ServeArgs, log: &LogConfig) -> Result<(), CliError> {
    let redis = args.config.redis.server();
    let redis = redis.map_err(|reason| format!("REDIS_URL is not usable: {reason}"))?;
    for note in args.config.database.notes() {
        tracing::info!("{note}");
    }
    if redis.as_ref().is_some_and(|redis| redis.is_rest_token) {
        tracing::info!(
            "Redis is used over TLS at the host of the REST interface, with its token as password: \
             if it is refused, set REDIS_URL to the value that begins with rediss://"
        );
    }
    if args.migrate {
        Database::new(&args.config.database)?.migrate().await?;
    }
    let http = &args.config.http;
    let listeners = Listeners::take(http, &args.config.admin)?;
    let files = open_files::raise_limit();
    let (workers, per_worker) = (http.workers, http.connections_per_worker_max);
    check::before_serving(&args.config.database).await?;
    Redis::check_password(&args.config.redis).await?;
    let server = start(listeners, args.config, log)?;
    if let Some(shortage) = open_files::shortage(files, workers, per_worker) {
        tracing::info!("{shortage}");
    }
    if redis.is_none() {
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
        if address.ip().is_unspecified() {
            tracing::warn!(
                "operators' port: it listens on all addresses (ADMIN_HOST), so metrics and /admin \
                 are open to every network that reaches this machine"
            );
        }
    }
    tracing::info!(%address, "listening");
    Ok(server)
}
