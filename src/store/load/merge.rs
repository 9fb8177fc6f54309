//! Moves staged rows into their table: a new history is inserted, other rows are merged.

use std::collections::HashMap;

use chrono::NaiveDate;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::merge_prices::MERGE_HISTORY;
use super::{LoadError, LoadRejection, Loader, MergedStock, Table, stock_ids};
use crate::store::StoreError;

/// The average number of rows per stock from which a check for new histories pays off. For a file
/// with one row per stock, such as a feed's day, the check costs as much as an insert saves.
const INSERT_FROM_ROWS_PER_STOCK: i64 = 8;
/// The average number of rows per stock from which a statement per stock pays off: a year of days.
const MERGE_BY_STOCK_FROM_ROWS: i64 = 250;
/// The lines of a file from the first to the last row of a stock, per row, from which a statement
/// per stock does not pay off: in a file by day, each row of a stock is on another page.
const SCATTERED_FROM_LINES_PER_ROW: i64 = 4;

/// Adds changes of other bars of the same stocks to the merged ones.
pub(super) fn add_changes(merged: &mut Vec<MergedStock>, changes: Vec<MergedStock>) {
    let indexes: HashMap<_, _> =
        merged.iter().enumerate().map(|(index, stock)| (stock.stock_id, index)).collect();
    for stock in changes {
        match indexes.get(&stock.stock_id) {
            Some(&index) => merged[index].add(&stock),
            None => merged.push(stock),
        }
    }
}

impl Loader {
    /// Loads the staged rows, unless a row repeats the key of another one.
    pub(super) async fn merge_all(&self) -> Result<Vec<MergedStock>, LoadError> {
        if let Some(inserted) = self.insert_new_histories().await? {
            return Ok(inserted);
        }
        if let Some(merged) = self.merge_histories().await? {
            return Ok(merged);
        }
        let mut duplicates = self.duplicates().await?;
        if !duplicates.is_empty() {
            self.delete_identical().await?;
            duplicates = self.duplicates().await?;
        }
        if duplicates.is_empty() {
            Ok(self.merge().await?)
        } else {
            Err(LoadRejection::Duplicates(duplicates).into())
        }
    }

    /// The fast path for new histories, as in a first load: inserts prices without a merge, which
    /// saves a third of the time, and without a search for duplicates. Returns `None`, with nothing
    /// changed, if some of the prices exist. The primary key proves that they do not: a duplicate
    /// in the file or a concurrent commit violates it, and the caller falls back to the merge.
    async fn insert_new_histories(&self) -> Result<Option<Vec<MergedStock>>, StoreError> {
        if self.table != Table::Prices {
            return Ok(None);
        }
        let Some(inserted) = self.new_prices().await? else { return Ok(None) };
        self.client.batch_execute("SAVEPOINT before_insert").await?;
        match self.insert_prices().await {
            Err(error) if error.has_state(&SqlState::UNIQUE_VIOLATION) => {
                self.client.batch_execute("ROLLBACK TO SAVEPOINT before_insert").await?;
                Ok(None)
            }
            done => done.map(|()| Some(inserted)),
        }
    }

    /// The number of staged prices of each stock. `None` if a stock has a price between the first
    /// and the last staged day, or if there are too few rows per stock.
    async fn new_prices(&self) -> Result<Option<Vec<MergedStock>>, StoreError> {
        let sql = format!(
            "SELECT s.stock_id, s.rows, met.date IS NULL AS is_new
             FROM staged s LEFT JOIN LATERAL (
                 SELECT date FROM prices
                 WHERE stock_id = s.stock_id AND date >= s.first AND date <= s.last
                 ORDER BY date LIMIT 1
             ) met ON true
             WHERE (SELECT sum(rows) >= {INSERT_FROM_ROWS_PER_STOCK} * count(*) FROM staged)"
        );
        let rows = self.client.query(&sql, &[]).await?;
        let mut new = Vec::new();
        for row in &rows {
            if !row.try_get("is_new")? {
                return Ok(None);
            }
            new.push(MergedStock {
                stock_id: row.try_get("stock_id")?,
                added: row.try_get("rows")?,
                changed: 0,
                days: None,
                readjusted: 0,
                converted: 0,
            });
        }
        Ok(Some(new).filter(|stocks| !stocks.is_empty()))
    }

    /// Inserts in key order, as a merge does, so that concurrent loads wait for each other instead
    /// of deadlocking.
    async fn insert_prices(&self) -> Result<(), StoreError> {
        let sql = concat!(
            "INSERT INTO prices (change_id, stock_id, ",
            bar_columns!(),
            ", ",
            bar_details!(),
            ") SELECT (SELECT current_change()), stock_id, ",
            bar_columns!(),
            ", ",
            bar_details!(),
            " FROM staging ORDER BY stock_id, date"
        );
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Merges long histories of prices stock by stock. Each statement reads the rows of one stock
    /// through the indexes of both tables, however large they are. Returns `None`, with nothing
    /// changed, if a row repeats a key, if there are too few rows per stock, or if the rows of a
    /// stock are scattered in the file.
    async fn merge_histories(&self) -> Result<Option<Vec<MergedStock>>, StoreError> {
        if self.table != Table::Prices {
            return Ok(None);
        }
        let sql = format!(
            "SELECT stock_id FROM staged
             WHERE (SELECT sum(rows) >= {MERGE_BY_STOCK_FROM_ROWS} * count(*)
                           AND sum(lines) <= {SCATTERED_FROM_LINES_PER_ROW} * sum(rows)
                    FROM staged)
             ORDER BY stock_id"
        );
        let stocks = stock_ids(&self.client.query(&sql, &[]).await?)?;
        if stocks.is_empty() || !self.index_keys().await? || !self.uses_index().await? {
            return Ok(None);
        }
        // To compile the statement anew for each stock would take longer than it saves.
        self.client.batch_execute("SET LOCAL jit = off").await?;
        let statement = self.client.prepare(MERGE_HISTORY).await?;
        let mut merged = Vec::new();
        for stock_id in stocks {
            let row = self.client.query_one(&statement, &[&stock_id]).await?;
            let stock = merged_stock(stock_id, &row)?;
            if stock.added + stock.changed > 0 {
                merged.push(stock);
            }
        }
        self.client.batch_execute("SET LOCAL jit TO DEFAULT").await?;
        Ok(Some(merged))
    }

    /// Whether Postgres uses the index of the staged keys. In the transaction that made it, it does
    /// not if rows were updated in place before, as the conversion of split-adjusted prices does.
    async fn uses_index(&self) -> Result<bool, StoreError> {
        self.client.batch_execute("ANALYZE staging").await?;
        let sql = "SELECT NOT indcheckxmin AS uses_index FROM pg_index
                   WHERE indexrelid = 'staged_keys'::regclass";
        Ok(self.client.query_one(sql, &[]).await?.try_get("uses_index")?)
    }

    /// Creates the index of the keys of staged prices. Returns whether no row repeats a key.
    async fn index_keys(&self) -> Result<bool, StoreError> {
        let sql = "SAVEPOINT before_index;
                   CREATE UNIQUE INDEX staged_keys ON staging (stock_id, date);
                   RELEASE SAVEPOINT before_index";
        match self.client.batch_execute(sql).await.map_err(StoreError::from) {
            Err(error) if error.has_state(&SqlState::UNIQUE_VIOLATION) => {
                self.client.batch_execute("ROLLBACK TO SAVEPOINT before_index").await?;
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    /// Merges the staged rows with the stored ones.
    async fn merge(&self) -> Result<Vec<MergedStock>, StoreError> {
        // Without statistics the join of prices would be planned for a few rows.
        self.client.batch_execute("ANALYZE staging").await?;
        let rows = self.client.query(self.table.merge(), &[]).await?;
        rows.iter().map(|row| merged_stock(row.try_get("stock_id")?, row)).collect()
    }
}

/// What a merge returned for a stock.
fn merged_stock(stock_id: i32, row: &Row) -> Result<MergedStock, StoreError> {
    let first: Option<NaiveDate> = row.try_get("first")?;
    Ok(MergedStock {
        stock_id,
        added: row.try_get("added")?,
        changed: row.try_get("changed")?,
        days: first.zip(row.try_get("last")?),
        readjusted: 0,
        converted: 0,
    })
}
