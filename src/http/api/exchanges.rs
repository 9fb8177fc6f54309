//! `GET /api/exchanges`: the exchanges that stocks trade on.

use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveTime;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed};
use crate::http::request::parameter::Parameter;
use crate::http::request::query::Query;
use crate::http::respond::error::Problem;
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::store::ExchangeRecord;

pub const PARAMETERS: &[Parameter] = &[];

/// All exchanges.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exchanges {
    /// Ordered by code.
    exchanges: Vec<ListedExchange>,
    count: usize,
}

/// An exchange.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Exchange)]
pub struct ListedExchange {
    code: String,
    name: String,
    /// The market identifier code (ISO 10383).
    mic: Option<String>,
    /// ISO 3166-1, two letters.
    country: Option<String>,
    /// ISO 4217.
    currency: Option<String>,
    /// IANA name. Dates of its stocks' prices are dates in this zone.
    time_zone: String,
    /// The start of the regular session in local time, as `HH:MM`; null if it is unknown.
    opens_at: Option<String>,
    /// The end of the regular session in local time, as `HH:MM`. A closing auction may follow.
    closes_at: String,
    /// The name of its calendar, as `/api/calendar` takes it; null if its trading days are unknown.
    calendar: Option<&'static str>,
    /// The number of its stocks, delisted ones included.
    stocks: i64,
}

impl From<ExchangeRecord> for ListedExchange {
    fn from(exchange: ExchangeRecord) -> Self {
        let time = |time: NaiveTime| time.format("%H:%M").to_string();
        Self {
            code: exchange.code,
            name: exchange.name,
            mic: exchange.mic,
            country: exchange.country,
            currency: exchange.currency,
            time_zone: exchange.time_zone,
            opens_at: exchange.opens_at.map(time),
            closes_at: time(exchange.closes_at),
            calendar: exchange.calendar.map(|calendar| calendar.mic),
            stocks: exchange.stocks,
        }
    }
}

#[derive(Clone)]
pub struct ExchangesQuery;

pub async fn exchanges(
    _: Parsed<ExchangesQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let exchanges = state.store.exchange_records(state.versions.to_read()).await?;
    let exchanges: Vec<_> = exchanges.into_iter().map(ListedExchange::from).collect();
    let count = exchanges.len();
    Ok(json(to_json(&Exchanges { exchanges, count }, 0)))
}

impl CacheableQuery for ExchangesQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        Query::of(request, PARAMETERS).map(|_| Self)
    }

    fn canonical(&self, version: i64) -> String {
        format!("v{version}/exchanges")
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        // A change in SQL draws no revision, so the result must expire soon.
        Content::Status
    }
}
