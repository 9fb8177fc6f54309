//! Takes back bars and corporate actions that are wrong and have no right value.
//!
//! A deletion is a correction like a load: the stock gets a new data version, and adjusted closes
//! that depend on the deleted rows are computed anew.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::report::MergedStock;
use super::{LoadError, Loader, Table, with_timeout};
use crate::caller::Actor;
use crate::market::{DateRange, EventKind, Symbol};
use crate::store::{Database, StoreError};

/// The rows of one stock to delete.
#[derive(Debug, Clone, Copy)]
pub struct Deletion {
    pub symbol: Symbol,
    pub rows: DeletedRows,
    pub range: DateRange,
}

#[derive(Debug, Clone, Copy)]
pub enum DeletedRows {
    Prices,
    /// Actions by their ex-date; `None` for both kinds.
    Actions(Option<EventKind>),
}

/// The rows that a deletion finds, or has deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundRows {
    pub count: i64,
    /// The first and the last day; `None` if there are no rows.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// Remaining bars whose adjusted close was computed anew.
    pub readjusted: i64,
}

impl DeletedRows {
    /// The rows of stock `$1` from `$2` to `$3`, as a condition on their table.
    fn of_stock(self) -> String {
        let (table, day, kind) = match self {
            Self::Prices => ("prices", "date", String::new()),
            Self::Actions(kind) => {
                let kind = kind.map(|kind| format!(" AND kind = '{}'", kind.as_str()));
                ("corporate_actions", "ex_date", kind.unwrap_or_default())
            }
        };
        format!(
            "FROM {table} WHERE stock_id = $1 AND {day} >= $2
             AND {day} <= coalesce($3, 'infinity'::date){kind}"
        )
    }

    fn day(self) -> &'static str {
        match self {
            Self::Prices => "date",
            Self::Actions(_) => "ex_date",
        }
    }

    /// The kind of the entry in the audit.
    fn audit_kind(self) -> &'static str {
        match self {
            Self::Prices => "price",
            Self::Actions(_) => "action",
        }
    }
}

impl Database {
    /// The rows that a deletion would delete. `None` if no stock has the symbol.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn find_rows(&self, deletion: Deletion) -> Result<Option<FoundRows>, StoreError> {
        let loader = Loader::begin(self, Table::Prices).await?;
        let timeout = loader.timeout;
        with_timeout(timeout, loader.find(deletion)).await
    }

    /// Deletes rows and commits. `None` if no stock has the symbol. Nothing changes if there are no
    /// such rows.
    ///
    /// # Errors
    /// If Postgres fails. Nothing was deleted then, unless the error is
    /// [`LoadError::OutcomeUnknown`].
    pub async fn delete_rows(
        &self,
        deletion: Deletion,
        actor: &Actor,
    ) -> Result<Option<FoundRows>, LoadError> {
        let loader = Loader::begin(self, Table::Prices).await?;
        let deleted = with_timeout(loader.timeout, loader.delete(deletion, actor)).await?;
        if deleted.is_some() {
            loader.commit_transaction().await?;
        }
        Ok(deleted)
    }
}

impl Loader {
    async fn delete(
        &self,
        deletion: Deletion,
        actor: &Actor,
    ) -> Result<Option<FoundRows>, StoreError> {
        let Deletion { symbol, rows, range } = deletion;
        let Some(stock_id) = self.lock_stock(symbol).await? else { return Ok(None) };
        let sql = format!("DELETE {} RETURNING {} AS day", rows.of_stock(), rows.day());
        let mut deleted = self.count(&sql, stock_id, range).await?;
        if let Some((first, last)) = deleted.days {
            deleted.readjusted = self.readjust_stock(stock_id).await?;
            self.record(deletion, actor, deleted.count, first, last).await?;
            self.update_data_versions(&[stock_id]).await?;
        }
        Ok(Some(deleted))
    }

    async fn find(&self, deletion: Deletion) -> Result<Option<FoundRows>, StoreError> {
        let sql = "SELECT id FROM stocks WHERE symbol = $1";
        let stock = self.client.query_opt(sql, &[&deletion.symbol.as_str()]).await?;
        let Some(stock) = stock else { return Ok(None) };
        let rows = deletion.rows;
        let sql = format!("SELECT {} AS day {}", rows.day(), rows.of_stock());
        self.count(&sql, stock.try_get("id")?, deletion.range).await.map(Some)
    }

    /// Locks a stock, so that no load changes its rows until the commit.
    async fn lock_stock(&self, symbol: Symbol) -> Result<Option<i32>, StoreError> {
        let sql = "SELECT id FROM stocks WHERE symbol = $1 FOR NO KEY UPDATE";
        let row = self.client.query_opt(sql, &[&symbol.as_str()]).await?;
        Ok(row.map(|row| row.try_get("id")).transpose()?)
    }

    /// Runs a statement that returns a `day` for each row, and counts the rows.
    async fn count(
        &self,
        sql: &str,
        stock_id: i32,
        range: DateRange,
    ) -> Result<FoundRows, StoreError> {
        let rows = self.client.query(sql, &[&stock_id, &range.start(), &range.end()]).await?;
        let day = |row: &Row| row.try_get::<_, NaiveDate>("day");
        let days = rows.iter().map(day).collect::<Result<Vec<_>, _>>()?;
        let range = days.iter().min().copied().zip(days.iter().max().copied());
        Ok(FoundRows { count: days.len() as i64, days: range, readjusted: 0 })
    }

    /// Computes the adjusted closes of a stock anew, unless they come from a feed. Returns how many
    /// changed.
    async fn readjust_stock(&self, stock_id: i32) -> Result<i64, StoreError> {
        let stock = MergedStock { stock_id, ..MergedStock::default() };
        let stocks = self.compute_factors_of_merged(&[stock]).await?;
        let changed = self.readjust_computed(&stocks).await?;
        Ok(changed.iter().map(|stock| stock.readjusted).sum())
    }

    async fn record(
        &self,
        deletion: Deletion,
        actor: &Actor,
        count: i64,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO audit (actor, action, kind, subject, was)
                   VALUES ($1, 'delete', $2, $3, jsonb_build_object(
                       'rows', $4::bigint, 'from', $5::date, 'to', $6::date))";
        let kind = deletion.rows.audit_kind();
        let symbol = deletion.symbol.as_str();
        self.client.execute(sql, &[&actor.as_str(), &kind, &symbol, &count, &first, &last]).await?;
        Ok(())
    }
}
