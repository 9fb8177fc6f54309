//! What the rows of a file may refer to.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, TimeDelta, Utc};

use super::{Loader, Table, within};
use crate::market::Symbol;
use crate::store::StoreError;
use crate::store::stocks::symbol;
use crate::store::symbols::LOCK_SYMBOLS;

/// How far the easternmost clocks are ahead of UTC.
const EAST: TimeDelta = TimeDelta::hours(14);

/// What rows may refer to.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Who is meant by each symbol: the stock that has it or, where none has, the one that had it
    /// last.
    pub stocks: HashMap<Symbol, KnownStock>,
    /// More about those symbols that no stock has now.
    pub former: HashMap<Symbol, Former>,
    pub exchanges: HashSet<String>,
    /// From which day on a symbol was free that another stock had before, where who has it now
    /// never had another one: it can have no earlier day under it.
    pub free_since: HashMap<Symbol, NaiveDate>,
    /// The latest date that it is anywhere: no day of trading lies beyond. `None` for no bound.
    pub today: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy)]
pub struct KnownStock {
    pub id: i32,
    /// Its symbol now.
    pub symbol: Symbol,
    /// Its last day of trading, where that is over.
    pub delisted_on: Option<NaiveDate>,
}

/// What a former symbol says about who is meant by it.
#[derive(Debug, Clone)]
pub struct Former {
    /// The name of its stock.
    pub name: String,
    /// The first day under the symbol that came after.
    pub replaced_on: NaiveDate,
}

impl Known {
    /// From now on these symbols, where they are only former ones, are those of stocks that are not
    /// known yet.
    pub fn give_away(&mut self, symbols: &[Symbol]) {
        for symbol in symbols {
            if self.former.remove(symbol).is_some() {
                self.stocks.remove(symbol);
            }
        }
    }
}

impl Loader {
    /// # Errors
    /// When Postgres fails, or a rename of stocks holds this up for too long.
    pub async fn known(&self) -> Result<Known, StoreError> {
        within(self.timeout, self.read_known()).await
    }

    async fn read_known(&self) -> Result<Known, StoreError> {
        if self.table == Table::Stocks {
            // Rows name their stocks by symbol until they are merged: no symbol may change hands
            // meanwhile.
            self.client.batch_execute(LOCK_SYMBOLS).await?;
        }
        let mut known = Known { today: Some((Utc::now() + EAST).date_naive()), ..Known::default() };
        let sql = "SELECT symbol AS found_by, id, symbol, delisted_on, name, NULL AS replaced_on FROM stocks
                   UNION ALL SELECT i.symbol, s.id, s.symbol, s.delisted_on, s.name, i.replaced_on
                   FROM inherited_symbols i JOIN stocks s ON s.id = i.stock_id";
        for row in self.client.query(sql, &[]).await? {
            let found_by = symbol(&row, "found_by")?;
            let stock = KnownStock {
                id: row.try_get("id")?,
                symbol: symbol(&row, "symbol")?,
                delisted_on: row.try_get("delisted_on")?,
            };
            known.stocks.insert(found_by, stock);
            if let Some(replaced_on) = row.try_get("replaced_on")? {
                known.former.insert(found_by, Former { name: row.try_get("name")?, replaced_on });
            }
        }
        let sql = "SELECT s.symbol, max(f.replaced_on) AS free_since FROM stocks s
                   JOIN former_symbols f ON f.symbol = s.symbol AND f.stock_id <> s.id
                   WHERE NOT EXISTS (SELECT FROM former_symbols own WHERE own.stock_id = s.id) GROUP BY s.symbol";
        for row in self.client.query(sql, &[]).await? {
            known.free_since.insert(symbol(&row, "symbol")?, row.try_get("free_since")?);
        }
        let exchanges = self.client.query("SELECT code FROM exchanges", &[]).await?;
        known.exchanges =
            exchanges.iter().map(|row| row.try_get("code")).collect::<Result<_, _>>()?;
        Ok(known)
    }
}
