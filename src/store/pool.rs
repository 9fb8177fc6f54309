//! The pools of one Postgres server, and how statements are sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{Client, ManagerConfig, Pool, RecyclingMethod, Runtime, Status};
use futures_util::TryStreamExt;
use tokio::runtime::Handle;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tracing::Instrument;

use super::connect::{Database, Links};
use super::error::StoreError;
use super::scans::ScanPermit;
use super::typed::Param;
use crate::config::{DatabaseConfig, Pooler};
use crate::market::AsOf;
use crate::metrics;

pub(super) type Params<'a> = &'a [&'a dyn Param];

/// A statement with its parameters.
#[derive(Clone, Copy)]
pub(super) struct Statement<'a> {
    pub(super) sql: &'static str,
    pub(super) params: Params<'a>,
    /// The time as of which it reads the tables; `None` for now.
    pub(super) as_of: Option<AsOf>,
    /// Held until Postgres has answered, if the statement is a scan.
    pub(super) scan: Option<&'a ScanPermit>,
}

impl<'a> Statement<'a> {
    pub(super) fn now(sql: &'static str, params: Params<'a>) -> Self {
        Self { sql, params, as_of: None, scan: None }
    }
}

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
    idle_timeout: Duration,
    runtime: Handle,
    links: Arc<Links>,
}

/// A connection with a statement in progress.
struct Checkout<'a> {
    client: Option<Client>,
    postgres: &'a Postgres,
    scan: Option<ScanPermit>,
}

impl Postgres {
    /// Creates the pools. They connect on first use, from the runtime of the caller.
    pub(super) fn new(
        database: Database,
        config: &DatabaseConfig,
        timeouts: PoolTimeouts,
    ) -> Result<Self, StoreError> {
        let (pooler, links) = (config.pooler(), database.links());
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
            idle_timeout: Duration::from_secs(config.database_idle_timeout_s),
            runtime: Handle::current(),
            links,
        })
    }

    /// What happens to the connections.
    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    /// Runs a statement that is safe to repeat. A pooled connection may be dead, for example after
    /// a restart of Postgres: the statement is then run once more, on a new connection.
    pub(super) async fn query(&self, statement: Statement<'_>) -> Result<Vec<Row>, StoreError> {
        self.run_with_retry(&self.requests, statement).await
    }

    /// Runs a statement, without a retry.
    pub(super) async fn query_once(
        &self,
        statement: Statement<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.run_measured(&self.requests, statement).await
    }

    /// The same as [`Self::query`], on the connections for background tasks.
    pub(super) async fn query_in_background(
        &self,
        statement: Statement<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.run_with_retry(&self.background, statement).await
    }

    async fn run_with_retry(
        &self,
        pool: &Pool,
        statement: Statement<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        match self.run_measured(pool, statement).await {
            Err(error) if error.is_dead_connection() => self.run_measured(pool, statement).await,
            answer => answer,
        }
    }

    /// Runs a statement with a metric and a span.
    async fn run_measured(
        &self,
        pool: &Pool,
        statement: Statement<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let started = Instant::now();
        let text = statement.sql;
        let span = tracing::trace_span!("postgres", otel.kind = "client", db.query.text = text);
        let rows = self.run(pool, statement, self.statement_timeout).instrument(span).await;
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
        let statement = Statement::now(sql, &[]);
        self.run(&self.background, statement, timeout.min(self.statement_timeout)).await
    }

    async fn run(
        &self,
        pool: &Pool,
        statement: Statement<'_>,
        timeout: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        let client = Some(pool.get().await?);
        let mut checkout = Checkout { client, postgres: self, scan: statement.scan.cloned() };
        let client = checkout.client.as_ref().expect("it was checked out in the line above");
        let sent = Instant::now();
        let rows = tokio::time::timeout(timeout, send(client, self.pooler, statement)).await;
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

    /// Closes all idle connections.
    pub(super) fn close_idle(&self) {
        [&self.requests, &self.background].iter().for_each(|pool| drop(pool.retain(|_, _| false)));
    }

    /// Closes the connections that no request has used for a long time.
    pub(super) fn close_unused(&self) {
        self.requests.retain(|_, metrics| metrics.last_used() < self.idle_timeout);
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
        let (timeout, scan) = (self.postgres.statement_timeout, self.scan.take());
        self.postgres.runtime.spawn(async move {
            let answered = tokio::time::timeout(timeout, client.check_connection()).await;
            if !matches!(answered, Ok(Ok(()))) {
                drop(Client::take(client));
            }
            drop(scan);
        });
    }
}

/// Sends a statement in one round trip: prepared on this connection or, behind a pooler, which may
/// give the connection to another client, as text that leaves no state behind.
async fn send(
    client: &Client,
    pooler: Pooler,
    Statement { sql, params, as_of, scan }: Statement<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    if let Some(as_of) = as_of {
        return send_as_of(client, as_of, sql, params).await;
    }
    match pooler {
        // Planned for its values: a plan for any values would join all stocks with all matches.
        Pooler::None if scan.is_some() => send_typed(client, sql, params).await,
        Pooler::None => {
            let statement = client.prepare_cached(sql).await?;
            // So every test of a statement also checks the types that a pooler needs.
            let typed = params.iter().map(|param| param.sql_type());
            debug_assert!(
                typed.eq(statement.params().iter().cloned()),
                "{sql}: takes {:?}",
                statement.params()
            );
            let rows = client.query_raw(&statement, params.iter().map(value)).await?;
            rows.try_collect().await
        }
        Pooler::Transaction => send_typed(client, sql, params).await,
    }
}

async fn send_typed(
    client: &Client,
    sql: &'static str,
    params: Params<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let typed = params.iter().map(|param| (value(param), param.sql_type()));
    client.query_typed_raw(sql, typed).await?.try_collect().await
}

/// Runs a statement on the views of the schema `as_of`, which show the tables as of a time. A
/// prepared statement would keep reading the tables that it was prepared on.
///
/// All three messages are sent when this is first polled, so a request that is cancelled leaves no
/// open transaction behind.
async fn send_as_of(
    client: &Client,
    as_of: AsOf,
    sql: &'static str,
    params: Params<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    // Postgres ignores a schema that a role may not use: the casts fail then, and nothing is read
    // from the tables instead. The views make estimates of costs too high, and compiling a plan
    // would take longer than running it.
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL jit = off; SET LOCAL tickerd.as_of = '{}';
         SELECT set_config('search_path', 'as_of, ' || current_setting('search_path'), true),
                'as_of.prices'::regclass, 'as_of.corporate_actions'::regclass,
                'as_of.stocks'::regclass, 'as_of.former_symbols'::regclass,
                'as_of.inherited_symbols'::regclass",
        as_of.revision()
    );
    let (begun, rows, ended) = tokio::join!(
        biased;
        client.batch_execute(&begin),
        send_typed(client, sql, params),
        client.batch_execute("COMMIT")
    );
    begun?;
    let rows = rows?;
    ended?;
    Ok(rows)
}

fn value<'a>(param: &&'a dyn Param) -> &'a (dyn ToSql + Sync) {
    *param
}
