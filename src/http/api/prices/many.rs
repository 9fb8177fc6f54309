//! `GET /api/prices`: bars of several stocks in one call.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::bars_query::{self, BarsQuery};
use super::reader::After;
use super::rows::{self, Rows};
use super::stream::Page;
use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stocks_of};
use crate::http::request::parameter::{Parameter, Takes};
use crate::http::request::query::{Query, invalid};
use crate::http::respond::answer::{json, unknown, written};
use crate::http::respond::error::Problem;
use crate::http::respond::format::Format;
use crate::http::respond::paging::{key_of, link, url_after};
use crate::http::server::state::State;
use crate::market::{Symbol, parse_date};

/// Symbols in one call: each of them counts as a request.
pub const SYMBOLS_MAX: usize = 100;

pub const PARAMETERS: &[Parameter] = &[
    Parameter::required(
        "symbols",
        Takes::Symbols,
        "1 to 100 symbols, parted by commas; each counts as a request",
    ),
    bars_query::START,
    bars_query::END,
    bars_query::LIMIT_PARAMETER,
    bars_query::ORDER,
    bars_query::CURSOR,
    bars_query::ADJUST,
    bars_query::INTERVAL,
    bars_query::COLUMNS,
    bars_query::FORMAT,
];

#[derive(Clone)]
pub struct ManyQuery {
    /// Sorted, each once.
    symbols: Arc<[Symbol]>,
    asked: BarsQuery,
    after: Option<After>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Many<'a> {
    /// Rows in this answer.
    count: usize,
    /// By the symbols asked for, then by date.
    prices: Rows<'a>,
    /// Symbols of the question that no stock has.
    unknown: &'a [String],
    /// Symbols of stocks that have no prices in the range.
    no_data: Vec<String>,
    /// The URL of the next page; null on the last.
    next: Option<&'a str>,
}

pub async fn prices(
    Parsed(query): Parsed<ManyQuery>,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let asked = query.asked;
    let (stocks, nobody) = stocks_of(state, &query.symbols).await?;
    let page = Page::read(state, asked, &stocks, query.after).await?;
    let next = page.last.map(|last| url_after(query.url(), last));
    let nobody: Vec<String> = nobody.iter().map(Symbol::to_string).collect();
    let mut answer = match asked.format {
        Format::Json => {
            let stocks: Vec<_> = stocks.into_iter().map(|(_, stock)| stock).collect();
            let without = state.store.stocks_without(&stocks, asked.range).await?;
            let no_data = stocks.iter().filter(|stock| without.contains(&stock.id));
            let body = Many {
                count: page.rows.len(),
                prices: Rows { rows: &page.rows, columns: &asked.columns },
                unknown: &nobody,
                no_data: no_data.map(|stock| stock.symbol.to_string()).collect(),
                next: next.as_deref(),
            };
            json(written(&body, rows::json_bytes(page.rows.len())))
        }
        Format::Csv | Format::Ndjson => page.send_lines(&request, &asked),
    };
    link(&mut answer, next.as_deref());
    unknown(&mut answer, &nobody);
    Ok(answer)
}

impl ManyQuery {
    fn url(&self) -> String {
        let mut url = "/api/prices?symbols=".to_owned();
        for (at, symbol) in self.symbols.iter().enumerate() {
            url.push_str(if at == 0 { "" } else { "," });
            url.push_str(symbol.as_str());
        }
        url.push('&');
        self.asked.write(&mut url);
        url
    }
}

/// A symbol of a list, which people paste with blanks.
fn read_symbol(text: &str) -> Result<Symbol, Problem> {
    let text = text.trim();
    text.parse()
        .map_err(|error| invalid("symbols", format!("is not valid: {error}, found {text:?}")))
}

impl CacheableQuery for ManyQuery {
    const NEGOTIATED: bool = true;

    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, PARAMETERS)?;
        let expected = "symbols, parted by commas, as in AAPL,MSFT";
        let list = query
            .given("symbols")
            .ok_or(Problem::MissingParameter { name: "symbols", expected })?;
        let symbols: Result<Vec<Symbol>, _> = list.split(',').map(read_symbol).collect();
        let mut symbols = symbols?;
        if symbols.len() > SYMBOLS_MAX {
            return Err(invalid("symbols", format!("is too long: expected at most {SYMBOLS_MAX}")));
        }
        symbols.sort_unstable();
        symbols.dedup();
        let asked = BarsQuery::parse(&query, request, true)?;
        Ok(Self { symbols: symbols.into(), asked, after: query.cursor("cursor")? })
    }

    fn canonical(&self, version: i64) -> String {
        key_of(version, |key| key.push_str(&self.url()), self.after)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::Stocks(&self.symbols)
    }

    fn content(&self) -> Content {
        Content::Bars(self.asked.range)
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.symbol, self.date)
    }
}

impl FromStr for After {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (symbol, date) = text.split_once('/').ok_or(())?;
        Ok(Self { symbol: symbol.parse().map_err(drop)?, date: parse_date(date).ok_or(())? })
    }
}
