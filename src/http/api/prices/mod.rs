//! `GET /api/stocks/{symbol}/prices`: bars of a range of dates.

mod bars_query;
mod columns;
pub mod day;
pub mod many;
mod reader;
mod rows;
mod schema;
mod stream;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stock_of};
use crate::http::request::parameter::Parameter;
use crate::http::request::query::{Query, symbol};
use crate::http::respond::answer::{json, written};
use crate::http::respond::error::Problem;
use crate::http::respond::format::Format;
use crate::http::respond::paging::{key_of, link, url_after};
use crate::http::server::state::State;
use crate::market::{Symbol, parse_date};
use bars_query::{BarsQuery, in_words};
use reader::After;
use rows::Rows;
pub use rows::{Price, Row};
use stream::Page;

pub const PARAMETERS: &[Parameter] = &[
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
pub struct PricesQuery {
    symbol: Symbol,
    asked: BarsQuery,
    after: Option<Day>,
}

/// The day of the last row of the page before.
#[derive(Clone, Copy)]
struct Day(NaiveDate);

#[derive(Serialize, ToSchema)]
pub struct Prices<'a> {
    /// The symbol that the stock has now.
    symbol: &'a str,
    /// Bars in this answer.
    count: usize,
    prices: Rows<'a>,
    /// The URL of the next page; null on the last.
    next: Option<&'a str>,
}

pub async fn prices(
    Parsed(query): Parsed<PricesQuery>,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let PricesQuery { symbol, asked, after } = query;
    let stock = stock_of(state, symbol).await?;
    let last = after.map(|Day(date)| After { symbol, date });
    let page = Page::read(state, asked, &[(symbol, stock)], last).await?;
    if page.is_empty() && after.is_none() {
        return Err(Problem::NoData {
            symbol: stock.symbol,
            range: in_words(asked.range, asked.interval),
        });
    }
    let next = page.last.map(|last| url_after(query.url(), last.date));
    let mut answer = match asked.format {
        Format::Json => json(query.body(stock.symbol, &page.rows, next.as_deref())),
        Format::Csv | Format::Ndjson => page.send_lines(&request, &asked),
    };
    link(&mut answer, next.as_deref());
    Ok(answer)
}

impl FromStr for Day {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        parse_date(text).map(Self).ok_or(())
    }
}

impl PricesQuery {
    pub fn body(&self, symbol: Symbol, rows: &[Row], next: Option<&str>) -> Vec<u8> {
        let prices = Rows { rows, columns: &self.asked.columns };
        written(
            &Prices { symbol: symbol.as_str(), count: rows.len(), prices, next },
            rows::json_bytes(rows.len()),
        )
    }

    /// The URL of the first page: one for all ways of asking the same.
    fn write_url(&self, url: &mut String) {
        url.push_str("/api/stocks/");
        url.push_str(self.symbol.as_str());
        url.push_str("/prices?");
        self.asked.write(url);
    }

    fn url(&self) -> String {
        let mut url = String::new();
        self.write_url(&mut url);
        url
    }
}

impl CacheableQuery for PricesQuery {
    const NEGOTIATED: bool = true;

    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let symbol = symbol(request)?;
        let query = Query::of(request, PARAMETERS)?;
        Ok(Self {
            symbol,
            asked: BarsQuery::parse(&query, request, false)?,
            after: query.cursor("cursor")?,
        })
    }

    fn canonical(&self, version: i64) -> String {
        key_of(version, |url| self.write_url(url), self.after.map(|Day(date)| date))
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::Stock(self.symbol)
    }

    fn content(&self) -> Content {
        Content::Bars(self.asked.range)
    }
}
