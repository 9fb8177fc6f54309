//! One Postgres: its pools, and how statements are sent.

use std::time::{Duration, Instant};

use deadpool_postgres::{Client, ManagerConfig, Pool, RecyclingMethod, Runtime, Status};
use futures_util::TryStreamExt;
use tokio::runtime::Handle;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tracing::Instrument;

use super::typed::Param;
use super::{Connections, Database, StoreError};
use crate::config::{DatabaseConfig, Pooler};
use crate::metrics;

pub(super) type Params<'a> = &'a [&'a dyn Param];

/// Connections for what runs beside the requests: storing usage may wait for a lock, following
/// changes must not wait for that.
const BESIDE_CONNECTIONS_MAX: usize = 2;

/// How long a request may wait: for a connection of others, for a new one, for its statement.
pub(super) struct Bounds {
    pub(super) wait: Duration,
    pub(super) connect: Duration,
    pub(super) statement: Duration,
}

#[derive(Clone)]
pub(super) struct Postgres {
    requests: Pool,
    /// For what runs beside them: it doesn't wait for as long as they do.
    beside: Pool,
    pooler: Pooler,
    statement_timeout: Duration,
    runtime: Handle,
}

/// A connection while a statement is under way on it.
struct Checkout<'a> {
    client: Option<Client>,
    by: &'a Postgres,
}

impl Postgres {
    /// Makes the pools. They connect when they are first used, from the runtime that this is called
    /// on.
    pub(super) fn new(
        database: Database,
        config: &DatabaseConfig,
        bounds: Bounds,
    ) -> Result<Self, StoreError> {
        let pooler = config.database_pooler;
        let pool = |connections_max| {
            let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let manager = match pooler {
                // Each statement is bound in time by the server, too.
                Pooler::None => database.clone().manager(manager_config, Some(bounds.statement)),
                // It would turn the setting away: its connections are not for one client.
                Pooler::Transaction => database.clone().manager(manager_config, None),
            };
            let pool = Pool::builder(manager)
                .max_size(connections_max)
                .wait_timeout(Some(bounds.wait))
                .create_timeout(Some(bounds.connect))
                .recycle_timeout(Some(bounds.connect))
                .runtime(Runtime::Tokio1)
                .build();
            pool.map_err(|e| StoreError::Pool(e.to_string()))
        };
        Ok(Self {
            requests: pool(config.database_connections_max as usize)?,
            beside: pool(BESIDE_CONNECTIONS_MAX)?,
            pooler,
            statement_timeout: bounds.statement,
            runtime: Handle::current(),
        })
    }

    /// Runs one statement that only reads. A pooled connection may turn out to be dead, after a
    /// restart of Postgres for one: the statement is then run once more on a new one.
    pub(super) async fn rows(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.twice(&self.requests, sql, params).await
    }

    pub(super) async fn rows_once(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.counted(&self.requests, sql, params).await
    }

    /// The same as [`Self::rows`], beside the requests: it waits for none of them.
    pub(super) async fn rows_beside(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.twice(&self.beside, sql, params).await
    }

    /// Once more where the connection turned out to be dead.
    async fn twice(
        &self,
        pool: &Pool,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        match self.counted(pool, sql, params).await {
            Err(error) if error.is_dead_connection() => self.counted(pool, sql, params).await,
            answer => answer,
        }
    }

    async fn counted(
        &self,
        pool: &Pool,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let started = Instant::now();
        let span = tracing::trace_span!("postgres", otel.kind = "client", db.query.text = sql);
        let rows = self.ask(pool, sql, params, self.statement_timeout).instrument(span).await;
        let failed = rows.as_ref().is_err_and(|error| !error.is_constraint_violation());
        metrics::query(!failed, started.elapsed().as_secs_f64());
        rows
    }

    /// What the connections are doing.
    pub(super) fn connections(&self) -> Connections {
        let [requests, beside] = [&self.requests, &self.beside].map(Pool::status);
        let busy = |status: &Status| status.size.saturating_sub(status.available);
        Connections {
            idle: requests.available + beside.available,
            busy: busy(&requests) + busy(&beside),
            waiters: requests.waiting,
        }
    }

    /// The same as [`Self::rows_beside`], once, within so long, and neither counted nor traced.
    pub(super) async fn look(
        &self,
        sql: &'static str,
        within: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        self.ask(&self.beside, sql, &[], within.min(self.statement_timeout)).await
    }

    async fn ask(
        &self,
        pool: &Pool,
        sql: &'static str,
        params: Params<'_>,
        within: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        let mut lent = Checkout { client: Some(pool.get().await?), by: self };
        let client = lent.client.as_ref().expect("it was lent a line ago");
        let sent = Instant::now();
        let rows = tokio::time::timeout(within, query(client, self.pooler, sql, params)).await;
        let rows = match rows {
            Ok(rows) => rows.map_err(StoreError::from),
            Err(_) => Err(StoreError::Timeout(within.as_millis())),
        };
        let client = lent.client.take();
        if let Err(error) = &rows
            && error.is_without_answer()
        {
            // Nobody else may wait behind a statement that hangs: this connection is closed.
            drop(client.map(Client::take));
            self.evict_idle(sent);
        }
        rows
    }

    /// Closes the idle connections that were not used since: what one has turned out to be, dead or
    /// silent, the others that lead to the same machine may be as well, and each would cost
    /// somebody a failure or a time-out.
    fn evict_idle(&self, sent: Instant) {
        let silence = sent.elapsed();
        for pool in [&self.requests, &self.beside] {
            pool.retain(|_, metrics| metrics.last_used() < silence);
        }
    }
}

impl Drop for Checkout<'_> {
    /// The request is gone, and its statement is still under way. Whoever is next is not to wait
    /// behind it: the connection is free again when Postgres has answered, and closed if it does
    /// not.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let timeout = self.by.statement_timeout;
        self.by.runtime.spawn(async move {
            let answered = tokio::time::timeout(timeout, client.check_connection()).await;
            if !matches!(answered, Ok(Ok(()))) {
                drop(Client::take(client));
            }
        });
    }
}

/// One trip: a statement that the connection has prepared before or, where it is another one's in a
/// moment, one that is sent whole and leaves nothing behind.
async fn query(
    client: &Client,
    pooler: Pooler,
    sql: &'static str,
    params: Params<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let rows = match pooler {
        Pooler::None => {
            let statement = client.prepare_cached(sql).await?;
            // Every test of a statement shows that it could be sent whole as well.
            let typed = params.iter().map(|param| param.sql_type());
            debug_assert!(
                typed.eq(statement.params().iter().cloned()),
                "{sql}: takes {:?}",
                statement.params()
            );
            client.query_raw(&statement, params.iter().map(value)).await?
        }
        Pooler::Transaction => {
            let typed = params.iter().map(|param| (value(param), param.sql_type()));
            client.query_typed_raw(sql, typed).await?
        }
    };
    rows.try_collect().await
}

fn value<'a>(param: &&'a dyn Param) -> &'a (dyn ToSql + Sync) {
    *param
}
