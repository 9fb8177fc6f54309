//! `GET /api/status`: how new the data is, and whether the newest day that could be there is.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed};
use crate::http::request::parameter::Parameter;
use crate::http::request::query::Query;
use crate::http::respond::answer::{json, written};
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::market::{Exchange, calendar, keeps_us_calendar};
use crate::store::NewestDay;

pub const PARAMETERS: &[Parameter] = &[];

/// How new the data is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Each exchange that has stocks, by code.
    exchanges: Vec<ExchangeStatus>,
    count: usize,
}

/// How new the prices of an exchange are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeStatus {
    /// Its code.
    exchange: String,
    /// The newest day that any of its stocks has prices of; null where none has.
    newest_date: Option<NaiveDate>,
    /// When a stock that has that day last changed: until then rows of it may have come in.
    loaded_at: Option<DateTime<Utc>>,
    /// Stocks that are listed.
    stocks: i64,
    /// Of these: those that have that day.
    stocks_with_newest: i64,
    /// The date that it is at the exchange.
    today: NaiveDate,
    /// The newest trading day whose session has ended; null where the exchange's calendar is not
    /// known.
    expected_date: Option<NaiveDate>,
    /// Whether `newestDate` is `expectedDate` or later; null where the exchange's calendar is not
    /// known.
    is_current: Option<bool>,
}

impl ExchangeStatus {
    fn of(newest: NewestDay, exchange: &Exchange, now: DateTime<Utc>) -> Self {
        let is_known = keeps_us_calendar(&newest.exchange);
        let expected_date = if is_known { calendar::newest_session(exchange, now) } else { None };
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
    let (store, version) = (&state.store, state.versions.to_read());
    let (exchanges, newest_days) = (store.exchanges().await?, store.newest_days(version).await?);
    let now = Utc::now();
    // One whose time zone is none has no date that it is there.
    let of = |newest: NewestDay| {
        let exchange = exchanges.get(&newest.exchange)?;
        Some(ExchangeStatus::of(newest, exchange, now))
    };
    let exchanges: Vec<_> = newest_days.into_iter().filter_map(of).collect();
    let count = exchanges.len();
    Ok(json(written(&Status { exchanges, count }, 0)))
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
    use crate::market::parse_date;

    #[test]
    fn data_is_current_from_the_load_of_a_day_until_the_next_session_ends() {
        let exchange = Exchange {
            zone: calendar::ZONE,
            closes_at: chrono::NaiveTime::from_hms_opt(16, 0, 0).unwrap(),
        };
        let is_current = |code: &str, newest: Option<&str>, now: &str| {
            let date = newest.and_then(parse_date);
            let newest = NewestDay {
                exchange: code.to_owned(),
                date,
                loaded_at: None,
                stocks: 1,
                stocks_with_newest: 1,
            };
            ExchangeStatus::of(newest, &exchange, now.parse().unwrap()).is_current
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
