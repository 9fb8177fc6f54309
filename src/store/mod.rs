//! Postgres: one file a table, one function a statement, its SQL beside it.

mod changes;
mod connect;
mod exchanges;
mod fault;
mod keys;
mod load;
mod migrations;
mod prices;
mod stocks;
mod symbols;

use std::time::Duration;

use deadpool_postgres::{Client, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::config::DatabaseConfig;
pub use changes::Changes;
pub use connect::Database;
pub use fault::StoreFault;
pub use keys::{KeyRow, KeyStatus, NewKey};
pub use load::{Known, KnownStock, LoadFault, LoadReport, Loader, Origin, Refusal, Repeat, Restated, Table};
pub use prices::{BarRows, Quote};
pub use stocks::{FormerSymbol, Listing, Stock, StockFilter};
pub use symbols::{Change, SymbolFault};

/// A handle to the pool; clones share it.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    statement_timeout: Duration,
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
