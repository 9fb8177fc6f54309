//! `GET /api/calendar`: the trading days, holidays and early closes of an exchange.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{Datelike, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed};
use crate::http::request::parameter::{Parameter, Takes};
use crate::http::request::query::{Query, invalid};
use crate::http::respond::answer::{json, written};
use crate::http::respond::error::Problem;
use crate::market::calendar::{self, EARLY_CLOSE, FIRST_YEAR, LAST_YEAR};

/// The longest range of one request: five years.
const DAYS_MAX: i64 = 1830;
pub const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "exchange",
        Takes::Text,
        "The code of a US exchange, in any case. Default: NYSE.",
    ),
    Parameter::new(
        "start",
        Takes::Date,
        "The first day, in 1998 or later. \
         Default: January 1 of the year of `end`, or of this year.",
    ),
    Parameter::new(
        "end",
        Takes::Date,
        "The last day, inclusive, in 2099 or earlier. \
         Default: December 31 of the year of `start`, or of this year.",
    ),
];
/// A date in JSON takes 13 bytes; the rest is room for holidays and early closes.
const DAY_BYTES: usize = 16;

/// The days of an exchange. Days in neither list are weekends.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Calendar {
    /// The code of the exchange.
    exchange: &'static str,
    start: NaiveDate,
    end: NaiveDate,
    /// The number of trading days.
    count: usize,
    /// Includes days with an early close.
    trading_days: Vec<NaiveDate>,
    /// Weekdays without trading.
    holidays: Vec<NamedDay>,
    /// Trading days whose session ends early.
    early_closes: Vec<EarlyClose>,
}

/// A holiday.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedDay {
    date: NaiveDate,
    name: &'static str,
}

/// A trading day whose session ends early.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EarlyClose {
    date: NaiveDate,
    name: &'static str,
    /// The exchange's local time, as `HH:MM`.
    closes_at: String,
}

#[derive(Clone)]
pub struct CalendarQuery {
    exchange: &'static str,
    start: NaiveDate,
    end: NaiveDate,
}

pub async fn calendar(Parsed(query): Parsed<CalendarQuery>) -> HttpResponse {
    let CalendarQuery { exchange, start, end } = query;
    let trading_days: Vec<_> = calendar::trading_days(start, end).collect();
    let weekdays = start
        .iter_days()
        .take_while(|day| *day <= end)
        .filter(|day| day.weekday().num_days_from_monday() < 5);
    let holidays = weekdays
        .filter_map(|date| calendar::closure(date).map(|name| NamedDay { date, name }))
        .collect();
    let closes_at = EARLY_CLOSE.format("%H:%M").to_string();
    let early = |date: &NaiveDate| calendar::early_close(*date).map(|name| (*date, name));
    let early_closes = trading_days.iter().filter_map(early);
    let early_closes = early_closes
        .map(|(date, name)| EarlyClose { date, name, closes_at: closes_at.clone() })
        .collect();
    let count = trading_days.len();
    let body = Calendar { exchange, start, end, count, trading_days, holidays, early_closes };
    json(written(&body, count * DAY_BYTES))
}

impl CacheableQuery for CalendarQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, PARAMETERS)?;
        let code = query
            .text("exchange")?
            .map_or_else(|| "NYSE".to_owned(), |code| code.to_ascii_uppercase());
        let known = calendar::EXCHANGES.into_iter().find(|known| *known == code);
        let exchange = known.ok_or(Problem::NoCalendar { exchange: code })?;
        let this_year = Utc::now().with_timezone(&calendar::ZONE).year();
        let (start, end) = years(query.date("start")?, query.date("end")?, this_year)?;
        Ok(Self { exchange, start, end })
    }

    fn canonical(&self, version: i64) -> String {
        format!(
            "v{version}/calendar?exchange={}&start={}&end={}",
            self.exchange, self.start, self.end
        )
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Metadata
    }
}

/// From and to which day, both included: where one is not given, the whole year of the other.
fn years(
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
    this_year: i32,
) -> Result<(NaiveDate, NaiveDate), Problem> {
    let year = start.or(end).map_or(this_year, |date| date.year());
    let first = start.or_else(|| NaiveDate::from_ymd_opt(year, 1, 1)).unwrap_or(NaiveDate::MIN);
    let last = end.or_else(|| NaiveDate::from_ymd_opt(year, 12, 31)).unwrap_or(NaiveDate::MAX);
    if first > last {
        return Err(invalid("start", format!("({first}) is after end ({last})")));
    }
    if first.year() < FIRST_YEAR {
        return Err(invalid(
            "start",
            format!("({first}) is too early: expected {FIRST_YEAR}-01-01 or later"),
        ));
    }
    if last.year() > LAST_YEAR {
        return Err(invalid(
            "end",
            format!("({last}) is too late: expected {LAST_YEAR}-12-31 or earlier"),
        ));
    }
    if (last - first).num_days() >= DAYS_MAX {
        return Err(invalid(
            "start",
            format!("({first}) is too early: expected at most {DAYS_MAX} days up to end ({last})"),
        ));
    }
    Ok((first, last))
}
