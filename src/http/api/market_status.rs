//! `GET /api/market/status`: whether exchanges are open now, and when that changes.

use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, DurationRound, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed};
use crate::http::request::parameter::{Parameter, Takes};
use crate::http::request::query::Query;
use crate::http::respond::error::Problem;
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::market::{Hours, KnownExchange, Market};
use crate::store::MarketRecord;

pub const PARAMETERS: &[Parameter] = &[Parameter::new(
    "exchange",
    Takes::Text,
    "The code or the MIC of an exchange, in any case. Default: each exchange with stocks.",
)];

/// Whether exchanges are open.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarketStatus {
    /// The start of the minute that this is right for. All sessions start and end at full minutes.
    as_of: DateTime<Utc>,
    /// Ordered by code.
    exchanges: Vec<OpenState>,
    count: usize,
}

/// Whether an exchange is open.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TradingState)]
pub struct OpenState {
    /// The code of the exchange.
    exchange: String,
    /// The market identifier code (ISO 10383).
    mic: Option<String>,
    /// IANA name.
    time_zone: &'static str,
    /// The current date in the exchange's time zone.
    today: NaiveDate,
    /// Whether the regular session runs now; null if it is unknown.
    is_open: Option<bool>,
    /// Why it is closed, or why that is unknown; null while it is open. A holiday by its name, or
    /// `weekend`, `before the open`, `break`, `after the close`.
    reason: Option<Cow<'static, str>>,
    /// The session of `today`; null on a day without one.
    session: Option<SessionHours>,
    /// When trading begins next, also after a break; null if it is unknown.
    next_open: Option<DateTime<Utc>>,
    /// When trading ends next, also for a break; null if it is unknown.
    next_close: Option<DateTime<Utc>>,
}

/// The hours of a session in local time, as `HH:MM`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionHours {
    opens_at: String,
    /// The end of continuous trading. A closing auction may follow.
    closes_at: String,
    /// The start of the break in the session; null without one.
    break_starts_at: Option<String>,
    break_ends_at: Option<String>,
}

impl From<Hours> for SessionHours {
    fn from(hours: Hours) -> Self {
        let text = |time: NaiveTime| time.format("%H:%M").to_string();
        Self {
            opens_at: text(hours.opens_at),
            closes_at: text(hours.closes_at),
            break_starts_at: hours.pause.map(|pause| text(pause.starts_at)),
            break_ends_at: hours.pause.map(|pause| text(pause.ends_at)),
        }
    }
}

impl OpenState {
    fn of(exchange: String, mic: Option<String>, market: &Market, now: DateTime<Utc>) -> Self {
        let state = market.state(now);
        let reason = match (&state, market.calendar) {
            (Some(state), _) => state.closed_because.map(Cow::Borrowed),
            (None, Some(calendar)) => {
                let name = calendar.mic;
                Some(Cow::Owned(format!("the calendar {name} does not know the hours of this day")))
            }
            (None, None) => Some(Cow::Borrowed("the calendar of this exchange is not known")),
        };
        Self {
            exchange,
            mic,
            time_zone: market.exchange.zone.name(),
            today: market.exchange.today(now),
            is_open: state.map(|state| state.closed_because.is_none()),
            reason,
            session: state.and_then(|state| state.session).map(SessionHours::from),
            next_open: state.and_then(|state| state.next_open),
            next_close: state.and_then(|state| state.next_close),
        }
    }
}

#[derive(Clone)]
pub struct MarketStatusQuery {
    /// Upper case.
    exchange: Option<String>,
    /// The start of the current minute.
    minute: DateTime<Utc>,
}

pub async fn market_status(
    Parsed(query): Parsed<MarketStatusQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let MarketStatusQuery { exchange: wanted, minute } = query;
    let records = state.store.markets(state.versions.to_read()).await?;
    let of = |record: MarketRecord| OpenState::of(record.code, record.mic, &record.market, minute);
    let exchanges: Vec<_> = match wanted {
        None => records.into_iter().filter(|record| record.has_stocks).map(of).collect(),
        Some(wanted) => {
            let is_wanted = |record: &MarketRecord| {
                record.code == wanted || record.mic.as_ref() == Some(&wanted)
            };
            let found = records.into_iter().find(is_wanted).map(of);
            vec![
                found
                    .or_else(|| built_in(&wanted, minute))
                    .ok_or(Problem::NoCalendar { exchange: wanted })?,
            ]
        }
    };
    let count = exchanges.len();
    Ok(json(to_json(&MarketStatus { as_of: minute, exchanges, count }, 0)))
}

/// The state of a built-in exchange that is no row of the table.
fn built_in(wanted: &str, now: DateTime<Utc>) -> Option<OpenState> {
    let known = KnownExchange::of(wanted)?;
    let market = Market::of(known.calendar);
    Some(OpenState::of(known.code.to_owned(), Some(known.mic.to_owned()), &market, now))
}

impl CacheableQuery for MarketStatusQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let exchange = Query::of(request, PARAMETERS)?.text("exchange")?;
        let now = Utc::now();
        Ok(Self {
            exchange: exchange.map(|exchange| exchange.to_ascii_uppercase()),
            minute: now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now),
        })
    }

    fn canonical(&self, version: i64) -> String {
        let exchange = self.exchange.as_deref().unwrap_or_default();
        let minute = self.minute.timestamp() / 60;
        format!("v{version}/market/status?exchange={exchange}&minute={minute}")
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Minute(self.minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_is_answered_with_the_answer_of_another() {
        let key = |minute: &str| {
            let minute = minute.parse().unwrap();
            MarketStatusQuery { exchange: Some("NYSE".to_owned()), minute }.canonical(7)
        };
        let (open, closed) = (key("2026-11-30T20:59:00Z"), key("2026-11-30T21:00:00Z"));
        assert_ne!(open, closed);
        assert_eq!(open, key("2026-11-30T20:59:00Z"));
    }
}
