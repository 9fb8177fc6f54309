//! The table `stocks`.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;

use super::{Store, StoreError};
use crate::market::Symbol;

/// What is known about a stock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// Its symbol.
    pub id: String,
    pub name: String,
    /// The code of an exchange.
    pub exchange: String,
    pub sector: Option<String>,
    pub industry: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// In `currency`.
    pub market_cap: Option<i64>,
    /// When anything about the stock, its prices included, last changed here.
    pub updated_at: DateTime<Utc>,
    /// The last day of trading; null while it is listed.
    pub delisted_on: Option<NaiveDate>,
    /// What it was called before, the newest first. It is found under these, too, until another
    /// stock takes one.
    pub former_symbols: Vec<FormerSymbol>,
    /// The first day with prices; null without any.
    pub first_date: Option<NaiveDate>,
    /// The last day with prices; null without any.
    pub last_date: Option<NaiveDate>,
}

/// A symbol that a stock had.
#[derive(Debug, Serialize, ToSchema)]
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
    pub(super) fn of(id: i32, symbol: &str, version: i64) -> Result<Self, StoreError> {
        let symbol =
            symbol.parse().map_err(|_| StoreError::Corrupt(format!("{symbol:?} is no symbol")))?;
        Ok(Self { id, symbol, version })
    }
}

impl Store {
    pub async fn find_stock(&self, stock: StockRef) -> Result<Option<Stock>, StoreError> {
        Ok(self.stocks(&[stock.id], stock.version).await?.pop())
    }

    /// Stocks in the order of their ids here, as of `version` or later.
    pub async fn stocks(&self, ids: &[i32], version: i64) -> Result<Vec<Stock>, StoreError> {
        let sql = "SELECT s.symbol, s.name, s.exchange, s.sector, s.industry, s.currency, s.market_cap, s.updated_at,
                       s.delisted_on,
                       ARRAY(SELECT f.symbol FROM former_symbols f WHERE f.stock_id = s.id AND f.symbol <> s.symbol
                             ORDER BY f.replaced_on DESC, f.symbol),
                       ARRAY(SELECT f.replaced_on FROM former_symbols f WHERE f.stock_id = s.id AND f.symbol <> s.symbol
                             ORDER BY f.replaced_on DESC, f.symbol),
                       (SELECT date FROM prices WHERE stock_id = s.id ORDER BY date LIMIT 1),
                       (SELECT date FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1)
                   FROM unnest($1::int4[]) WITH ORDINALITY AS wanted (id, place) JOIN stocks s ON s.id = wanted.id
                   ORDER BY wanted.place";
        Ok(self.content(version, sql, &[&ids]).await?.iter().map(read).collect())
    }
}

fn read(row: &Row) -> Stock {
    let (symbols, days): (Vec<String>, Vec<NaiveDate>) = (row.get(9), row.get(10));
    let former = symbols
        .into_iter()
        .zip(days)
        .map(|(symbol, replaced_on)| FormerSymbol { symbol, replaced_on });
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
        first_date: row.get(11),
        last_date: row.get(12),
    }
}
