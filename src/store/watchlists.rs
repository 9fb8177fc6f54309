//! The table `watchlists`. It is read from the primary and never cached, so every instance reads
//! what was last written.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{StockRef, Store, StoreError};
use crate::caller::{WatchlistId, WatchlistName};

/// The most watchlists of one owner. A trigger of the table enforces it, also for concurrent
/// writes.
pub const WATCHLISTS_PER_OWNER_MAX: usize = 100;
/// The most stocks of one watchlist. A check constraint of the table enforces it.
pub const STOCKS_PER_WATCHLIST_MAX: usize = 100;

/// Selects the columns of [`WatchlistRecord::of`] from rows of `watchlists`, or from rows that a
/// statement has just written.
macro_rules! watchlist_of {
    ($rows:literal) => {
        concat!(
            "SELECT w.id, w.name, w.created_at, w.updated_at,
                    ARRAY(SELECT s.symbol
                          FROM unnest(w.stock_ids) WITH ORDINALITY AS listed (id, place)
                          JOIN stocks s USING (id) ORDER BY listed.place) AS symbols
             FROM ",
            $rows,
            " w "
        )
    };
}

/// A list of stocks of one owner.
#[derive(Debug)]
pub struct WatchlistRecord {
    pub id: String,
    pub name: String,
    /// The current symbols of the stocks, in the owner's order.
    pub symbols: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Changes of a list. The stocks are replaced first, then some are added at the end, then some are
/// removed.
#[derive(Debug, Default)]
pub struct WatchlistChange {
    pub name: Option<WatchlistName>,
    /// Ids of stocks. Of a repeated id the first position counts, here and in `add`.
    pub stocks: Option<Vec<i32>>,
    pub add: Vec<i32>,
    pub remove: Vec<i32>,
}

/// The outcome of a write that constraints may reject.
#[derive(Debug)]
pub enum WatchlistWrite {
    Done(WatchlistRecord),
    /// The owner has no such list.
    NotFound,
    /// The owner has another list of this name.
    NameTaken,
    /// The owner has [`WATCHLISTS_PER_OWNER_MAX`] lists.
    TooManyLists,
    /// The list would have more than [`STOCKS_PER_WATCHLIST_MAX`] stocks.
    TooManyStocks,
}

impl Store {
    /// Lists the watchlists of an owner, oldest first.
    pub async fn watchlists(&self, owner: &str) -> Result<Vec<WatchlistRecord>, StoreError> {
        let sql =
            concat!(watchlist_of!("watchlists"), "WHERE w.owner = $1 ORDER BY w.created_at, w.id");
        self.query(sql, &[&owner]).await?.iter().map(WatchlistRecord::of).collect()
    }

    pub async fn find_watchlist(
        &self,
        owner: &str,
        id: &WatchlistId,
    ) -> Result<Option<WatchlistRecord>, StoreError> {
        let sql = concat!(watchlist_of!("watchlists"), "WHERE w.id = $1 AND w.owner = $2");
        self.query(sql, &[&id.as_str(), &owner]).await?.first().map(WatchlistRecord::of).transpose()
    }

    /// A list's name and its stocks in their order; `None` if the owner has no such list.
    pub async fn watchlist_stocks(
        &self,
        owner: &str,
        id: &WatchlistId,
    ) -> Result<Option<(String, Vec<StockRef>)>, StoreError> {
        let sql = "
            SELECT w.name, s.id, s.symbol, s.data_version
            FROM watchlists w
            LEFT JOIN LATERAL unnest(w.stock_ids) WITH ORDINALITY AS listed (id, place) ON true
            LEFT JOIN stocks s ON s.id = listed.id
            WHERE w.id = $1 AND w.owner = $2 ORDER BY listed.place";
        let rows = self.query(sql, &[&id.as_str(), &owner]).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut stocks = Vec::new();
        for row in &rows {
            // An empty list is one row without a stock.
            if row.try_get::<_, Option<i32>>("id")?.is_some() {
                stocks.push(StockRef::of(row)?);
            }
        }
        Ok(Some((first.try_get("name")?, stocks)))
    }

    pub async fn insert_watchlist(
        &self,
        owner: &str,
        id: &WatchlistId,
        name: &WatchlistName,
        stocks: &[i32],
    ) -> Result<WatchlistWrite, StoreError> {
        let sql = concat!(
            "WITH new AS (INSERT INTO watchlists (id, owner, name, stock_ids)
                          VALUES ($1, $2, $3,
                                  ARRAY(SELECT id
                                        FROM unnest($4::integer[])
                                             WITH ORDINALITY AS asked (id, place)
                                        GROUP BY id ORDER BY min(place)))
                          RETURNING *) ",
            watchlist_of!("new")
        );
        write_outcome(self.query_once(sql, &[&id.as_str(), &owner, &name.as_str(), &stocks]).await)
    }

    pub async fn change_watchlist(
        &self,
        owner: &str,
        id: &WatchlistId,
        change: &WatchlistChange,
    ) -> Result<WatchlistWrite, StoreError> {
        let sql = concat!(
            "WITH changed AS (
                 UPDATE watchlists
                 SET name = coalesce($3, name), updated_at = now(),
                     stock_ids = ARRAY(
                         SELECT listed.id
                         FROM unnest(coalesce($4, stock_ids) || $5::integer[])
                              WITH ORDINALITY AS listed (id, place)
                         WHERE listed.id <> ALL ($6::integer[])
                         GROUP BY listed.id ORDER BY min(place))
                 WHERE id = $1 AND owner = $2 RETURNING *) ",
            watchlist_of!("changed")
        );
        let WatchlistChange { name, stocks, add, remove } = change;
        let name = name.as_ref().map(WatchlistName::as_str);
        write_outcome(
            self.query_once(sql, &[&id.as_str(), &owner, &name, stocks, add, remove]).await,
        )
    }

    /// Deletes a list. Returns whether the owner had it.
    pub async fn delete_watchlist(
        &self,
        owner: &str,
        id: &WatchlistId,
    ) -> Result<bool, StoreError> {
        let sql = "DELETE FROM watchlists WHERE id = $1 AND owner = $2 RETURNING id";
        Ok(!self.query_once(sql, &[&id.as_str(), &owner]).await?.is_empty())
    }
}

/// Turns violated constraints into outcomes.
fn write_outcome(answer: Result<Vec<Row>, StoreError>) -> Result<WatchlistWrite, StoreError> {
    let error = match answer {
        Ok(rows) => {
            let Some(row) = rows.first() else { return Ok(WatchlistWrite::NotFound) };
            return WatchlistRecord::of(row).map(WatchlistWrite::Done);
        }
        Err(error) => error,
    };
    match error.constraint() {
        Some("watchlists_name") => Ok(WatchlistWrite::NameTaken),
        Some("watchlists_per_owner") => Ok(WatchlistWrite::TooManyLists),
        Some("watchlists_length") => Ok(WatchlistWrite::TooManyStocks),
        _ => Err(error),
    }
}

impl WatchlistRecord {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            symbols: row.try_get("symbols")?,
        })
    }
}
