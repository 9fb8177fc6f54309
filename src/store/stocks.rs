//! The table `stocks`.

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::Row;

use super::{Snapshot, StoreError};
use crate::market::{InstrumentType, Symbol};

/// A stock with its symbols and its range of days.
#[derive(Debug)]
pub struct StockRecord {
    pub symbol: String,
    pub name: String,
    /// The code of its exchange.
    pub exchange: String,
    pub sector: Option<String>,
    pub industry: Option<String>,
    /// ISO 4217, or a minor unit such as GBX.
    pub currency: String,
    /// In `currency`.
    pub market_cap: Option<i64>,
    pub instrument_type: Option<InstrumentType>,
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
    pub isin: Option<String>,
    pub cusip: Option<String>,
    pub figi: Option<String>,
    /// Of the company at the US Securities and Exchange Commission.
    pub cik: Option<String>,
    /// When the stock or its prices last changed; `None` as of an earlier time.
    pub updated_at: Option<DateTime<Utc>>,
    /// The last trading day; `None` while the stock is listed.
    pub delisted_on: Option<NaiveDate>,
    /// Former symbols with the first day under the next symbol, newest first.
    pub former_symbols: Vec<(String, NaiveDate)>,
    /// The first day with prices.
    pub first_date: Option<NaiveDate>,
    /// The last day with prices.
    pub last_date: Option<NaiveDate>,
}

/// A stock, and the data version as of which, or later, it must be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockRef {
    pub id: i32,
    /// The symbol that it has now.
    pub symbol: Symbol,
    pub version: i64,
}

impl StockRef {
    /// The stock in the columns `id`, `symbol` and `data_version`.
    pub(super) fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            symbol: symbol(row, "symbol")?,
            version: row.try_get("data_version")?,
        })
    }
}

/// The symbol in a column.
pub(super) fn symbol(row: &Row, column: &str) -> Result<Symbol, StoreError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| StoreError::Corrupt(format!("{text:?} is not a symbol")))
}

impl Snapshot<'_> {
    pub async fn find_stock(&self, stock: StockRef) -> Result<Option<StockRecord>, StoreError> {
        Ok(self.stocks(&[stock.id], stock.version).await?.pop())
    }

    /// The stocks with these ids, in their order, as of `version` or later.
    pub async fn stocks(&self, ids: &[i32], version: i64) -> Result<Vec<StockRecord>, StoreError> {
        let sql = "
            SELECT s.symbol, s.name, s.exchange, s.sector, s.industry, s.currency, s.market_cap,
                s.type, s.country, s.isin, s.cusip, s.figi, s.cik, s.updated_at, s.delisted_on,
                ARRAY(SELECT f.symbol FROM former_symbols f
                      WHERE f.stock_id = s.id AND f.symbol <> s.symbol
                      ORDER BY f.replaced_on DESC, f.symbol) AS former_symbols,
                ARRAY(SELECT f.replaced_on FROM former_symbols f
                      WHERE f.stock_id = s.id AND f.symbol <> s.symbol
                      ORDER BY f.replaced_on DESC, f.symbol) AS former_symbols_replaced_on,
                (SELECT date FROM prices WHERE stock_id = s.id
                 ORDER BY date LIMIT 1) AS first_date,
                (SELECT date FROM prices WHERE stock_id = s.id
                 ORDER BY date DESC LIMIT 1) AS last_date
            FROM unnest($1::int4[]) WITH ORDINALITY AS wanted (id, place)
            JOIN stocks s ON s.id = wanted.id
            ORDER BY wanted.place";
        self.query(version, sql, &[&ids]).await?.iter().map(stock_record).collect()
    }
}

fn stock_record(row: &Row) -> Result<StockRecord, StoreError> {
    let symbols: Vec<String> = row.try_get("former_symbols")?;
    let days: Vec<NaiveDate> = row.try_get("former_symbols_replaced_on")?;
    Ok(StockRecord {
        symbol: row.try_get("symbol")?,
        name: row.try_get("name")?,
        exchange: row.try_get("exchange")?,
        sector: row.try_get("sector")?,
        industry: row.try_get("industry")?,
        currency: row.try_get("currency")?,
        market_cap: row.try_get("market_cap")?,
        instrument_type: instrument_type(row)?,
        country: row.try_get("country")?,
        isin: row.try_get("isin")?,
        cusip: row.try_get("cusip")?,
        figi: row.try_get("figi")?,
        cik: row.try_get("cik")?,
        updated_at: row.try_get("updated_at")?,
        delisted_on: row.try_get("delisted_on")?,
        former_symbols: symbols.into_iter().zip(days).collect(),
        first_date: row.try_get("first_date")?,
        last_date: row.try_get("last_date")?,
    })
}

fn instrument_type(row: &Row) -> Result<Option<InstrumentType>, StoreError> {
    let word: Option<&str> = row.try_get("type")?;
    // A word of a newer release must not make a page of stocks unreadable.
    Ok(word.map(|word| word.parse().unwrap_or(InstrumentType::Other)))
}
