//! The table `stocks`.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tokio_postgres::Row;

use super::{Store, StoreFault};
use crate::market::Symbol;

/// What is known about a stock, in the form in which it is published. `id` is the symbol.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    pub id: String,
    pub name: String,
    pub exchange: String,
    pub sector: Option<String>,
    pub industry: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// In `currency`.
    pub market_cap: Option<i64>,
    /// When anything about the stock, its prices included, last changed here.
    pub updated_at: DateTime<Utc>,
    /// The last day of trading; `None` while it is listed.
    pub delisted_on: Option<NaiveDate>,
    /// What it was called before, the newest first. It is found under these, too, until another stock takes one.
    pub former_symbols: Vec<FormerSymbol>,
}

/// A symbol that a stock had.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerSymbol {
    pub symbol: String,
    /// The first day under the symbol that came after.
    pub replaced_on: NaiveDate,
}

/// Which stock is meant, and the data version that it is to be read as of, or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockRef {
    pub id: i32,
    /// Its own, whatever it was asked for by.
    pub symbol: Symbol,
    pub version: i64,
}

impl StockRef {
    /// As it came from Postgres.
    pub(super) fn of(id: i32, symbol: &str, version: i64) -> Result<Self, StoreFault> {
        let symbol = symbol.parse().map_err(|_| StoreFault::Broken(format!("{symbol:?} is no symbol")))?;
        Ok(Self { id, symbol, version })
    }
}

/// Which stocks to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockFilter {
    pub exchange: Option<String>,
    pub sector: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    pub limit: u32,
    pub offset: u32,
}

impl Store {
    pub async fn find_stock(&self, stock: StockRef) -> Result<Option<Stock>, StoreFault> {
        let sql = "SELECT symbol, name, exchange, sector, industry, currency, market_cap, updated_at, delisted_on,
                       ARRAY(SELECT f.symbol FROM former_symbols f WHERE f.stock_id = s.id AND f.symbol <> s.symbol
                             ORDER BY f.replaced_on DESC, f.symbol),
                       ARRAY(SELECT f.replaced_on FROM former_symbols f WHERE f.stock_id = s.id AND f.symbol <> s.symbol
                             ORDER BY f.replaced_on DESC, f.symbol)
                   FROM stocks s WHERE id = $1";
        Ok(self.content(stock.version, sql, &[&stock.id]).await?.first().map(read))
    }

    /// Stocks ordered by symbol, as of `version` or later.
    pub async fn list_stocks(
        &self,
        filter: &StockFilter,
        page: Listing,
        version: i64,
    ) -> Result<Vec<Stock>, StoreFault> {
        // The C collation orders symbols by their bytes on every server alike.
        let sql = "SELECT symbol, name, exchange, sector, industry, currency, market_cap, updated_at, delisted_on,
                       ARRAY(SELECT f.symbol FROM former_symbols f WHERE f.stock_id = s.id AND f.symbol <> s.symbol
                             ORDER BY f.replaced_on DESC, f.symbol),
                       ARRAY(SELECT f.replaced_on FROM former_symbols f WHERE f.stock_id = s.id AND f.symbol <> s.symbol
                             ORDER BY f.replaced_on DESC, f.symbol)
                   FROM stocks s
                   WHERE ($1::text IS NULL OR exchange = $1) AND ($2::text IS NULL OR sector = $2)
                   ORDER BY symbol COLLATE \"C\" LIMIT $3 OFFSET $4";
        let (limit, offset) = (i64::from(page.limit), i64::from(page.offset));
        let rows = self.content(version, sql, &[&filter.exchange, &filter.sector, &limit, &offset]).await?;
        Ok(rows.iter().map(read).collect())
    }
}

fn read(row: &Row) -> Stock {
    let (symbols, days): (Vec<String>, Vec<NaiveDate>) = (row.get(9), row.get(10));
    let former = symbols.into_iter().zip(days).map(|(symbol, replaced_on)| FormerSymbol { symbol, replaced_on });
    Stock {
        id: row.get(0),
        name: row.get(1),
        exchange: row.get(2),
        sector: row.get(3),
        industry: row.get(4),
        currency: row.get(5),
        market_cap: row.get(6),
        updated_at: row.get(7),
        delisted_on: row.get(8),
        former_symbols: former.collect(),
    }
}
