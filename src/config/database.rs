//! Settings of the connections to Postgres.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use super::Pooler;
use super::{PostgresUrl, count, milliseconds};

/// Postgres, which holds all data.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Postgres")]
pub struct DatabaseConfig {
    /// Connection URL of Postgres, `postgres://user:password@host:port/name`
    ///
    /// Without `sslmode`, connections to this machine use no TLS, and connections to other machines
    /// use TLS if the server offers it. `?sslmode=require` enforces TLS. Certificates are always
    /// verified. To survive a failover, name all servers:
    /// `host1:5432,host2:5432` with `target_session_attrs=read-write`. Parameters that other
    /// programs need, such as `connection_limit`, are left out.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: PostgresUrl,
    /// URL that bypasses a transaction pooler, for migrations and loads; by default `DATABASE_URL`
    ///
    /// For the poolers of Neon and Supabase the default is the server past the pooler, which their
    /// host names tell.
    #[arg(long, env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub database_direct_url: Option<PostgresUrl>,
    /// Pooler in front of Postgres: `none` or `transaction`; by default what `DATABASE_URL` tells
    ///
    /// `pgbouncer=true` in the URL, a host of Neon with `-pooler`, and port 6543 of Supabase tell
    /// of a transaction pooler; any other URL is taken for Postgres itself. `transaction` suits
    /// PgBouncer in transaction mode and the poolers of hosted databases. It
    /// applies to `DATABASE_URL` and `DATABASE_READ_URL`. Statements are then sent whole, because
    /// such a pooler keeps no prepared statements. Statement time-outs are enforced by tickerd
    /// alone.
    #[arg(long, env = "DATABASE_POOLER")]
    pub database_pooler: Option<Pooler>,
    /// PEM file with the certificate of Postgres or of its authority; by default the system's
    ///
    /// `sslrootcert=FILE` in a URL has the same effect.
    #[arg(long, env = "DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,
    /// Maximum connections that serve requests
    ///
    /// Two more connections serve background tasks, so that these continue when all others are
    /// busy. A range read takes less than a millisecond: 16 connections serve thousands of requests
    /// a second, and leave a small Postgres (100 connections by default) room for other instances.
    #[arg(
        long,
        env = "DATABASE_CONNECTIONS_MAX",
        default_value_t = 16,
        value_parser = count(10_000)
    )]
    pub database_connections_max: u32,
    /// Time-out to open a connection, including TLS and sign-in
    ///
    /// Hosted databases take about 500 ms to wake up.
    #[arg(long, env = "DATABASE_CONNECT_TIMEOUT_MS", default_value_t = 3000)]
    pub database_connect_timeout_ms: u64,
    /// Time-out to wait for a free connection; after it, the response is 503 with `Retry-After`
    #[arg(long, env = "DATABASE_WAIT_TIMEOUT_MS", default_value_t = 3000)]
    pub database_wait_timeout_ms: u64,
    /// Maximum requests that wait for a connection; beyond it, 503 with `Retry-After` at once
    ///
    /// 16 connections serve thousands of requests a second, so each request in a queue of 1000 is
    /// served well within a second.
    #[arg(
        long,
        env = "DATABASE_QUEUE_MAX",
        default_value_t = 1000,
        value_parser = count(1_000_000)
    )]
    pub database_queue_max: u32,
    /// Maximum connections at once that read all stocks: searches, lists, market days, the status
    ///
    /// Such a statement takes up to 0.1 s for 20,000 stocks, a range read less than 1 ms. More of
    /// them wait, so that they leave processors and connections of Postgres to other requests.
    /// Beyond 100 that wait, or after `DATABASE_WAIT_TIMEOUT_MS`, the response is 503 with
    /// `Retry-After`.
    #[arg(long, env = "DATABASE_SCANS_MAX", default_value_t = 4, value_parser = count(10_000))]
    pub database_scans_max: u32,
    /// Time-out of one statement of a request
    ///
    /// Both the server (`statement_timeout`) and tickerd enforce it. Loads are exempt.
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT_MS", default_value_t = 5000)]
    pub database_statement_timeout_ms: u64,
    /// Time after which a connection that no request has used is closed
    ///
    /// A burst opens up to `DATABASE_CONNECTIONS_MAX` connections, each a process of Postgres.
    #[arg(
        long,
        env = "DATABASE_IDLE_TIMEOUT_S",
        default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(1..=604_800)
    )]
    pub database_idle_timeout_s: u64,
    /// Time-out of one step of a load: sending more rows, or merging all of them
    ///
    /// It ends a load when Postgres hangs. Merging 30 million rows takes minutes.
    #[arg(
        long,
        env = "DATABASE_LOAD_TIMEOUT_S",
        default_value_t = 3600,
        value_parser = clap::value_parser!(u64).range(1..=604_800)
    )]
    pub database_load_timeout_s: u64,
}

impl DatabaseConfig {
    /// The pooler in front of Postgres, as set or as the URL tells.
    pub fn pooler(&self) -> Pooler {
        self.database_pooler.unwrap_or_else(|| self.database_url.pooler())
    }

    /// The URL for work that needs a session of its own, and the setting that it comes from; `None`
    /// if only a pooler is known.
    pub fn direct_url(&self) -> Option<(&'static str, &SecretString)> {
        match (&self.database_direct_url, self.pooler()) {
            (Some(url), _) => Some(("DATABASE_DIRECT_URL", url.url())),
            (None, Pooler::None) => Some(("DATABASE_URL", self.database_url.url())),
            (None, Pooler::Transaction) => Some(("DATABASE_URL", self.database_url.direct()?)),
        }
    }

    /// What was read out of the URLs beside an address, as sentences for the log.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let (None, Some(reason)) = (self.database_pooler, self.database_url.pooler_reason()) {
            notes.push(format!(
                "DATABASE_URL is a transaction pooler ({reason}): statements are sent whole, as \
                 with DATABASE_POOLER=transaction"
            ));
            if self.database_direct_url.is_none() && self.database_url.direct().is_some() {
                notes.push(
                    "migrations and loads go past the pooler: DATABASE_DIRECT_URL names another way"
                        .to_owned(),
                );
            }
        }
        let left_out = self.database_url.left_out();
        if !left_out.is_empty() {
            notes.push(format!(
                "these parameters of DATABASE_URL are of other programs and have no effect: {}",
                left_out.join(", ")
            ));
        }
        notes
    }
}

/// A replica of Postgres that serves reads.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Postgres, replica")]
pub struct ReplicaConfig {
    /// Connection URL of a streaming replica that serves prices, quotes and stocks
    ///
    /// It names one server, not several behind one name. Data that the replica has not replayed yet
    /// is read from `DATABASE_URL`.
    #[arg(long, env = "DATABASE_READ_URL", hide_env_values = true)]
    pub database_read_url: Option<PostgresUrl>,
    /// Interval at which tickerd asks the replica how far it has replayed
    ///
    /// After a load, reads of the loaded data go to `DATABASE_URL` for this long, and for as long
    /// as the replica lags.
    #[arg(
        long,
        env = "DATABASE_READ_POLL_MS",
        default_value_t = 250,
        value_parser = milliseconds(10, 60_000)
    )]
    pub database_read_poll_ms: u64,
    /// Time-out of a connection to the replica and of a statement there
    ///
    /// After a time-out, `DATABASE_URL` serves the read. The replica gets no more reads until it
    /// responds again.
    #[arg(
        long,
        env = "DATABASE_READ_TIMEOUT_MS",
        default_value_t = 500,
        value_parser = milliseconds(1, 60_000)
    )]
    pub database_read_timeout_ms: u64,
}
