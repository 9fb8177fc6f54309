//! `GET /api/stocks` and `GET /api/stocks/{symbol}`: who the stocks are.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{json, written};
use super::error::Problem;
use super::parameter::{Parameter, Takes, Whole};
use super::query::{Query, symbol};
use super::question::{Asked, Question, stock_of};
use super::state::State;
use crate::cache::{Content, DependsOn};
use crate::market::Symbol;
use crate::store::{Listing, Stock, StockFilter};

const LIMIT: Whole = Whole { min: 1, max: 100, default: 50 };
/// Its largest is beyond any number of stocks there is.
const OFFSET: Whole = Whole { min: 0, max: 10_000_000, default: 0 };
pub const LIST_PARAMETERS: &[Parameter] = &[
    Parameter::new("exchange", Takes::Text, "The code of an exchange, in any case"),
    Parameter::new("sector", Takes::Text, "The name of a sector, as stocks have it"),
    Parameter::new("limit", Takes::Number(LIMIT), "Stocks on a page"),
    Parameter::new("offset", Takes::Number(OFFSET), "Stocks to leave out before the page"),
];
/// A [`Stock`] in JSON, rounded up.
const STOCK_BYTES: usize = 352;

#[derive(Clone)]
pub struct ListQuestion {
    filter: StockFilter,
    page: Listing,
}

#[derive(Serialize, ToSchema)]
pub struct List {
    stocks: Vec<Stock>,
    /// Stocks on this page.
    count: usize,
}

pub async fn list(Asked(question): Asked<ListQuestion>, state: &'static State) -> Result<HttpResponse, Problem> {
    let version = state.versions.to_read();
    let stocks = state.store.list_stocks(&question.filter, question.page, version).await?;
    let count = stocks.len();
    Ok(json(written(&List { count, stocks }, count * STOCK_BYTES)))
}

impl Question for ListQuestion {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, LIST_PARAMETERS)?;
        let exchange = query.text("exchange")?.map(|code| code.to_ascii_uppercase());
        let limit = query.number("limit", LIMIT)?;
        let offset = query.number("offset", OFFSET)?;
        Ok(Self { filter: StockFilter { exchange, sector: query.text("sector")? }, page: Listing { limit, offset } })
    }

    fn canonical(&self, version: i64) -> String {
        let (StockFilter { exchange, sector }, Listing { limit, offset }) = (&self.filter, self.page);
        // Debug quotes the texts: no text can pose as another parameter.
        format!("v{version}/stocks?exchange={exchange:?}&sector={sector:?}&limit={limit}&offset={offset}")
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Metadata
    }
}

#[derive(Clone)]
pub struct StockQuestion {
    symbol: Symbol,
}

#[derive(Serialize, ToSchema)]
pub struct Single {
    stock: Stock,
}

pub async fn stock(Asked(question): Asked<StockQuestion>, state: &'static State) -> Result<HttpResponse, Problem> {
    let found = state.store.find_stock(stock_of(state, question.symbol).await?).await?;
    let stock = found.ok_or(Problem::UnknownSymbol(question.symbol))?;
    Ok(json(written(&Single { stock }, STOCK_BYTES)))
}

impl Question for StockQuestion {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        Query::of(request, &[])?;
        Ok(Self { symbol: symbol(request)? })
    }

    fn canonical(&self, version: i64) -> String {
        format!("v{version}/stock/{}", self.symbol)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::Stock(self.symbol)
    }

    fn content(&self) -> Content {
        Content::Metadata
    }
}
