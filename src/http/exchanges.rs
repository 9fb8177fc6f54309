//! `GET /api/exchanges`: where stocks trade.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{json, written};
use super::error::Problem;
use super::parameter::Parameter;
use super::query::Query;
use super::question::{Asked, Question};
use super::state::State;
use crate::cache::{Content, DependsOn};
use crate::store::ListedExchange;

pub const PARAMETERS: &[Parameter] = &[];

/// Every exchange.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exchanges {
    /// By code.
    exchanges: Vec<ListedExchange>,
    count: usize,
}

#[derive(Clone)]
pub struct ExchangesQuestion;

pub async fn exchanges(
    _: Asked<ExchangesQuestion>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let exchanges = state.store.listed_exchanges(state.versions.to_read()).await?;
    let count = exchanges.len();
    Ok(json(written(&Exchanges { exchanges, count }, 0)))
}

impl Question for ExchangesQuestion {
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
        // Operators add one with SQL, which draws no data version.
        Content::Status
    }
}
