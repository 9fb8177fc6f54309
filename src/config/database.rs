//! Knobs of what leads to Postgres.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use secrecy::SecretString;

/// Postgres: the truth.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Postgres")]
pub struct DatabaseConfig {
    /// Where Postgres is: postgres://user:password@host:port/name?sslmode=require
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// Postgres itself, for migrations and loads, where DATABASE_URL leads through a transaction
    /// pooler
    #[arg(long, env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<SecretString>,
    /// What DATABASE_URL and DATABASE_READ_URL lead through: none, or transaction for PgBouncer in
    /// transaction mode and what hosted databases call a pooler. Statements are then sent whole,
    /// since nobody remembers prepared ones
    #[arg(long, env = "DATABASE_POOLER", default_value = "none")]
    pub database_pooler: Pooler,
    /// A PEM file with the certificate authority of Postgres, where the system's do not know it
    #[arg(long, env = "DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,
    /// Connections for requests at most; 2 more are for what runs beside them. A range read takes
    /// under a millisecond: 16 serve thousands a second and leave a small Postgres (100 connections
    /// by default) room for other instances
    #[arg(long, env = "DATABASE_CONNECTIONS_MAX", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub database_connections_max: u32,
    /// To open a connection, TLS and sign-in included. Hosted databases take about 500 ms to wake
    /// up
    #[arg(long, env = "DATABASE_CONNECT_TIMEOUT_MS", default_value_t = 3000)]
    pub database_connect_timeout_ms: u64,
    /// To wait for a free connection: beyond it, the answer is 503 with Retry-After
    #[arg(long, env = "DATABASE_WAIT_TIMEOUT_MS", default_value_t = 3000)]
    pub database_wait_timeout_ms: u64,
    /// Requests that may wait for a connection at once: beyond it, the answer is 503 with
    /// Retry-After, at once. 16 connections serve thousands a second, so that whoever waits among
    /// these is served well within a second
    #[arg(long, env = "DATABASE_QUEUE_MAX", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub database_queue_max: u32,
    /// For one statement of a request, on the server (statement_timeout) and here. Bulk loads are
    /// not bound by it
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT_MS", default_value_t = 5000)]
    pub database_statement_timeout_ms: u64,
    /// For one step of a load: for more rows to be taken, for all of them to be merged. A Postgres
    /// that hangs must not keep a nightly load for ever; 30 million rows are merged in minutes
    #[arg(long, env = "DATABASE_LOAD_TIMEOUT_S", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub database_load_timeout_s: u64,
}

/// What stands between this process and Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pooler {
    /// Nothing that a session would notice.
    None,
    /// A pooler that gives a connection for the length of a transaction.
    Transaction,
}
