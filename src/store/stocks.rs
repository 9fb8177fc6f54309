//! The table `stocks`.

use chrono::{DateTime, Utc};
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
    /// As of `version` or later.
    pub async fn find_stock(&self, symbol: Symbol, version: i64) -> Result<Option<Stock>, StoreFault> {
        let sql = "SELECT symbol, name, exchange, sector, industry, currency, market_cap, updated_at
                   FROM stocks WHERE symbol = $1";
        Ok(self.content(version, sql, &[&symbol.as_str()]).await?.first().map(stock))
    }

    /// Stocks ordered by symbol, as of `version` or later.
    pub async fn list_stocks(
        &self,
        filter: &StockFilter,
        page: Listing,
        version: i64,
    ) -> Result<Vec<Stock>, StoreFault> {
        // The C collation orders symbols by their bytes on every server alike.
        let sql = "SELECT symbol, name, exchange, sector, industry, currency, market_cap, updated_at FROM stocks
                   WHERE ($1::text IS NULL OR exchange = $1) AND ($2::text IS NULL OR sector = $2)
                   ORDER BY symbol COLLATE \"C\" LIMIT $3 OFFSET $4";
        let (limit, offset) = (i64::from(page.limit), i64::from(page.offset));
        let rows = self.content(version, sql, &[&filter.exchange, &filter.sector, &limit, &offset]).await?;
        Ok(rows.iter().map(stock).collect())
    }
}

fn stock(row: &Row) -> Stock {
    Stock {
        id: row.get(0),
        name: row.get(1),
        exchange: row.get(2),
        sector: row.get(3),
        industry: row.get(4),
        currency: row.get(5),
        market_cap: row.get(6),
        updated_at: row.get(7),
    }
}
