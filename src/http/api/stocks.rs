//! `GET /api/stocks` and `GET /api/stocks/{symbol}`: search, list and show stocks.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::exchange_filter::{check_sector, exchange_of};
use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stock_key, stock_of};
use crate::http::request::cost::STOCKS_OFFSET;
use crate::http::request::parameter::{Parameter, Takes, Whole};
use crate::http::request::query::{AS_OF, Query, invalid, symbol};
use crate::http::respond::error::Problem;
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::market::{AsOf, Identifier, IdentifierKind, InstrumentType, Symbol, country, currency};
use crate::store::{ListPage, StockFilter, StockIdentifiers, StockRecord, StockSearch};

const LIMIT: Whole = Whole { min: 1, max: 100, default: 50 };
pub const LIST_PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "q",
        Takes::Text,
        "A symbol or words of a name; typos are allowed. The best match comes first.",
    ),
    Parameter::new(
        "exchange",
        Takes::Text,
        "An exchange: its code, MIC or common name, in any case.",
    ),
    Parameter::new("sector", Takes::Text, "The exact name of a sector."),
    Parameter::new("type", Takes::Only(&InstrumentType::WORDS), "A type of instrument."),
    Parameter::new(
        "country",
        Takes::Text,
        "A country, ISO 3166-1 of two or three letters, in any case.",
    ),
    Parameter::new(
        "currency",
        Takes::Text,
        "The currency of prices: ISO 4217, or a minor unit such as GBX.",
    ),
    Parameter::new("isin", Takes::Text, "The ISIN of a stock."),
    Parameter::new("cusip", Takes::Text, "The CUSIP of a stock."),
    Parameter::new("figi", Takes::Text, "The FIGI of a stock."),
    Parameter::new("cik", Takes::Text, "The CIK of a company, with or without leading zeros."),
    Parameter::new(
        "active",
        Takes::Only(&["true", "false"]),
        "`true`: only listed stocks. `false`: only delisted stocks.",
    ),
    Parameter::new("limit", Takes::Number(LIMIT), "The maximum number of stocks on a page."),
    Parameter::new(
        "offset",
        Takes::Number(STOCKS_OFFSET),
        "The number of stocks to skip. With `q`, the cost is 10 from 100 on.",
    ),
    AS_OF,
];
pub const PARAMETERS: &[Parameter] = &[AS_OF];
/// The size of a [`Stock`] in JSON, rounded up.
const STOCK_BYTES: usize = 640;

#[derive(Clone)]
pub struct StockListQuery {
    search: Option<StockSearch>,
    filter: StockFilter,
    page: ListPage,
    as_of: Option<AsOf>,
}

/// A stock.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// Its symbol.
    id: String,
    name: String,
    /// The code of its exchange.
    exchange: String,
    sector: Option<String>,
    industry: Option<String>,
    /// ISO 4217, or a minor unit: GBX is pence, ZAC South African cents, ILA agorot.
    currency: String,
    /// In `currency`.
    market_cap: Option<i64>,
    /// `stock`, `etf`, `adr`, `fund`, `index`, `preferred`, `warrant`, `right`, `unit`, `bond` or
    /// `other`; null if it is not known.
    #[serde(rename = "type")]
    instrument_type: Option<&'static str>,
    /// ISO 3166-1, two letters; null if it is not known.
    country: Option<String>,
    /// ISO 6166; null if it is not known.
    isin: Option<String>,
    cusip: Option<String>,
    figi: Option<String>,
    /// The number of the company at the US Securities and Exchange Commission, 10 digits.
    cik: Option<String>,
    /// When the stock or its prices last changed on this server; null with `asof`.
    updated_at: Option<DateTime<Utc>>,
    /// The last trading day; null while the stock is listed.
    delisted_on: Option<NaiveDate>,
    /// Earlier symbols, newest first. Each still finds the stock, until another stock takes it.
    former_symbols: Vec<FormerSymbol>,
    /// The first day with prices; null if there are none.
    first_date: Option<NaiveDate>,
    /// The last day with prices; null if there are none.
    last_date: Option<NaiveDate>,
}

/// An earlier symbol of a stock.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FormerSymbol {
    symbol: String,
    /// The first day under the next symbol.
    replaced_on: NaiveDate,
}

impl From<StockRecord> for Stock {
    fn from(stock: StockRecord) -> Self {
        let former = |(symbol, replaced_on)| FormerSymbol { symbol, replaced_on };
        Self {
            id: stock.symbol,
            name: stock.name,
            exchange: stock.exchange,
            sector: stock.sector,
            industry: stock.industry,
            currency: stock.currency,
            market_cap: stock.market_cap,
            instrument_type: stock.instrument_type.map(InstrumentType::as_str),
            country: stock.country,
            isin: stock.isin,
            cusip: stock.cusip,
            figi: stock.figi,
            cik: stock.cik,
            updated_at: stock.updated_at,
            delisted_on: stock.delisted_on,
            former_symbols: stock.former_symbols.into_iter().map(former).collect(),
            first_date: stock.first_date,
            last_date: stock.last_date,
        }
    }
}

/// A page of stocks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockList {
    /// Ordered by symbol, or by match quality if `q` is given.
    stocks: Vec<Stock>,
    /// The number of stocks on this page.
    count: usize,
    /// The number of stocks on all pages.
    total: i64,
}

pub async fn list(
    Parsed(query): Parsed<StockListQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let StockListQuery { search, mut filter, page, as_of } = query;
    filter.exchange = exchange_of(state, filter.exchange.as_deref()).await?;
    let snapshot = state.store.as_of(as_of);
    let version = state.versions.to_read();
    let found = match search {
        Some(search) => snapshot.search_stocks(&search, &filter, page, version).await?,
        None => snapshot.list_stocks(&filter, page, version).await?,
    };
    if let (0, Some(sector)) = (found.total, &filter.sector) {
        check_sector(snapshot, sector, version).await?;
    }
    if let (0, Some(code)) = (found.total, &filter.currency)
        && currency(code).is_none()
    {
        let expected = "is not a currency: expected a code of ISO 4217, or a minor unit as GBX";
        return Err(invalid("currency", expected));
    }
    let stocks = snapshot.stocks(&found.ids, version).await?;
    let stocks: Vec<_> = stocks.into_iter().map(Stock::from).collect();
    let count = stocks.len();
    Ok(json(to_json(&StockList { stocks, count, total: found.total }, count * STOCK_BYTES)))
}

fn filter(query: &Query<'_>) -> Result<StockFilter, Problem> {
    Ok(StockFilter {
        exchange: query.text("exchange")?.map(|code| code.to_ascii_uppercase()),
        sector: query.text("sector")?,
        active: query.only("active")?,
        instrument_type: query.value("type")?,
        country: country_of(query)?,
        currency: currency_of(query)?,
        identifiers: StockIdentifiers {
            isin: identifier(query, IdentifierKind::Isin)?,
            cusip: identifier(query, IdentifierKind::Cusip)?,
            figi: identifier(query, IdentifierKind::Figi)?,
            cik: identifier(query, IdentifierKind::Cik)?,
        },
    })
}

fn country_of(query: &Query<'_>) -> Result<Option<String>, Problem> {
    let Some(text) = query.text("country")? else { return Ok(None) };
    let expected = "is not a country: expected a code of ISO 3166-1, as US or USA";
    country(&text).map(|code| Some(code.to_owned())).ok_or_else(|| invalid("country", expected))
}

/// A currency as vendors write it, else in any case: a stock may have one that is not known.
fn currency_of(query: &Query<'_>) -> Result<Option<String>, Problem> {
    let code = |text: String| match currency(&text) {
        Some(code) => code.to_owned(),
        None => text.to_ascii_uppercase(),
    };
    Ok(query.text("currency")?.map(code))
}

/// The identifier in the parameter that is named as its kind.
fn identifier(query: &Query<'_>, kind: IdentifierKind) -> Result<Option<Identifier>, Problem> {
    let name = kind.as_str();
    let Some(text) = query.text(name)? else { return Ok(None) };
    let parsed = Identifier::parse(kind, &text);
    parsed.map(Some).map_err(|error| invalid(name, format!("is not valid: {error}")))
}

impl CacheableQuery for StockListQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, LIST_PARAMETERS)?;
        let search = match query.text("q")? {
            Some(text) => Some(
                StockSearch::of(&text)
                    .ok_or_else(|| invalid("q", "is blank: expected a symbol or words"))?,
            ),
            None => None,
        };
        let filter = filter(&query)?;
        let page = ListPage {
            limit: query.number("limit", LIMIT)?,
            offset: query.number("offset", STOCKS_OFFSET)?,
        };
        Ok(Self { search, filter, page, as_of: query.as_of()? })
    }

    fn canonical(&self, version: i64) -> String {
        let Self { search, filter, page: ListPage { limit, offset }, as_of } = self;
        let q = search.as_ref().map(StockSearch::as_str);
        // Debug formatting quotes the texts, so no value can look like another parameter.
        format!("v{version}/stocks?q={q:?}&{filter:?}&limit={limit}&offset={offset}&{as_of:?}")
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Metadata
    }
}

#[derive(Clone)]
pub struct StockQuery {
    symbol: Symbol,
    as_of: Option<AsOf>,
}

/// One stock.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StockResponse)]
pub struct SingleStock {
    stock: Stock,
}

pub async fn stock(
    Parsed(query): Parsed<StockQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let stock = stock_of(state, query.symbol, query.as_of).await?;
    let found = state.store.as_of(query.as_of).find_stock(stock).await?;
    let stock = found.ok_or(Problem::UnknownSymbol(query.symbol))?;
    Ok(json(to_json(&SingleStock { stock: stock.into() }, STOCK_BYTES)))
}

impl CacheableQuery for StockQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, PARAMETERS)?;
        Ok(Self { symbol: symbol(request)?, as_of: query.as_of()? })
    }

    fn canonical(&self, version: i64) -> String {
        stock_key(version, "stock", self.symbol, self.as_of)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::stock(self.symbol, self.as_of)
    }

    fn content(&self) -> Content {
        Content::Metadata
    }
}
