//! Postgres. Each table has a file, and each statement a function with its SQL.

#[macro_use]
mod bar_columns;
#[macro_use]
mod effective_actions;

mod audit;
mod bars_batch;
mod changes;
mod chart;
mod connect;
mod error;
mod events;
mod exchange_changes;
mod exchanges;
mod history;
mod inspection;
mod kept_windows;
mod keys;
mod load;
mod migrations;
mod pool;
mod prices;
mod quotes;
mod replica;
mod revisions;
mod scans;
mod search;
mod server_role;
mod snapshot;
mod stocks;
mod symbols;
mod tiers;
mod typed;
mod usage;
mod watchlists;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio_postgres::Row;

use crate::config::{DatabaseConfig, ReplicaConfig};
pub use audit::{AuditFilter, AuditRecord, ENTRIES_PER_PAGE_MAX};
pub use bars_batch::{AdjustmentData, BatchRow, DayRow};
pub(crate) use changes::ChangeSource;
pub use changes::{Changes, StockChange};
pub use chart::ChartData;
pub use connect::Database;
pub use error::StoreError;
pub use events::{EventPage, EventPlace, EventRecord, Events};
pub use exchange_changes::{ExchangeChange, ExchangeChangeError, ExchangeFields};
pub use exchanges::{ExchangeRecord, MarketRecord, NewestDay};
pub use history::HistoryPosition;
pub use inspection::Inspection;
pub use kept_windows::KeptWindow;
pub use keys::{
    KEYS_PER_PAGE_MAX, KeyChange, KeyFilter, KeyRecord, KeyRow, KeySearch, KeyStatus, KeyWrite,
    NewKey, Rotation,
};
pub use load::{
    AdjustedCloseOrigin, CommitOptions, DeletedRows, Deletion, DuplicateRow, FoundRows, KnownStock,
    LoadError, LoadRejection, LoadReport, Loader, ReferenceData, RestatedStock, SplitMove,
    StagedRows, StagingWriter, Table, first_symbols,
};
pub use pool::ConnectionCounts;
use pool::{Params, PoolTimeouts, Postgres, Statement};
pub use prices::bars_sql;
pub use quotes::Quote;
use replica::Replica;
pub use revisions::{RevisionKind, RevisionPage, RevisionRecord, RowValues};
use scans::ScanShare;
pub use search::{ListPage, StockFilter, StockIdentifiers, StockMatches, StockSearch};
pub use server_role::SERVER_ROLE;
pub use snapshot::Snapshot;
pub use stocks::{StockRecord, StockRef};
pub use symbols::{StockUpdate, StockUpdateError};
pub use tiers::TierRecord;
pub use usage::{UsageBatch, UsageBy, UsageFilter, UsageRecord, UsageRow};
pub use watchlists::{
    STOCKS_PER_WATCHLIST_MAX, WATCHLISTS_PER_OWNER_MAX, WatchlistChange, WatchlistRecord,
    WatchlistWrite,
};

/// A handle to the pools; clones share them.
#[derive(Clone)]
pub struct Store {
    primary: Postgres,
    /// `None` if none is configured.
    replica: Option<Arc<Replica>>,
    /// One for each request that has a connection or waits for one.
    permits: Arc<Semaphore>,
    scans: Arc<ScanShare>,
    /// The first revision whose data stays readable; read on first use.
    history_start: Arc<OnceCell<i64>>,
}

impl Store {
    /// Creates the pools. They connect on first use, from the runtime of the caller.
    ///
    /// # Errors
    /// If the URL or the certificate authority can't be read. A Postgres that is down is not an
    /// error.
    pub fn new(config: &DatabaseConfig) -> Result<Self, StoreError> {
        let database = Database::at("DATABASE_URL", &config.database_url, config)?;
        let timeouts = PoolTimeouts {
            wait: Duration::from_millis(config.database_wait_timeout_ms),
            connect: Duration::from_millis(config.database_connect_timeout_ms),
            statement: Duration::from_millis(config.database_statement_timeout_ms),
        };
        let scans = ScanShare::new(config.database_scans_max as usize, timeouts.wait);
        let primary = Postgres::new(database, config, timeouts)?;
        let permits = config.database_connections_max as usize + config.database_queue_max as usize;
        Ok(Self {
            primary,
            replica: None,
            permits: Arc::new(Semaphore::new(permits)),
            scans: Arc::new(scans),
            history_start: Arc::default(),
        })
    }

    /// Reads content from a replica, if one is configured.
    ///
    /// # Errors
    /// As in [`Store::new`].
    pub fn reading_from(
        self,
        replica: &ReplicaConfig,
        config: &DatabaseConfig,
    ) -> Result<Self, StoreError> {
        let replica = Replica::start(replica, config, self.primary.clone())?;
        Ok(Self { replica, ..self })
    }

    /// Waits until a connection to the primary was opened or lost since the last call.
    pub async fn connections_changed(&self) {
        self.primary.links().changed().await;
    }

    /// Closes the idle connections to the primary.
    pub fn close_idle_connections(&self) {
        self.primary.close_idle();
    }

    /// Closes the connections that no request has used for a long time.
    pub fn close_unused_connections(&self) {
        self.primary.close_unused();
        self.replica.iter().for_each(|replica| replica.close_unused_connections());
    }

    /// Stops the polls of a replica, or lets them go on. Meanwhile reads go to the primary.
    pub fn pause_polls(&self, is_paused: bool) {
        self.replica.iter().for_each(|replica| replica.pause_polls(is_paused));
    }

    /// The state of the connections to the primary.
    pub fn connections(&self) -> ConnectionCounts {
        self.primary.connections()
    }

    /// Checks that Postgres answers within `timeout`, not counting the wait for a connection, and
    /// that it has the tables.
    ///
    /// # Errors
    /// If it does not answer: the connection is closed then. If there are no tables.
    pub async fn ping(&self, timeout: Duration) -> Result<(), StoreError> {
        const SQL: &str = "SELECT FROM revision";
        match self.primary.probe(SQL, timeout).await {
            Err(error) if error.is_dead_connection() => self.primary.probe(SQL, timeout).await,
            answer => answer,
        }
        .map(drop)
    }

    /// Reads content as of `version` or later: from the replica if it has replayed that version,
    /// otherwise from the primary.
    async fn query_content(
        &self,
        version: i64,
        statement: Statement<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let _permit = self.permit()?;
        if let Some(replica) = &self.replica
            && let Some(rows) = replica.query(version, statement).await
        {
            return Ok(rows);
        }
        self.primary.query(statement).await
    }

    /// Runs a statement that is safe to repeat on the primary: once more if the connection was
    /// dead.
    async fn query(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let _permit = self.permit()?;
        self.primary.query(Statement::now(sql, params)).await
    }

    /// Runs a statement on the primary, without a retry.
    async fn query_once(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let _permit = self.permit()?;
        self.primary.query_once(Statement::now(sql, params)).await
    }

    /// The same as [`Self::query`], on the connections for background tasks: these do not wait for
    /// requests.
    async fn query_in_background(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.primary.query_in_background(Statement::now(sql, params)).await
    }

    fn permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.permits.try_acquire().map_err(|_| StoreError::QueueFull)
    }
}
