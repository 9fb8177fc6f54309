//! The pools of one Postgres server, and how statements are sent.

use std::time::{Duration, Instant};

use deadpool_postgres::{Client, ManagerConfig, Pool, RecyclingMethod, Runtime, Status};
use futures_util::TryStreamExt;
use tokio::runtime::Handle;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tracing::Instrument;

use super::connect::Database;
use super::error::StoreError;
use super::typed::Param;
use crate::config::{DatabaseConfig, Pooler};
use crate::metrics;

pub(super) type Params<'a> = &'a [&'a dyn Param];

/// Connections for background tasks. Storing usage may wait for a lock, and following changes must
/// not wait for that.
const BACKGROUND_CONNECTIONS_MAX: usize = 2;

/// How long a request may wait.
pub(super) struct PoolTimeouts {
    /// For a connection to become free.
    pub(super) wait: Duration,
    /// For a new connection.
    pub(super) connect: Duration,
    /// For the answer to a statement.
    pub(super) statement: Duration,
}

/// The number of connections in the pools, and of requests that wait for one.
pub struct ConnectionCounts {
    pub idle: usize,
    pub busy: usize,
    pub waiters: usize,
}

#[derive(Clone)]
pub(super) struct Postgres {
    requests: Pool,
    /// For background tasks, so that they never wait for requests.
    background: Pool,
    pooler: Pooler,
    statement_timeout: Duration,
    runtime: Handle,
}

/// A connection with a statement in progress.
struct Checkout<'a> {
    client: Option<Client>,
    postgres: &'a Postgres,
}

impl Postgres {
    /// Creates the pools. They connect on first use, from the runtime of the caller.
    pub(super) fn new(
        database: Database,
        config: &DatabaseConfig,
        timeouts: PoolTimeouts,
    ) -> Result<Self, StoreError> {
        let pooler = config.database_pooler;
        let pool = |connections_max| {
            let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let manager = match pooler {
                // The server bounds each statement as well.
                Pooler::None => database.clone().manager(manager_config, Some(timeouts.statement)),
                // A pooler rejects the option: its connections are not for one client.
                Pooler::Transaction => database.clone().manager(manager_config, None),
            };
            let pool = Pool::builder(manager)
                .max_size(connections_max)
                .wait_timeout(Some(timeouts.wait))
                .create_timeout(Some(timeouts.connect))
                .recycle_timeout(Some(timeouts.connect))
                .runtime(Runtime::Tokio1)
                .build();
            pool.map_err(|e| StoreError::Pool(e.to_string()))
        };
        Ok(Self {
            requests: pool(config.database_connections_max as usize)?,
            background: pool(BACKGROUND_CONNECTIONS_MAX)?,
            pooler,
            statement_timeout: timeouts.statement,
            runtime: Handle::current(),
        })
    }

    /// Runs a statement that is safe to repeat. A pooled connection may be dead, for example after
    /// a restart of Postgres: the statement is then run once more, on a new connection.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.run_with_retry(&self.requests, sql, params).await
    }

    /// Runs a statement, without a retry.
    pub(super) async fn query_once(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.run_measured(&self.requests, sql, params).await
    }

    /// The same as [`Self::query`], on the connections for background tasks.
    pub(super) async fn query_in_background(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.run_with_retry(&self.background, sql, params).await
    }

    async fn run_with_retry(
        &self,
        pool: &Pool,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        match self.run_measured(pool, sql, params).await {
            Err(error) if error.is_dead_connection() => self.run_measured(pool, sql, params).await,
            answer => answer,
        }
    }

    /// Runs a statement with a metric and a span.
    async fn run_measured(
        &self,
        pool: &Pool,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let started = Instant::now();
        let span = tracing::trace_span!("postgres", otel.kind = "client", db.query.text = sql);
        let rows = self.run(pool, sql, params, self.statement_timeout).instrument(span).await;
        let failed = rows.as_ref().is_err_and(|error| !error.is_constraint_violation());
        metrics::query(!failed, started.elapsed().as_secs_f64());
        rows
    }

    /// The state of the connections.
    pub(super) fn connections(&self) -> ConnectionCounts {
        let [requests, background] = [&self.requests, &self.background].map(Pool::status);
        let busy = |status: &Status| status.size.saturating_sub(status.available);
        ConnectionCounts {
            idle: requests.available + background.available,
            busy: busy(&requests) + busy(&background),
            waiters: requests.waiting,
        }
    }

    /// Runs a statement on the connections for background tasks, without a retry, a metric or a
    /// span.
    pub(super) async fn probe(
        &self,
        sql: &'static str,
        timeout: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        self.run(&self.background, sql, &[], timeout.min(self.statement_timeout)).await
    }

    async fn run(
        &self,
        pool: &Pool,
        sql: &'static str,
        params: Params<'_>,
        timeout: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        let mut checkout = Checkout { client: Some(pool.get().await?), postgres: self };
        let client = checkout.client.as_ref().expect("it was checked out in the line above");
        let sent = Instant::now();
        let rows = tokio::time::timeout(timeout, send(client, self.pooler, sql, params)).await;
        let rows = match rows {
            Ok(rows) => rows.map_err(StoreError::from),
            Err(_) => Err(StoreError::Timeout(timeout.as_millis())),
        };
        let client = checkout.client.take();
        if let Err(error) = &rows
            && error.is_outcome_unknown()
        {
            // Closes the connection: no other request may wait behind a statement that hangs.
            drop(client.map(Client::take));
            self.evict_idle(sent);
        }
        rows
    }

    /// Closes the idle connections that were not used after `sent`. If one connection is dead or
    /// silent, the others to the same machine may be as well, and each would cost a request a
    /// failure or a time-out.
    fn evict_idle(&self, sent: Instant) {
        let silence = sent.elapsed();
        for pool in [&self.requests, &self.background] {
            pool.retain(|_, metrics| metrics.last_used() < silence);
        }
    }
}

impl Drop for Checkout<'_> {
    /// Handles a request that was cancelled during its statement. The connection returns to the
    /// pool when Postgres has answered, and is closed if it does not answer in time: the next
    /// request must not wait for the statement.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let timeout = self.postgres.statement_timeout;
        self.postgres.runtime.spawn(async move {
            let answered = tokio::time::timeout(timeout, client.check_connection()).await;
            if !matches!(answered, Ok(Ok(()))) {
                drop(Client::take(client));
            }
        });
    }
}

/// Sends a statement in one round trip: prepared on this connection or, behind a pooler, which may
/// give the connection to another client, as text that leaves no state behind.
async fn send(
    client: &Client,
    pooler: Pooler,
    sql: &'static str,
    params: Params<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let rows = match pooler {
        Pooler::None => {
            let statement = client.prepare_cached(sql).await?;
            // So every test of a statement also checks the types that a pooler needs.
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
