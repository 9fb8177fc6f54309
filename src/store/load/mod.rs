//! Bulk loads: COPY into a staging table, checks there, one insert or merge, one commit. Dropped
//! before the commit, nothing of a load remains that anybody can see.

mod adjust;
mod known;
mod merge;
mod origin;
mod report;
mod rows;
mod staging;
mod vacuum;

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::{Client, Row};

use super::{Database, StoreError};
pub use known::{Known, KnownStock};
pub use origin::Origin;
use report::Merged;
pub use report::{LoadError, LoadReport, Refusal, Repeat, Restated};
pub use rows::Rows;
pub use staging::Table;

/// Whatever the server's defaults are. A vacuum takes no row for visible to all whose commit is not
/// on the disk yet; and a load whose machine has vanished must not hold its locks for the hours
/// that systems wait for one: it never says nothing between two statements, and an end that is
/// silent is asked whether it lives.
const SETTINGS: &str =
    "SET LOCAL synchronous_commit = on; SET LOCAL idle_in_transaction_session_timeout = '30s';
                        SET LOCAL tcp_keepalives_idle = 30; SET LOCAL tcp_keepalives_interval = 10;
                        SET LOCAL tcp_keepalives_count = 3";

/// A transaction under way.
pub struct Loader {
    client: Client,
    table: Table,
    /// For one step.
    timeout: Duration,
}

/// A stock that rows arrived for.
struct StagedStock {
    id: i32,
    symbol: String,
    computes_adjusted_close: bool,
}

impl Loader {
    /// Begins a load: a connection of its own, a transaction, an empty staging table.
    ///
    /// # Errors
    /// When Postgres can't be reached or the tables are missing.
    pub async fn begin(database: &Database, table: Table) -> Result<Self, StoreError> {
        let client = database.connect_unpooled().await?;
        let timeout = database.load_timeout;
        let begin = format!("BEGIN; {SETTINGS}; {}", table.staging());
        within(timeout, client.batch_execute(&begin)).await?;
        Ok(Self { client, table, timeout })
    }

    /// Where rows go.
    pub async fn rows(&self) -> Result<Rows, StoreError> {
        let sink =
            within(self.timeout, self.client.copy_in("COPY staging FROM STDIN (FORMAT csv)"))
                .await?;
        Ok(Rows::new(sink, self.timeout))
    }

    /// Loads the staged rows and commits: from here on everybody reads them.
    ///
    /// `origin` is where the adjusted closes of prices come from. `may_replace` lets computed ones
    /// replace a feed's.
    ///
    /// # Errors
    /// When Postgres fails or the rows are refused: then nothing was loaded, unless the error is
    /// [`LoadError::InDoubt`].
    pub async fn commit(&self, origin: Origin, may_replace: bool) -> Result<LoadReport, LoadError> {
        let merging = async { Ok::<_, StoreError>(self.merge_staged(origin, may_replace).await) };
        let report = within(self.timeout, merging).await??;
        match within(self.timeout, self.client.batch_execute("COMMIT")).await {
            Ok(()) => Ok(report),
            Err(error) if error.is_outcome_unknown() => Err(LoadError::InDoubt(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// All but the commit.
    async fn merge_staged(
        &self,
        origin: Origin,
        may_replace: bool,
    ) -> Result<LoadReport, LoadError> {
        let stocks = self.lock_stocks().await?;
        let mut stale = self.settle(origin, &stocks, may_replace).await?;
        let mut merged = self.merge_all().await?;
        if self.table == Table::Actions {
            stale = self.find_factors_of_touched(&merged).await?;
        }
        merge::add(&mut merged, self.readjust(&stale).await?);
        let report = self.report(&merged).await?;
        if !merged.is_empty() {
            self.touch(&merged.iter().map(|of| of.stock_id).collect::<Vec<_>>()).await?;
        }
        Ok(report)
    }

    /// Locks the stocks that rows arrived for, by symbol, as a load of stocks does: of two loads
    /// one waits for the other, and neither computes from what the other is about to change.
    async fn lock_stocks(&self) -> Result<Vec<StagedStock>, StoreError> {
        let Some(staged) = self.table.staged() else { return Ok(Vec::new()) };
        self.client.batch_execute(staged).await?;
        let sql = "SELECT id, symbol, computes_adjusted_close FROM stocks
                   WHERE id IN (SELECT stock_id FROM staged) ORDER BY symbol FOR NO KEY UPDATE";
        let rows = self.client.query(sql, &[]).await?;
        let stock = |row: &Row| {
            Ok(StagedStock {
                id: row.try_get("id")?,
                symbol: row.try_get("symbol")?,
                computes_adjusted_close: row.try_get("computes_adjusted_close")?,
            })
        };
        rows.iter().map(stock).collect()
    }

    async fn report(&self, merged: &[Merged]) -> Result<LoadReport, StoreError> {
        let sql = "SELECT count(*) AS rows FROM staging";
        let staged: i64 = self.client.query_one(sql, &[]).await?.try_get("rows")?;
        let (added, changed) =
            merged.iter().fold((0, 0), |sum, of| (sum.0 + of.added, sum.1 + of.changed));
        let restated: Vec<_> = merged.iter().filter(|of| of.is_restated()).collect();
        let ids: Vec<_> = restated.iter().map(|of| of.stock_id).collect();
        let sql = "SELECT id, symbol FROM stocks WHERE id = ANY($1)";
        let symbols: HashMap<i32, String> = self
            .client
            .query(sql, &[&ids])
            .await?
            .iter()
            .map(|row| Ok((row.try_get("id")?, row.try_get("symbol")?)))
            .collect::<Result<_, StoreError>>()?;
        let mut restated: Vec<_> = restated
            .into_iter()
            .map(|of| Restated {
                symbol: symbols.get(&of.stock_id).cloned().unwrap_or_default(),
                changed: of.changed,
                readjusted: of.readjusted,
                from: of.days.map(|(first, _)| first),
                to: of.days.map(|(_, last)| last),
            })
            .collect();
        restated.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        let unchanged = staged - added - changed;
        Ok(LoadReport { added, changed, unchanged, stocks_touched: merged.len(), restated })
    }

    /// Gives the stocks the next revision. Last before the commit: it locks the counter that every
    /// change draws from.
    async fn touch(&self, stocks: &[i32]) -> Result<u64, StoreError> {
        let sql = "WITH next AS (SELECT next_revision() AS current)
                   UPDATE stocks SET data_version = next.current, updated_at = now() FROM next WHERE id = ANY($1)";
        Ok(self.client.execute(sql, &[&stocks]).await?)
    }
}

/// The ids in the column `stock_id`.
fn stock_ids(rows: &[Row]) -> Result<Vec<i32>, StoreError> {
    rows.iter().map(|row| Ok(row.try_get("stock_id")?)).collect()
}

/// One step of a load. A Postgres that hangs ends it.
async fn within<T, E: Into<StoreError>>(
    timeout: Duration,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(timeout, step).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(StoreError::Timeout(timeout.as_millis())),
    }
}
