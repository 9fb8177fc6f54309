//! `GET /api/stocks/{symbol}/quote`: the latest bar and its change from the previous close.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::prices::Price;
use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stock_key, stock_of};
use crate::http::request::parameter::Parameter;
use crate::http::request::query::{AS_OF, Query, symbol};
use crate::http::respond::error::Problem;
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::market::{AsOf, Symbol, decimal_difference, percent_change};
use crate::store::Quote;

pub const PARAMETERS: &[Parameter] = &[AS_OF];

#[derive(Clone)]
pub struct QuoteQuery {
    symbol: Symbol,
    as_of: Option<AsOf>,
}

/// The latest bar of a stock and its change from the previous trading day.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Quote)]
pub struct QuoteAnswer {
    /// The current symbol of the stock.
    symbol: String,
    #[serde(flatten)]
    latest: Price,
    /// The close of the previous trading day, adjusted for splits and spin-offs since then: an
    /// adjusted one has at most 10 significant digits, rounded half to even. Null on a stock's
    /// first day.
    previous_close: Option<f64>,
    /// `close - previousClose`, exact.
    change: Option<f64>,
    /// `change / previousClose * 100`, rounded to 4 decimals, half to even.
    change_percent: Option<f64>,
}

pub async fn quote(
    Parsed(query): Parsed<QuoteQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let stock = stock_of(state, query.symbol, query.as_of).await?;
    let quoted = state.store.as_of(query.as_of).quotes(&[stock]).await?.pop();
    let (_, quote) =
        quoted.ok_or(Problem::NoData { symbol: stock.symbol, range: "yet".to_owned() })?;
    Ok(json(to_json(&QuoteAnswer::new(stock.symbol, quote), 0)))
}

impl QuoteAnswer {
    pub fn new(symbol: Symbol, Quote { latest, previous_close }: Quote) -> Self {
        let change = previous_close.map(|previous| decimal_difference(latest.close, previous));
        let change_percent = previous_close.map(|previous| percent_change(previous, latest.close));
        Self {
            symbol: symbol.to_string(),
            latest: latest.into(),
            previous_close,
            change,
            change_percent,
        }
    }
}

impl CacheableQuery for QuoteQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, PARAMETERS)?;
        Ok(Self { symbol: symbol(request)?, as_of: query.as_of()? })
    }

    fn canonical(&self, version: i64) -> String {
        stock_key(version, "quote", self.symbol, self.as_of)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::stock(self.symbol, self.as_of)
    }

    fn content(&self) -> Content {
        Content::Quote
    }
}
