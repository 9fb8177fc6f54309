//! Postgres: one file a table, one function a statement, its SQL beside it.

mod audit;
mod changes;
mod connect;
mod exchanges;
mod fault;
mod keys;
mod load;
mod migrations;
mod prices;
mod staging;
mod stocks;
mod tiers;
mod usage;

use std::time::{Duration, Instant};

use deadpool_postgres::{Client, ManagerConfig, Pool, RecyclingMethod, Runtime, Status};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tracing::Instrument;

use crate::config::DatabaseConfig;
use crate::metrics;
pub use audit::{AuditEntry, AuditFilter, ENTRIES_PER_PAGE_MAX};
pub use changes::Changes;
pub use connect::Database;
pub use fault::StoreFault;
pub use keys::{
    KEYS_PER_PAGE_MAX, KeyChange, KeyFilter, KeyRow, KeyState, KeyStatus, NewKey, Rotation, Search, Written,
};
pub use load::{Known, LoadReport, Loader, Repeat};
pub use prices::{BarRows, Bars, Quote};
pub use staging::Table;
pub use stocks::{Listing, Stock, StockFilter};
pub use tiers::TierStatus;
pub use usage::{UsageBatch, UsageBy, UsageFilter, UsageRow, UsageTotal};

/// A handle to the pool; clones share it.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    statement_timeout: Duration,
}

/// Connections of the pool, and requests that wait for one.
pub struct Connections {
    pub idle: usize,
    pub busy: usize,
    pub waiters: usize,
}

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Store {
    /// Makes the pool. It connects when it is first used, from the runtime that this is called on.
    ///
    /// # Errors
    /// When the URL or the certificate authority can't be read. A Postgres that is down is no error.
    pub fn new(config: &DatabaseConfig) -> Result<Self, StoreFault> {
        let database = Database::new(config)?;
        let manager = database.manager(ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let wait = Some(Duration::from_millis(config.database_wait_timeout_ms));
        let connect = Some(Duration::from_millis(config.database_connect_timeout_ms));
        let pool = Pool::builder(manager)
            .max_size(config.database_connections_max as usize)
            .wait_timeout(wait)
            .create_timeout(connect)
            .recycle_timeout(connect)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|e| StoreFault::Url(e.to_string()))?;
        Ok(Self { pool, statement_timeout: Duration::from_millis(config.database_statement_timeout_ms) })
    }

    /// What the connections of the pool are doing.
    pub fn connections(&self) -> Connections {
        let Status { size, available, waiting, .. } = self.pool.status();
        Connections { idle: available, busy: size.saturating_sub(available), waiters: waiting }
    }

    /// Whether Postgres answers.
    pub async fn ping(&self) -> Result<(), StoreFault> {
        self.rows("SELECT 1", &[]).await.map(drop)
    }

    /// Runs one statement that only reads. A pooled connection may turn out to be dead, after a restart of Postgres
    /// for one: the statement is then run once more on a new one.
    async fn rows(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreFault> {
        match self.rows_once(sql, params).await {
            Err(fault) if fault.is_dead_connection() => {
                self.pool.retain(|client, _| !client.is_closed());
                self.rows_once(sql, params).await
            }
            answer => answer,
        }
    }

    async fn rows_once(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreFault> {
        let started = Instant::now();
        let span = tracing::trace_span!("postgres", otel.kind = "client", db.query.text = sql);
        let rows = self.ask(sql, params).instrument(span).await;
        metrics::query(rows.is_ok(), started.elapsed().as_secs_f64());
        rows
    }

    async fn ask(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreFault> {
        let client = self.pool.get().await?;
        let query = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, params).await
        };
        match tokio::time::timeout(self.statement_timeout, query).await {
            Ok(rows) => Ok(rows?),
            Err(_) => {
                // Nobody else may wait behind a statement that hangs: this connection is closed.
                drop(Client::take(client));
                Err(StoreFault::Timeout(self.statement_timeout.as_millis()))
            }
        }
    }
}
