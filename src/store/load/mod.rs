//! Bulk loads: COPY into a staging table, checks, one insert or merge, one commit. A load that is
//! dropped before its commit leaves no visible change.

mod action_conflicts;
mod adjust;
mod adjusted_close_origin;
mod assumptions;
mod computed_close;
mod convert;
mod correction_check;
mod delete;
mod duplicates;
mod late_splits;
mod merge;
mod merge_prices;
mod reference_data;
mod rejection;
mod report;
mod rounding;
mod same_day;
mod seam_check;
mod sparse_bars;
mod split_check;
mod staged_rows;
mod staging;
mod stale_closes;

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::{Client, Row};

use super::{Database, StoreError};
pub use crate::market::AdjustedCloseOrigin;
use crate::market::PriceBasis;
pub use delete::{DeletedRows, Deletion, FoundRows};
pub use reference_data::{KnownStock, ReferenceData};
pub use rejection::{
    ActionConflict, AdjustedCorrection, DuplicateRow, LeftOut, LoadError, LoadRejection, LongBars,
    LongPeriod, SeamMove, SplitMove, first_symbols,
};
use report::MergedStock;
pub use report::{LoadReport, RestatedStock};
pub use staged_rows::{StagedRows, StagingWriter};
pub use staging::Table;

/// Settings of a load, independent of the server's defaults. With `synchronous_commit` the commit
/// is on disk before the vacuum, which can only then mark its rows as visible to all. The time-outs
/// end a load whose machine has vanished, so that it does not hold its locks for hours: a live load
/// never idles between two statements, and keepalive probes detect a dead connection.
const SETTINGS: &str = "SET LOCAL synchronous_commit = on;
                        SET LOCAL idle_in_transaction_session_timeout = '30s';
                        SET LOCAL tcp_keepalives_idle = 30;
                        SET LOCAL tcp_keepalives_interval = 10;
                        SET LOCAL tcp_keepalives_count = 3";

/// The number of written rows from which a load vacuums: index-only reads are fast again only then.
const VACUUM_FROM_ROWS: i64 = 10_000;
/// The fraction of written rows from which a load also updates the statistics of `prices`, as
/// autovacuum would. They are a sample of up to 30,000 pages, which takes many times as long as the
/// vacuum after a load of one day.
const ANALYZE_FROM_FRACTION: f64 = 0.1;

/// The transaction of a load.
pub struct Loader {
    client: Client,
    table: Table,
    /// The time limit of each step.
    timeout: Duration,
}

/// What the operator says about a file.
#[derive(Debug, Clone, Copy)]
pub struct CommitOptions {
    /// The origin of the adjusted closes of prices.
    pub origin: AdjustedCloseOrigin,
    /// Whether computed adjusted closes may replace a feed's, and another unit of a currency the
    /// one of stored prices.
    pub may_replace: bool,
    /// What the prices are; `None` if nobody says.
    pub basis: Option<PriceBasis>,
    /// Whether dividends are divided by the ratios of later splits.
    pub are_dividends_adjusted: bool,
    /// Whether bars that are unmistakably those of weeks or months are loaded as days.
    pub keeps_sparse_bars: bool,
}

/// A stock with staged rows.
struct StagedStock {
    id: i32,
    symbol: String,
    computes_adjusted_close: bool,
}

impl Loader {
    /// Begins a load: opens a connection and a transaction, and creates an empty staging table.
    ///
    /// # Errors
    /// If Postgres can't be reached.
    pub async fn begin(database: &Database, table: Table) -> Result<Self, StoreError> {
        let client = database.connect_unpooled().await?;
        let timeout = database.load_timeout;
        let begin = format!("BEGIN; {SETTINGS}; {}", table.create_staging());
        with_timeout(timeout, client.batch_execute(&begin)).await?;
        Ok(Self { client, table, timeout })
    }

    /// Opens the staging table for rows.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn staging_writer(&self) -> Result<StagingWriter, StoreError> {
        let copy = self.client.copy_in("COPY staging FROM STDIN (FORMAT binary)");
        StagingWriter::open(with_timeout(self.timeout, copy).await?, self.timeout).await
    }

    /// Loads the staged rows and commits.
    ///
    /// # Errors
    /// If Postgres fails or the rows are rejected. Nothing was loaded then, unless the error is
    /// [`LoadError::OutcomeUnknown`].
    pub async fn commit(&self, options: CommitOptions) -> Result<LoadReport, LoadError> {
        let merging = async { Ok::<_, StoreError>(self.merge_staged(options).await) };
        let report = with_timeout(self.timeout, merging).await??;
        self.commit_transaction().await?;
        Ok(report)
    }

    async fn commit_transaction(&self) -> Result<(), LoadError> {
        match with_timeout(self.timeout, self.client.batch_execute("COMMIT")).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_outcome_unknown() => Err(LoadError::OutcomeUnknown(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Vacuums after a large load, so that index-only reads are fast again. Reads are correct
    /// without it, and autovacuum would run later. It includes `stocks`, in which each changed
    /// stock has left a dead row, and `corporate_actions`, which is read by index-only scans.
    pub async fn vacuum(self, report: &LoadReport) {
        let rows = report.written();
        if rows < VACUUM_FROM_ROWS {
            return;
        }
        for vacuum in [self.vacuum_prices(rows).await, self.vacuum_stocks_and_actions().await] {
            if let Err(error) = vacuum {
                tracing::warn!(cause = %error, "a table could not be vacuumed");
            }
        }
    }

    async fn vacuum_prices(&self, rows: i64) -> Result<(), StoreError> {
        let sql = "SELECT reltuples FROM pg_class WHERE oid = 'prices'::regclass";
        let row = with_timeout(self.timeout, self.client.query_one(sql, &[])).await?;
        let stored_rows: f32 = row.try_get("reltuples")?;
        let is_large = rows as f64 >= ANALYZE_FROM_FRACTION * f64::from(stored_rows);
        let sql = if is_large { "VACUUM (ANALYZE) prices" } else { "VACUUM prices" };
        with_timeout(self.timeout, self.client.batch_execute(sql)).await
    }

    async fn vacuum_stocks_and_actions(&self) -> Result<(), StoreError> {
        with_timeout(self.timeout, self.client.batch_execute("VACUUM stocks, corporate_actions"))
            .await
    }

    /// Merges the staged rows, without the commit.
    async fn merge_staged(&self, options: CommitOptions) -> Result<LoadReport, LoadError> {
        let CommitOptions { origin, may_replace, basis, are_dividends_adjusted, .. } = options;
        let stocks = self.lock_stocks().await?;
        self.check_periods(options.keeps_sparse_bars).await?;
        let converted = self.convert_to_raw(basis).await?;
        let converted_dividends = match are_dividends_adjusted {
            true => self.convert_dividends().await?,
            false => 0,
        };
        self.check_conflicts().await?;
        let stale = self.apply_origin(origin, &stocks, may_replace).await?;
        let was_computed =
            |id: &i32| stocks.iter().any(|stock| stock.id == *id && stock.computes_adjusted_close);
        let (computed, from_feed): (Vec<_>, Vec<_>) = stale.into_iter().partition(was_computed);
        // Before the merge: it keeps a history of all bars that it changes.
        let readjusted = self.readjust_computed(&computed).await?;
        let mut merged = self.merge_all().await?;
        let changed_currencies = self.changed_currencies(may_replace).await?;
        self.check_splits(basis).await?;
        self.check_seams(basis).await?;
        self.check_corrections(&merged, basis).await?;
        merge::add_changes(&mut merged, readjusted);
        merge::add_changes(&mut merged, self.readjust(&from_feed).await?);
        if self.table == Table::Actions {
            let computed = self.compute_factors_of_merged(&merged).await?;
            merge::add_changes(&mut merged, self.readjust_computed(&computed).await?);
        }
        let stale_closes = self.stale_closes().await?;
        self.state_types().await?;
        let mut converted_rows = converted_dividends;
        match self.table {
            Table::Prices => converted_rows = converted.iter().map(|of| of.converted).sum(),
            Table::Stocks | Table::Actions => merge::add_changes(&mut merged, converted),
        }
        let mut report = self.report(&merged).await?;
        report.converted = converted_rows;
        report.stale_closes = stale_closes;
        report.sparse_stocks = self.sparse_stocks().await?;
        report.kept_spin_offs = self.kept_spin_offs(basis).await?;
        report.stocks_without_splits = self.stocks_without_splits(are_dividends_adjusted).await?;
        report.large_dividends = self.large_dividends().await?;
        report.changed_currencies = changed_currencies;
        report.other_spellings = self.other_spellings().await?;
        report.late_splits = self.stocks_with_late_splits().await?;
        if merged.is_empty() {
            self.forget_change().await?;
        } else {
            let ids: Vec<_> = merged.iter().map(|stock| stock.stock_id).collect();
            self.update_data_versions(&ids).await?;
        }
        Ok(report)
    }

    /// Locks the stocks with staged rows, in the order of their symbols, as a load of stocks does.
    /// Of two concurrent loads one waits for the other, so neither computes from data that the
    /// other is changing.
    async fn lock_stocks(&self) -> Result<Vec<StagedStock>, StoreError> {
        let Some(staged) = self.table.create_staged() else { return Ok(Vec::new()) };
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

    async fn report(&self, merged: &[MergedStock]) -> Result<LoadReport, StoreError> {
        let sql = "SELECT count(*) AS rows FROM staging";
        let staged: i64 = self.client.query_one(sql, &[]).await?.try_get("rows")?;
        let added = merged.iter().map(|stock| stock.added).sum();
        let changed = merged.iter().map(|stock| stock.changed).sum();
        let restated: Vec<_> = merged.iter().filter(|stock| stock.is_restated()).collect();
        let ids: Vec<_> = restated.iter().map(|stock| stock.stock_id).collect();
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
            .map(|stock| RestatedStock {
                symbol: symbols.get(&stock.stock_id).cloned().unwrap_or_default(),
                changed: stock.changed,
                readjusted: stock.readjusted,
                converted: stock.converted,
                from: stock.days.map(|(first, _)| first),
                to: stock.days.map(|(_, last)| last),
            })
            .collect();
        restated.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        let unchanged = staged - added - changed;
        let stocks_touched = merged.len();
        Ok(LoadReport {
            added,
            changed,
            unchanged,
            stocks_touched,
            restated,
            ..LoadReport::default()
        })
    }

    /// Deletes the change of a load that changes nothing. A merge of stocks or actions names one
    /// for each row before it knows whether the row differs. A load of prices names one only to use
    /// it, also if it changes nothing but the origin of adjusted closes.
    async fn forget_change(&self) -> Result<(), StoreError> {
        if self.table == Table::Prices {
            return Ok(());
        }
        let sql = "DELETE FROM changes
                   WHERE id = nullif(current_setting('tickerd.change', true), '')::int4";
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Gives the stocks a new data version. Runs last before the commit, because it locks the
    /// counter that every change draws from.
    async fn update_data_versions(&self, stocks: &[i32]) -> Result<u64, StoreError> {
        let sql = "WITH next AS (SELECT next_revision() AS current)
                   UPDATE stocks SET data_version = next.current, updated_at = now()
                   FROM next WHERE id = ANY($1)";
        Ok(self.client.execute(sql, &[&stocks]).await?)
    }
}

/// The ids in the column `stock_id`.
fn stock_ids(rows: &[Row]) -> Result<Vec<i32>, StoreError> {
    rows.iter().map(|row| Ok(row.try_get("stock_id")?)).collect()
}

/// Runs one step of a load, which a Postgres that hangs must not block.
async fn with_timeout<T, E: Into<StoreError>>(
    timeout: Duration,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(timeout, step).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(StoreError::Timeout(timeout.as_millis())),
    }
}
