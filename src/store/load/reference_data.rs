//! Reference data: the stocks and exchanges that the rows of a file may refer to.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use tokio_postgres::Row;

use super::{Loader, Table, with_timeout};
use crate::market::{Calendar, Symbol};
use crate::store::StoreError;
use crate::store::stocks::symbol;
use crate::store::symbols::LOCK_SYMBOLS;

/// The stocks and exchanges that rows may refer to.
#[derive(Debug, Clone, Default)]
pub struct ReferenceData {
    /// The stock of each symbol: the one that has it or, if none has it now, the one that had it
    /// last.
    pub stocks: HashMap<Symbol, KnownStock>,
    /// Details of the symbols that no stock has now.
    pub inherited: HashMap<Symbol, InheritedSymbol>,
    /// The currency of each stock, by its id.
    pub currencies: HashMap<i32, String>,
    /// The code of each exchange, under the code and under the MIC.
    pub exchanges: HashMap<String, String>,
    /// The first day on which a stock can have its symbol, if another stock had the symbol before.
    /// Only for stocks that never had another symbol: these have no earlier days.
    pub free_since: HashMap<Symbol, NaiveDate>,
    /// The present time: no trading day is later. `None` for no bound.
    pub now: Option<DateTime<Utc>>,
    /// Whether prices and actions of days without trading are accepted.
    pub keeps_closed_days: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct KnownStock {
    pub id: i32,
    /// The symbol that it has now.
    pub symbol: Symbol,
    /// The time zone of its exchange.
    pub zone: Tz,
    /// Whether its exchange is one of the US, as far as its country is known.
    pub may_be_in_us: bool,
    /// The last trading day; `None` while the stock is listed.
    pub delisted_on: Option<NaiveDate>,
    /// The calendar of its exchange; `None` where it is not known.
    pub calendar: Option<&'static Calendar>,
}

/// A former symbol that still finds the stock that had it last.
#[derive(Debug, Clone)]
pub struct InheritedSymbol {
    /// The name of the stock.
    pub name: String,
    /// The first day under the stock's next symbol.
    pub replaced_on: NaiveDate,
}

impl ReferenceData {
    /// The stock of a symbol, and the spelling of the symbol that finds it. `SAN.US` is not the
    /// `SAN` of Paris.
    pub fn find(&self, symbol: Symbol) -> Option<(Symbol, KnownStock)> {
        let is_of_us = |spelling: Symbol| is_marked_us(symbol) && !is_marked_us(spelling);
        symbol.find_spelled(|spelling| {
            let stock = *self.stocks.get(&spelling)?;
            (stock.may_be_in_us || !is_of_us(spelling)).then_some((spelling, stock))
        })
    }

    /// Frees these symbols for new stocks, as far as they are former symbols.
    pub fn free(&mut self, symbols: &[Symbol]) {
        for symbol in symbols {
            if self.inherited.remove(symbol).is_some() {
                self.stocks.remove(symbol);
            }
        }
    }
}

/// Whether a symbol has the suffix that some vendors give every US stock.
fn is_marked_us(symbol: Symbol) -> bool {
    symbol.as_str().ends_with(".US")
}

impl Loader {
    /// Reads the stocks and exchanges that rows may refer to.
    ///
    /// # Errors
    /// If Postgres fails, or a rename of stocks blocks this for too long.
    pub async fn reference_data(&self) -> Result<ReferenceData, StoreError> {
        with_timeout(self.timeout, self.read_reference_data()).await
    }

    async fn read_reference_data(&self) -> Result<ReferenceData, StoreError> {
        if self.table == Table::Stocks {
            // Rows refer to stocks by symbol until the merge, so no symbol may change hands before.
            self.client.batch_execute(LOCK_SYMBOLS).await?;
        }
        let mut data = ReferenceData { now: Some(Utc::now()), ..ReferenceData::default() };
        let sql = "
            SELECT s.symbol AS found_by, s.id, s.symbol, s.delisted_on, e.calendar_name, s.name,
                   e.time_zone, coalesce(e.country, 'US') = 'US' AS may_be_in_us,
                   NULL AS replaced_on
            FROM stocks s JOIN exchanges e ON e.code = s.exchange
            UNION ALL
            SELECT i.symbol, s.id, s.symbol, s.delisted_on, e.calendar_name, s.name,
                   e.time_zone, coalesce(e.country, 'US') = 'US', i.replaced_on
            FROM inherited_symbols i JOIN stocks s ON s.id = i.stock_id
            JOIN exchanges e ON e.code = s.exchange";
        for row in self.client.query(sql, &[]).await? {
            let found_by = symbol(&row, "found_by")?;
            let stock = KnownStock {
                id: row.try_get("id")?,
                symbol: symbol(&row, "symbol")?,
                zone: zone(&row)?,
                may_be_in_us: row.try_get("may_be_in_us")?,
                delisted_on: row.try_get("delisted_on")?,
                calendar: Calendar::of(row.try_get("calendar_name")?),
            };
            data.stocks.insert(found_by, stock);
            if let Some(replaced_on) = row.try_get("replaced_on")? {
                data.inherited
                    .insert(found_by, InheritedSymbol { name: row.try_get("name")?, replaced_on });
            }
        }
        let sql = "
            SELECT s.symbol, max(f.replaced_on) AS free_since FROM stocks s
            JOIN former_symbols f ON f.symbol = s.symbol AND f.stock_id <> s.id
            WHERE NOT EXISTS (SELECT FROM former_symbols own WHERE own.stock_id = s.id)
            GROUP BY s.symbol";
        for row in self.client.query(sql, &[]).await? {
            data.free_since.insert(symbol(&row, "symbol")?, row.try_get("free_since")?);
        }
        if self.table != Table::Stocks {
            for row in self.client.query("SELECT id, currency FROM stocks", &[]).await? {
                data.currencies.insert(row.try_get("id")?, row.try_get("currency")?);
            }
        }
        // Codes come last: one may be the MIC of another exchange.
        let sql = "SELECT mic AS name, code FROM exchanges WHERE mic IS NOT NULL
                   UNION ALL SELECT code, code FROM exchanges";
        for row in self.client.query(sql, &[]).await? {
            data.exchanges.insert(row.try_get("name")?, row.try_get("code")?);
        }
        Ok(data)
    }
}

/// The time zone of an exchange: New York's if the name is unknown, as for requests.
fn zone(row: &Row) -> Result<Tz, StoreError> {
    let name: &str = row.try_get("time_zone")?;
    Ok(name.parse().unwrap_or(Tz::America__New_York))
}
