//! The table `exchanges`.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use tokio_postgres::Row;

use super::{Store, StoreError};
use crate::market::{Calendar, Exchange, Market};

/// An exchange, and the number of its stocks.
#[derive(Debug)]
pub struct ExchangeRecord {
    pub code: String,
    pub name: String,
    /// The market identifier code (ISO 10383).
    pub mic: Option<String>,
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// IANA name.
    pub time_zone: String,
    /// The start of the regular session in local time.
    pub opens_at: Option<NaiveTime>,
    /// The end of the regular session in local time.
    pub closes_at: NaiveTime,
    pub calendar: Option<&'static Calendar>,
    /// Delisted stocks included.
    pub stocks: i64,
}

/// An exchange with what decides whether it trades.
#[derive(Debug)]
pub struct MarketRecord {
    pub code: String,
    pub mic: Option<String>,
    pub market: Market,
    /// Delisted stocks count.
    pub has_stocks: bool,
}

/// How new the prices of an exchange are.
#[derive(Debug)]
pub struct NewestDay {
    pub exchange: String,
    /// The newest day with prices; `None` if no stock has any.
    pub date: Option<NaiveDate>,
    /// When a stock with prices of this day last changed.
    pub loaded_at: Option<DateTime<Utc>>,
    /// The number of listed stocks.
    pub stocks: i64,
    /// The number of listed stocks with prices of this day.
    pub stocks_with_newest: i64,
}

impl Store {
    /// All exchanges by their codes. An exchange with an invalid time zone is left out with a log
    /// line, so that it does not block the others.
    pub async fn exchanges(&self) -> Result<HashMap<String, Exchange>, StoreError> {
        let rows = self
            .query_in_background("SELECT code, time_zone, closes_at FROM exchanges", &[])
            .await?;
        rows.iter().filter_map(|row| exchange(row).transpose()).collect()
    }

    /// All exchanges with their calendars, ordered by code, as of `version` or later. An exchange
    /// with an invalid time zone is left out.
    pub async fn markets(&self, version: i64) -> Result<Vec<MarketRecord>, StoreError> {
        let sql = "
            SELECT e.code, e.mic, e.time_zone, e.opens_at, e.closes_at, e.calendar_name,
                   EXISTS (SELECT FROM stocks WHERE exchange = e.code) AS has_stocks
            FROM exchanges e ORDER BY e.code COLLATE \"C\"";
        let rows = self.now().query(version, sql, &[]).await?;
        rows.iter().filter_map(|row| market_record(row).transpose()).collect()
    }

    /// All exchanges with their names and stock counts, ordered by code, as of `version` or later.
    pub async fn exchange_records(&self, version: i64) -> Result<Vec<ExchangeRecord>, StoreError> {
        let sql = "
            SELECT e.code, e.name, e.mic, e.country, e.currency, e.time_zone, e.opens_at,
                   e.closes_at, e.calendar_name, count(s.id) AS stocks
            FROM exchanges e LEFT JOIN stocks s ON s.exchange = e.code
            GROUP BY e.code ORDER BY e.code COLLATE \"C\"";
        self.now().query(version, sql, &[]).await?.iter().map(exchange_record).collect()
    }

    /// The newest day with prices of each exchange that has stocks, ordered by code, as of
    /// `version` or later.
    pub async fn newest_days(&self, version: i64) -> Result<Vec<NewestDay>, StoreError> {
        let sql =
            "SELECT exchange, newest, max(updated_at) FILTER (WHERE date = newest) AS loaded_at,
                          count(*) FILTER (WHERE is_listed) AS stocks,
                          count(*) FILTER (WHERE is_listed AND date = newest) AS stocks_with_newest
                   FROM (
                       SELECT s.exchange, s.updated_at, s.delisted_on IS NULL AS is_listed, p.date,
                              max(p.date) OVER (PARTITION BY s.exchange) AS newest
                       FROM stocks s LEFT JOIN LATERAL (
                           SELECT date FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1
                       ) p ON true
                   ) stocks
                   GROUP BY exchange, newest ORDER BY exchange COLLATE \"C\"";
        self.now().scan(version, sql, &[]).await?.iter().map(newest_day).collect()
    }
}

/// The exchange under its code; `None` if its time zone is not an IANA name.
fn exchange(row: &Row) -> Result<Option<(String, Exchange)>, StoreError> {
    let code: String = row.try_get("code")?;
    let zone: &str = row.try_get("time_zone")?;
    let Ok(zone) = zone.parse() else {
        tracing::error!(
            code,
            zone,
            "this exchange's time zone is not an IANA name: New York's is used"
        );
        return Ok(None);
    };
    Ok(Some((code, Exchange { zone, closes_at: row.try_get("closes_at")? })))
}

fn market_record(row: &Row) -> Result<Option<MarketRecord>, StoreError> {
    let Some((code, exchange)) = exchange(row)? else { return Ok(None) };
    Ok(Some(MarketRecord {
        code,
        mic: row.try_get("mic")?,
        market: Market {
            exchange,
            opens_at: row.try_get("opens_at")?,
            calendar: Calendar::of(row.try_get("calendar_name")?),
        },
        has_stocks: row.try_get("has_stocks")?,
    }))
}

fn exchange_record(row: &Row) -> Result<ExchangeRecord, StoreError> {
    Ok(ExchangeRecord {
        code: row.try_get("code")?,
        name: row.try_get("name")?,
        mic: row.try_get("mic")?,
        country: row.try_get("country")?,
        currency: row.try_get("currency")?,
        time_zone: row.try_get("time_zone")?,
        opens_at: row.try_get("opens_at")?,
        closes_at: row.try_get("closes_at")?,
        calendar: Calendar::of(row.try_get("calendar_name")?),
        stocks: row.try_get("stocks")?,
    })
}

fn newest_day(row: &Row) -> Result<NewestDay, StoreError> {
    Ok(NewestDay {
        exchange: row.try_get("exchange")?,
        date: row.try_get("newest")?,
        loaded_at: row.try_get("loaded_at")?,
        stocks: row.try_get("stocks")?,
        stocks_with_newest: row.try_get("stocks_with_newest")?,
    })
}
