//! Postgres: one file a table, one function a statement, its SQL beside it.

#[macro_use]
mod bar_columns;

mod audit;
mod bars_batch;
mod changes;
mod chart;
mod connect;
mod error;
mod events;
mod exchanges;
mod keys;
mod load;
mod migrations;
mod pool;
mod prices;
mod quotes;
mod replica;
mod search;
mod stocks;
mod symbols;
mod tiers;
mod typed;
mod usage;
mod watchlists;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Row;

use crate::config::{DatabaseConfig, ReplicaConfig};
pub use audit::{AuditEntry, AuditFilter, ENTRIES_PER_PAGE_MAX};
pub use bars_batch::{AdjustmentData, BatchRow, DayRow};
pub use changes::{Changes, StockChange};
pub use chart::ChartData;
pub use connect::Database;
pub use error::StoreError;
pub use events::{Event, EventPage, EventPlace, Events, MarketEvent};
pub use exchanges::{ListedExchange, NewestDay};
pub use keys::{
    KEYS_PER_PAGE_MAX, KeyChange, KeyFilter, KeyRow, KeyState, KeyStatus, NewKey, Rotation, Search,
    Written,
};
pub use load::{
    Known, KnownStock, LoadError, LoadReport, Loader, Origin, Refusal, Repeat, Restated, Rows,
    Table,
};
use pool::{Bounds, Params, Postgres};
pub use prices::bars_sql;
pub use quotes::Quote;
use replica::Replica;
pub use search::{Listing, Matches, StockFilter, StockSearch};
pub use stocks::{FormerSymbol, Stock, StockRef};
pub use symbols::{Change, SymbolError};
pub use tiers::TierStatus;
pub use usage::{UsageBatch, UsageBy, UsageFilter, UsageRow, UsageTotal};
pub use watchlists::{
    STOCKS_PER_WATCHLIST_MAX, WATCHLISTS_PER_OWNER_MAX, Watchlist, WatchlistChange,
    WatchlistWritten,
};

/// A handle to the pools; clones share them.
#[derive(Clone)]
pub struct Store {
    primary: Postgres,
    /// `None` where none is configured.
    replica: Option<Arc<Replica>>,
    /// For requests that have a connection or wait for one.
    places: Arc<Semaphore>,
}

/// Connections of the pools, and requests that wait for one.
pub struct Connections {
    pub idle: usize,
    pub busy: usize,
    pub waiters: usize,
}

impl Store {
    /// Makes the pools. They connect when they are first used, from the runtime that this is called
    /// on.
    ///
    /// # Errors
    /// When the URL or the certificate authority can't be read. A Postgres that is down is no
    /// error.
    pub fn new(config: &DatabaseConfig) -> Result<Self, StoreError> {
        let database = Database::at("DATABASE_URL", &config.database_url, config)?;
        let bounds = Bounds {
            wait: Duration::from_millis(config.database_wait_timeout_ms),
            connect: Duration::from_millis(config.database_connect_timeout_ms),
            statement: Duration::from_millis(config.database_statement_timeout_ms),
        };
        let primary = Postgres::new(database, config, bounds)?;
        let places = config.database_connections_max as usize + config.database_queue_max as usize;
        Ok(Self { primary, replica: None, places: Arc::new(Semaphore::new(places)) })
    }

    /// The same, with content read from a replica where one is configured.
    ///
    /// # Errors
    /// As in [`Store::new`].
    pub fn reading_from(
        self,
        replica: &ReplicaConfig,
        config: &DatabaseConfig,
    ) -> Result<Self, StoreError> {
        Ok(Self { replica: Replica::start(replica, config)?, ..self })
    }

    /// What the connections to the primary are doing.
    pub fn connections(&self) -> Connections {
        self.primary.connections()
    }

    /// Whether Postgres answers within so long, once it has given us a connection.
    ///
    /// # Errors
    /// When it doesn't: its connection is given up then.
    pub async fn ping(&self, within: Duration) -> Result<(), StoreError> {
        match self.primary.look("SELECT 1", within).await {
            Err(error) if error.is_dead_connection() => self.primary.look("SELECT 1", within).await,
            answer => answer,
        }
        .map(drop)
    }

    /// Runs one statement that reads content of a data version: from the replica where it has come
    /// that far.
    async fn content(
        &self,
        version: i64,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let _place = self.place()?;
        if let Some(replica) = &self.replica
            && let Some(rows) = replica.rows(version, sql, params).await
        {
            return Ok(rows);
        }
        self.primary.rows(sql, params).await
    }

    /// Runs one statement that only reads, on the primary: once more where its connection was dead.
    async fn rows(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let _place = self.place()?;
        self.primary.rows(sql, params).await
    }

    async fn rows_once(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let _place = self.place()?;
        self.primary.rows_once(sql, params).await
    }

    /// The same as [`Self::rows`], beside the requests: however many of them wait, on connections
    /// of its own.
    async fn rows_beside(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.primary.rows_beside(sql, params).await
    }

    fn place(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.places.try_acquire().map_err(|_| StoreError::QueueFull)
    }
}
