//! `GET /api/calendar`: the trading days, holidays and early closes of an exchange.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{Datelike, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::market_status::SessionHours;
use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed};
use crate::http::request::parameter::{Parameter, Takes};
use crate::http::request::query::{Query, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::market::{Calendar, DEFAULT_EXCHANGE};
use crate::store::StoreError;

/// The longest range of one request: five years.
const DAYS_MAX: i64 = 1830;
pub const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "exchange",
        Takes::Text,
        "The code or the MIC of an exchange with a calendar, in any case. Default: NYSE.",
    ),
    Parameter::new(
        "start",
        Takes::Date,
        "The first day, not before the first year that the calendar knows. \
         Default: January 1 of the year of `end`, or of this year.",
    ),
    Parameter::new(
        "end",
        Takes::Date,
        "The last day, inclusive, up to `knownUntil`. \
         Default: December 31 of the year of `start`, or of this year.",
    ),
];
/// A date in JSON takes 13 bytes; the rest is room for holidays and early closes.
const DAY_BYTES: usize = 16;

/// The days of an exchange. Days in neither list are weekends.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Calendar)]
pub struct CalendarDays {
    /// The code or the MIC that was asked for.
    exchange: String,
    start: NaiveDate,
    end: NaiveDate,
    /// IANA name. All times of the calendar are local times.
    time_zone: &'static str,
    /// The regular hours of today. Hours of the past may differ.
    regular_hours: SessionHours,
    /// The first day that the calendar knows.
    known_from: NaiveDate,
    /// The last day that the calendar knows. Closures decided later are not known before.
    known_until: NaiveDate,
    /// The number of trading days.
    count: usize,
    /// Includes days with an early close.
    trading_days: Vec<NaiveDate>,
    /// Days from Monday to Friday without trading.
    holidays: Vec<NamedDay>,
    /// Trading days whose session ends early.
    early_closes: Vec<EarlyCloseDay>,
    /// Trading days at other hours, or on a weekend or a holiday.
    special_sessions: Vec<SpecialSessionDay>,
}

/// A holiday.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Holiday)]
pub struct NamedDay {
    date: NaiveDate,
    name: &'static str,
}

/// A trading day whose session ends early.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EarlyClose)]
pub struct EarlyCloseDay {
    date: NaiveDate,
    name: &'static str,
    /// The exchange's local time, as `HH:MM`.
    closes_at: String,
}

/// A trading day at other hours than the regular ones, or on a weekend or a holiday.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SpecialSession)]
pub struct SpecialSessionDay {
    date: NaiveDate,
    name: &'static str,
    /// Null if only the day is known.
    hours: Option<SessionHours>,
}

#[derive(Clone)]
pub struct CalendarQuery {
    /// Upper case.
    exchange: String,
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
    /// The year without a start and an end: this one, in UTC.
    year: i32,
}

pub async fn calendar(
    Parsed(query): Parsed<CalendarQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let CalendarQuery { exchange, start, end, year } = query;
    let calendar = calendar_of(state, &exchange).await?;
    let calendar = calendar.ok_or_else(|| Problem::NoCalendar { exchange: exchange.clone() })?;
    let (start, end) = years(start, end, year, calendar)?;
    let trading_days: Vec<_> = calendar.trading_days(start, end).collect();
    let days = start.iter_days().take_while(|day| *day <= end);
    let holidays =
        days.filter_map(|date| calendar.holiday(date).map(|name| NamedDay { date, name }));
    let early_close = |date: &NaiveDate| {
        let early = calendar.early_close(*date)?;
        let closes_at = early.closes_at.format("%H:%M").to_string();
        Some(EarlyCloseDay { date: *date, name: early.name, closes_at })
    };
    let special = |date: &NaiveDate| {
        let session = calendar.special_session(*date)?;
        let hours = session.hours.map(SessionHours::from);
        Some(SpecialSessionDay { date: *date, name: session.name, hours })
    };
    let body = CalendarDays {
        exchange,
        start,
        end,
        time_zone: calendar.zone.name(),
        regular_hours: calendar.hours.into(),
        known_from: calendar.known_from(),
        known_until: calendar.known_until(),
        count: trading_days.len(),
        holidays: holidays.collect(),
        early_closes: trading_days.iter().filter_map(early_close).collect(),
        special_sessions: trading_days.iter().filter_map(special).collect(),
        trading_days,
    };
    Ok(json(to_json(&body, body.count * DAY_BYTES)))
}

/// The calendar of an exchange of this server, or else a built-in one.
async fn calendar_of(
    state: &State,
    exchange: &str,
) -> Result<Option<&'static Calendar>, StoreError> {
    let records = state.store.markets(state.versions.to_read()).await?;
    let found = records
        .iter()
        .find(|record| record.code == exchange || record.mic.as_deref() == Some(exchange));
    Ok(found.map_or_else(|| Calendar::of(exchange), |record| record.market.calendar))
}

impl CacheableQuery for CalendarQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, PARAMETERS)?;
        let code = query
            .text("exchange")?
            .map_or_else(|| DEFAULT_EXCHANGE.to_owned(), |code| code.to_ascii_uppercase());
        let (start, end) = (query.date("start")?, query.date("end")?);
        Ok(Self { exchange: code, start, end, year: Utc::now().year() })
    }

    fn canonical(&self, version: i64) -> String {
        let Self { exchange, start, end, year } = self;
        format!("v{version}/calendar?exchange={exchange:?}&{start:?}&{end:?}&{year}")
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Metadata
    }
}

/// The first and the last day, both included. A missing one is that of the other's year, or of the
/// default one.
fn years(
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
    default_year: i32,
    calendar: &Calendar,
) -> Result<(NaiveDate, NaiveDate), Problem> {
    let Calendar { first_year, last_year, .. } = calendar;
    let year = start.or(end).map_or(default_year, |date| date.year());
    let first = start.or_else(|| NaiveDate::from_ymd_opt(year, 1, 1)).unwrap_or(NaiveDate::MIN);
    let last = end.or_else(|| NaiveDate::from_ymd_opt(year, 12, 31)).unwrap_or(NaiveDate::MAX);
    if first > last {
        return Err(invalid("start", format!("({first}) is after end ({last})")));
    }
    if first.year() < *first_year {
        return Err(invalid(
            "start",
            format!("({first}) is too early: expected {first_year}-01-01 or later"),
        ));
    }
    if last.year() > *last_year {
        return Err(invalid(
            "end",
            format!("({last}) is too late: expected {last_year}-12-31 or earlier"),
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
