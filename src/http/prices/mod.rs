//! `GET /api/stocks/{symbol}/prices`: bars of a range of dates.

mod asked;
mod columns;
pub mod day;
pub mod many;
mod reader;
mod rows;
mod schema;
mod sending;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{json, written};
use super::error::Problem;
use super::format::Format;
use super::page::{key_of, link, url_after};
use super::parameter::Parameter;
use super::query::{Query, symbol};
use super::question::{Asked, Question, stock_of};
use super::state::State;
use crate::cache::{Content, DependsOn};
use crate::market::{Symbol, parse_date};
use asked::{BarsAsked, in_words};
use reader::After;
use rows::Rows;
pub use rows::{Price, Row};
use sending::Page;

pub const PARAMETERS: &[Parameter] = &[
    asked::START,
    asked::END,
    asked::LIMIT_PARAMETER,
    asked::ORDER,
    asked::CURSOR,
    asked::ADJUST,
    asked::INTERVAL,
    asked::COLUMNS,
    asked::FORMAT,
];

#[derive(Clone)]
pub struct PricesQuestion {
    symbol: Symbol,
    asked: BarsAsked,
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
    Asked(question): Asked<PricesQuestion>,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let PricesQuestion { symbol, asked, after } = question;
    let stock = stock_of(state, symbol).await?;
    let last = after.map(|Day(date)| After { symbol, date });
    let page = Page::read(state, asked, &[(symbol, stock)], last).await?;
    if page.is_empty() && after.is_none() {
        return Err(Problem::NoData {
            symbol: stock.symbol,
            range: in_words(asked.range, asked.interval),
        });
    }
    let next = page.last.map(|last| url_after(question.url(), last.date));
    let mut answer = match asked.format {
        Format::Json => json(question.body(stock.symbol, &page.rows, next.as_deref())),
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

impl PricesQuestion {
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

impl Question for PricesQuestion {
    const NEGOTIATED: bool = true;

    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let symbol = symbol(request)?;
        let query = Query::of(request, PARAMETERS)?;
        Ok(Self {
            symbol,
            asked: BarsAsked::parse(&query, request, false)?,
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
