//! Renamed and delisted stocks: the table `former_symbols`. A stock keeps its history through both.

use std::collections::HashMap;

use chrono::NaiveDate;
use tokio_postgres::Client;

use super::snapshot::ON_PRIMARY;
use super::stocks::symbol;
use super::{Database, Snapshot, StockRef, StoreError};
use crate::market::Symbol;

/// Taken by every transaction that assigns symbols, so that no symbol changes hands between its
/// check and the commit. Reads are not blocked.
pub(super) const LOCK_SYMBOLS: &str = "LOCK TABLE former_symbols IN SHARE ROW EXCLUSIVE MODE";

/// The current symbol of the stock that is found under the former symbol `$1`.
const FOUND_UNDER: &str = "SELECT s.symbol FROM inherited_symbols i
                           JOIN stocks s ON s.id = i.stock_id WHERE i.symbol = $1";

/// The result of a command about a stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockUpdate {
    Done,
    /// The stock was in this state before; nothing changed.
    Unchanged,
}

/// Why a command about a stock was rejected.
#[derive(Debug, thiserror::Error)]
pub enum StockUpdateError {
    #[error("no stock has the symbol {0} now: see GET /api/stocks")]
    Unknown(Symbol),
    #[error("{symbol} is the symbol of {name}: give that stock another one first")]
    Taken { symbol: Symbol, name: String },
    #[error(
        "under {symbol}, which {heir} had before, clients would no longer get the history of {heir}"
    )]
    WouldTakeOver { symbol: Symbol, heir: String },
    #[error(
        "another stock had {symbol} until {until}: this one can't have given it up by then, \
         expected a later day"
    )]
    HadLater { symbol: Symbol, until: NaiveDate },
    #[error("{symbol} has prices up to {last}: a listing can't end before")]
    TradedLater { symbol: Symbol, last: NaiveDate },
}

impl Snapshot<'_> {
    /// The stock that has a symbol or, if none has it now, the stock that had it last. If there is
    /// none either, the one that is found by another spelling of the symbol.
    pub async fn stock_of(&self, symbol: Symbol) -> Result<Option<StockRef>, StoreError> {
        Ok(self.stocks_of(&[symbol]).await?.pop().map(|(_, stock)| stock))
    }

    /// The same for several symbols: each known stock with the symbol that was asked for.
    pub async fn stocks_of(
        &self,
        symbols: &[Symbol],
    ) -> Result<Vec<(Symbol, StockRef)>, StoreError> {
        let spellings = |symbol: &Symbol| symbol.other_spellings().chain([*symbol]);
        let found = self.stocks_under(symbols.iter().flat_map(spellings).collect()).await?;
        let asked = |symbol: &Symbol| {
            let stock = symbol.find_spelled(|spelling| found.get(&spelling).copied());
            stock.map(|stock| (*symbol, stock))
        };
        Ok(symbols.iter().filter_map(asked).collect())
    }

    /// The stocks that have, or had last, exactly these symbols.
    async fn stocks_under(
        &self,
        symbols: Vec<Symbol>,
    ) -> Result<HashMap<Symbol, StockRef>, StoreError> {
        let sql = "
            SELECT symbol AS found_by, id, symbol, data_version FROM stocks WHERE symbol = ANY ($1)
            UNION ALL SELECT i.symbol, s.id, s.symbol, s.data_version
            FROM inherited_symbols i JOIN stocks s ON s.id = i.stock_id WHERE i.symbol = ANY ($1)";
        let symbols: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        let found = |row| Ok((symbol(row, "found_by")?, StockRef::of(row)?));
        self.query(ON_PRIMARY, sql, &[&symbols]).await?.iter().map(found).collect()
    }
}

impl Database {
    /// Gives a stock a new symbol from the day `replaced_on` on. It keeps its id and history, and
    /// the old symbol still finds it. `may_take_over` allows a new symbol that still finds another
    /// stock, which had it before.
    ///
    /// # Errors
    /// If Postgres fails: then nothing was changed.
    pub async fn rename_stock(
        &self,
        symbol: Symbol,
        new: Symbol,
        replaced_on: NaiveDate,
        may_take_over: bool,
    ) -> Result<Result<StockUpdate, StockUpdateError>, StoreError> {
        let change = Transaction::begin(self).await?;
        let Some(stock_id) = change.stock(symbol).await? else {
            let found = change.found_under(symbol).await?;
            return Ok(if found.is_some_and(|current| current == new.as_str()) {
                Ok(StockUpdate::Unchanged)
            } else {
                Err(StockUpdateError::Unknown(symbol))
            });
        };
        if let Some(name) = change.name(new).await? {
            return Ok(Err(StockUpdateError::Taken { symbol: new, name }));
        }
        let found = change.found_under(new).await?;
        if let Some(heir) = found.filter(|of| of != symbol.as_str() && !may_take_over) {
            return Ok(Err(StockUpdateError::WouldTakeOver { symbol: new, heir }));
        }
        // A former symbol finds the stock that had it last, so this stock must give it up after
        // all others.
        let given_up = change.given_up_by_others(symbol, stock_id).await?;
        if let Some(until) = given_up.filter(|until| *until >= replaced_on) {
            return Ok(Err(StockUpdateError::HadLater { symbol, until }));
        }
        change.insert_former(symbol, stock_id, replaced_on).await?;
        change.set_symbol(stock_id, new).await?;
        change.commit(stock_id).await?;
        Ok(Ok(StockUpdate::Done))
    }

    /// Stores the last trading day of a stock, or with `None` that it trades again.
    ///
    /// # Errors
    /// If Postgres fails: then nothing was changed.
    pub async fn delist_stock(
        &self,
        symbol: Symbol,
        delisted_on: Option<NaiveDate>,
    ) -> Result<Result<StockUpdate, StockUpdateError>, StoreError> {
        let change = Transaction::begin(self).await?;
        let Some(stock_id) = change.stock(symbol).await? else {
            return Ok(Err(StockUpdateError::Unknown(symbol)));
        };
        let last = change.last_day(stock_id).await?;
        if let (Some(end), Some(last)) = (delisted_on, last)
            && last > end
        {
            return Ok(Err(StockUpdateError::TradedLater { symbol, last }));
        }
        if change.set_delisted(stock_id, delisted_on).await? == 0 {
            return Ok(Ok(StockUpdate::Unchanged));
        }
        change.commit(stock_id).await?;
        Ok(Ok(StockUpdate::Done))
    }
}

/// A transaction that changes one stock. Dropping it before the commit rolls it back.
struct Transaction {
    client: Client,
}

impl Transaction {
    async fn begin(database: &Database) -> Result<Self, StoreError> {
        let client = database.connect_unpooled().await?;
        client.batch_execute("BEGIN").await?;
        client.batch_execute(LOCK_SYMBOLS).await?;
        Ok(Self { client })
    }

    /// Locks the stock that has a symbol now. Waits for a load of its prices.
    async fn stock(&self, symbol: Symbol) -> Result<Option<i32>, StoreError> {
        let sql = "SELECT id FROM stocks WHERE symbol = $1 FOR UPDATE";
        let row = self.client.query_opt(sql, &[&symbol.as_str()]).await?;
        Ok(row.map(|row| row.try_get("id")).transpose()?)
    }

    async fn name(&self, symbol: Symbol) -> Result<Option<String>, StoreError> {
        let sql = "SELECT name FROM stocks WHERE symbol = $1";
        let row = self.client.query_opt(sql, &[&symbol.as_str()]).await?;
        Ok(row.map(|row| row.try_get("name")).transpose()?)
    }

    /// The current symbol of the stock that a former symbol finds.
    async fn found_under(&self, symbol: Symbol) -> Result<Option<String>, StoreError> {
        let row = self.client.query_opt(FOUND_UNDER, &[&symbol.as_str()]).await?;
        Ok(row.map(|row| row.try_get("symbol")).transpose()?)
    }

    /// The last day on which another stock gave the symbol up.
    async fn given_up_by_others(
        &self,
        symbol: Symbol,
        stock_id: i32,
    ) -> Result<Option<NaiveDate>, StoreError> {
        let sql = "
            SELECT max(replaced_on) AS until FROM former_symbols
            WHERE symbol = $1 AND stock_id <> $2";
        Ok(self.client.query_one(sql, &[&symbol.as_str(), &stock_id]).await?.try_get("until")?)
    }

    async fn last_day(&self, stock_id: i32) -> Result<Option<NaiveDate>, StoreError> {
        let sql = "SELECT max(date) AS last FROM prices WHERE stock_id = $1";
        Ok(self.client.query_one(sql, &[&stock_id]).await?.try_get("last")?)
    }

    async fn insert_former(
        &self,
        symbol: Symbol,
        stock_id: i32,
        replaced_on: NaiveDate,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO former_symbols (symbol, stock_id, replaced_on) VALUES ($1, $2, $3)
                   ON CONFLICT (symbol, stock_id) DO UPDATE SET replaced_on = excluded.replaced_on";
        self.client.execute(sql, &[&symbol.as_str(), &stock_id, &replaced_on]).await?;
        Ok(())
    }

    async fn set_symbol(&self, stock_id: i32, symbol: Symbol) -> Result<(), StoreError> {
        let sql = "UPDATE stocks SET symbol = $2 WHERE id = $1";
        self.client.execute(sql, &[&stock_id, &symbol.as_str()]).await?;
        Ok(())
    }

    async fn set_delisted(
        &self,
        stock_id: i32,
        delisted_on: Option<NaiveDate>,
    ) -> Result<u64, StoreError> {
        let sql =
            "UPDATE stocks SET delisted_on = $2 WHERE id = $1 AND delisted_on IS DISTINCT FROM $2";
        Ok(self.client.execute(sql, &[&stock_id, &delisted_on]).await?)
    }

    /// Draws the revision last: this locks the counter that every change draws from.
    async fn commit(self, stock_id: i32) -> Result<(), StoreError> {
        let sql =
            "UPDATE stocks SET data_version = next_revision(), updated_at = now() WHERE id = $1";
        self.client.execute(sql, &[&stock_id]).await?;
        Ok(self.client.batch_execute("COMMIT").await?)
    }
}
