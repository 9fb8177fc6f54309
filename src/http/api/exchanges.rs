//! `GET /api/exchanges`: the exchanges that stocks trade on.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed};
use crate::http::request::parameter::Parameter;
use crate::http::request::query::Query;
use crate::http::respond::answer::{json, written};
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::store::ListedExchange;

pub const PARAMETERS: &[Parameter] = &[];

/// All exchanges.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exchanges {
    /// Ordered by code.
    exchanges: Vec<ListedExchange>,
    count: usize,
}

#[derive(Clone)]
pub struct ExchangesQuery;

pub async fn exchanges(
    _: Parsed<ExchangesQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let exchanges = state.store.listed_exchanges(state.versions.to_read()).await?;
    let count = exchanges.len();
    Ok(json(written(&Exchanges { exchanges, count }, 0)))
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
