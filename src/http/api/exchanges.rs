//! `GET /api/exchanges`: the exchanges that stocks trade on.

use actix_web::{HttpRequest, HttpResponse};
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
pub struct ListedExchange {
    code: String,
    name: String,
    /// IANA name. Dates of its stocks' prices are dates in this zone.
    time_zone: String,
    /// The end of the regular session in local time, as `HH:MM`.
    closes_at: String,
    /// The number of its stocks, delisted ones included.
    stocks: i64,
}

impl From<ExchangeRecord> for ListedExchange {
    fn from(exchange: ExchangeRecord) -> Self {
        let ExchangeRecord { code, name, time_zone, closes_at, stocks } = exchange;
        Self { code, name, time_zone, closes_at, stocks }
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
        // Operators add exchanges in SQL, which bumps no version, so the result must expire soon.
        Content::Status
    }
}
