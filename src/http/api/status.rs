//! `GET /api/status`: how recent the data is, and whether the latest trading day is loaded.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed};
use crate::http::request::parameter::Parameter;
use crate::http::request::query::Query;
use crate::http::respond::error::Problem;
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::market::Market;
use crate::store::NewestDay;

pub const PARAMETERS: &[Parameter] = &[];

/// How recent the data is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Each exchange with stocks, ordered by code.
    exchanges: Vec<ExchangeStatus>,
    count: usize,
}

/// How recent the prices of an exchange are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeStatus {
    /// The code of the exchange.
    exchange: String,
    /// The latest day with prices of any of its stocks; null if there are none.
    newest_date: Option<NaiveDate>,
    /// When a stock with prices of `newestDate` last changed. No prices of that day were loaded
    /// later.
    loaded_at: Option<DateTime<Utc>>,
    /// The number of listed stocks.
    stocks: i64,
    /// The number of listed stocks with prices of `newestDate`.
    stocks_with_newest: i64,
    /// The current date in the exchange's time zone.
    today: NaiveDate,
    /// The latest trading day whose session has ended; null if the exchange's calendar is unknown.
    expected_date: Option<NaiveDate>,
    /// Whether `newestDate` is `expectedDate` or later; null if the exchange's calendar is unknown.
    is_current: Option<bool>,
}

impl ExchangeStatus {
    fn of(newest: NewestDay, market: &Market, now: DateTime<Utc>) -> Self {
        let Market { exchange, calendar, .. } = market;
        let expected_date = calendar.and_then(|calendar| calendar.newest_session(exchange, now));
        Self {
            exchange: newest.exchange,
            newest_date: newest.date,
            loaded_at: newest.loaded_at,
            stocks: newest.stocks,
            stocks_with_newest: newest.stocks_with_newest,
            today: exchange.today(now),
            expected_date,
            is_current: expected_date.map(|expected| newest.date >= Some(expected)),
        }
    }
}

#[derive(Clone)]
pub struct StatusQuery;

pub async fn status(
    _: Parsed<StatusQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let version = state.versions.to_read();
    let markets = state.store.markets(version).await?;
    let newest_days = state.store.newest_days(version).await?;
    let now = Utc::now();
    // Exchanges with an invalid time zone are left out: their current date is unknown.
    let status = |newest: NewestDay| {
        let of = markets.iter().find(|record| record.code == newest.exchange)?;
        Some(ExchangeStatus::of(newest, &of.market, now))
    };
    let exchanges: Vec<_> = newest_days.into_iter().filter_map(status).collect();
    let count = exchanges.len();
    Ok(json(to_json(&Status { exchanges, count }, 0)))
}

impl CacheableQuery for StatusQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        Query::of(request, PARAMETERS).map(|_| Self)
    }

    fn canonical(&self, version: i64) -> String {
        format!("v{version}/status")
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Status
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Calendar, parse_date};

    #[test]
    fn data_is_current_from_the_load_of_a_day_until_the_next_session_ends() {
        let us = Market::of(Calendar::US);
        let is_current = |code: &str, newest: Option<&str>, now: &str| {
            let date = newest.and_then(parse_date);
            let newest = NewestDay {
                exchange: code.to_owned(),
                date,
                loaded_at: None,
                stocks: 1,
                stocks_with_newest: 1,
            };
            let market = Market { calendar: Calendar::of(code), ..us };
            ExchangeStatus::of(newest, &market, now.parse().unwrap()).is_current
        };
        for (code, newest, now, expected) in [
            ("NYSE", Some("2026-11-19"), "2026-11-20T20:59:59Z", Some(true)),
            ("NYSE", Some("2026-11-19"), "2026-11-20T21:00:00Z", Some(false)),
            ("NYSE", Some("2026-11-20"), "2026-11-20T20:00:00Z", Some(true)),
            ("NYSE", Some("2026-11-20"), "2026-11-23T20:00:00Z", Some(true)),
            ("NASDAQ", None, "2026-11-23T20:00:00Z", Some(false)),
            ("XETRA", Some("2026-11-20"), "2026-11-23T20:00:00Z", None),
        ] {
            assert_eq!(is_current(code, newest, now), expected, "{code} {newest:?} {now}");
        }
    }
}
