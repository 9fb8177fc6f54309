//! `tickerd serve`: serves the API until it is told to stop.

use std::net::TcpListener;

use clap::Args;

use super::Failure;
use crate::config::{LogConfig, ServeConfig};
use crate::http::{Server, listen};
use crate::store::Database;

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ServeConfig,
    /// Bring the database's tables up to date first; instances that start at once wait for each other
    #[arg(long, env = "MIGRATE", value_parser = clap::builder::BoolishValueParser::new())]
    migrate: bool,
}

pub async fn run(args: ServeArgs, log: &LogConfig) -> Result<(), Failure> {
    if args.migrate {
        Database::new(&args.config.database)?.migrate().await?;
    }
    let listener = listen(&args.config.http)?;
    serve(listener, args.config, log).await
}

/// Says where, and serves.
pub async fn serve(listener: TcpListener, config: ServeConfig, log: &LogConfig) -> Result<(), Failure> {
    let shared = config.redis.redis_url.is_some();
    let server = Server::new(listener, config, log)?;
    let address = server.address()?;
    tracing::info!(%address, "listening");
    if !shared {
        tracing::info!("no REDIS_URL: limits and cache are in process, right for one instance");
    }
    server.run().await?;
    tracing::info!("stopped");
    Ok(())
}
