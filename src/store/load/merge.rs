//! Staged rows into their table: a history is inserted, a day is merged.

use std::collections::HashMap;

use chrono::NaiveDate;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::{LoadError, Loader, Merged, Refusal, Repeat, Table};
use crate::store::StoreError;

/// Repeats that are named; more are not looked for.
const REPEATS_NAMED_MAX: i64 = 10;
/// From how many rows a stock on it is worth looking whether there are none of them yet. Where a
/// file has one, as a feed's day, looking costs as much as it saves.
const INSERT_FROM_ROWS_PER_STOCK: i64 = 8;

/// Adds to what was merged what was done beside it, to the same stocks and to others.
pub(super) fn add(merged: &mut Vec<Merged>, readjusted: Vec<Merged>) {
    let places: HashMap<_, _> =
        merged.iter().enumerate().map(|(place, of)| (of.stock_id, place)).collect();
    for of in readjusted {
        match (places.get(&of.stock_id), of.days) {
            (Some(&place), Some((first, last))) => {
                merged[place].add_readjusted(of.readjusted, first, last)
            }
            _ => merged.push(of),
        }
    }
}

impl Loader {
    /// Loads the staged rows, unless some repeat the subject of an earlier one.
    pub(super) async fn merge_all(&self) -> Result<Vec<Merged>, LoadError> {
        if let Some(inserted) = self.insert().await? {
            return Ok(inserted);
        }
        let repeats = self.repeats().await?;
        if repeats.is_empty() {
            Ok(self.merge().await?)
        } else {
            Err(Refusal::Repeats(repeats).into())
        }
    }

    /// The short way for prices of which there are none yet, as in a first load: they are inserted
    /// as they are, which saves a merge a third of its time and the search for repeats. `None`, and
    /// nothing done, where that is not so. What proves it is the primary key: a row that repeats
    /// another of the file, or that somebody else commits meanwhile, sends all of them the long
    /// way.
    async fn insert(&self) -> Result<Option<Vec<Merged>>, StoreError> {
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

    /// How many prices are staged of each stock; `None` where a stock has a price between their
    /// first and last day already, or where they are so few a stock that it is not worth looking.
    async fn new_prices(&self) -> Result<Option<Vec<Merged>>, StoreError> {
        let sql = format!(
            "SELECT s.stock_id, s.rows, met.date IS NULL AS is_new
             FROM staged s LEFT JOIN LATERAL (
                 SELECT date FROM prices WHERE stock_id = s.stock_id AND date >= s.first AND date <= s.last
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
            let (stock_id, added) = (row.try_get("stock_id")?, row.try_get("rows")?);
            new.push(Merged { stock_id, added, changed: 0, days: None, readjusted: 0 });
        }
        Ok(Some(new).filter(|stocks| !stocks.is_empty()))
    }

    /// Inserts in key order, as a merge does: two loads at once wait for each other instead of
    /// deadlocking.
    async fn insert_prices(&self) -> Result<(), StoreError> {
        let sql = concat!(
            "INSERT INTO prices (stock_id, ",
            bar_columns!(),
            ") SELECT stock_id, ",
            bar_columns!(),
            " FROM staging ORDER BY stock_id, date"
        );
        Ok(self.client.batch_execute(sql).await?)
    }

    /// The first rows that repeat the subject of an earlier one.
    async fn repeats(&self) -> Result<Vec<Repeat>, StoreError> {
        let sql = format!(
            "SELECT line, first FROM (SELECT line, min(line) OVER (PARTITION BY {}) AS first FROM staging) rows
             WHERE line > first ORDER BY line LIMIT {REPEATS_NAMED_MAX}",
            self.table.subject()
        );
        let line = |row: &Row, column| row.try_get(column).map(i64::unsigned_abs);
        let repeat = |row| Ok(Repeat { line: line(row, "line")?, first_line: line(row, "first")? });
        self.client.query(&sql, &[]).await?.iter().map(repeat).collect()
    }

    /// Merges the staged rows, whatever is there already.
    async fn merge(&self) -> Result<Vec<Merged>, StoreError> {
        let rows = self.client.query(self.table.merge(), &[]).await?;
        let merged = |row: &Row| {
            let first: Option<NaiveDate> = row.try_get("first")?;
            Ok(Merged {
                stock_id: row.try_get("stock_id")?,
                added: row.try_get("added")?,
                changed: row.try_get("changed")?,
                days: first.zip(row.try_get("last")?),
                readjusted: 0,
            })
        };
        rows.iter().map(merged).collect()
    }
}
