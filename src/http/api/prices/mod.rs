//! `GET /api/stocks/{symbol}/prices`: the bars of one stock in a range of dates. The submodules
//! have the queries for several stocks and for the whole market, and what all three share.

mod bars_query;
mod columns;
pub mod day;
mod gzip;
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
use crate::http::respond::error::Problem;
use crate::http::respond::format::Format;
use crate::http::respond::paging::{page_key, set_next_link, url_after};
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::market::{Symbol, parse_date};
use bars_query::{BarsQuery, range_text};
use reader::RowCursor;
pub use rows::{Price, PriceRow};
pub use schema::BAR;
use stream::PricePage;

pub const PARAMETERS: &[Parameter] = bars_query::PARAMETERS_OF_ONE;

#[derive(Clone)]
pub struct PricesQuery {
    symbol: Symbol,
    bars: BarsQuery,
    after: Option<DateCursor>,
}

/// The date of the last row of the previous page.
#[derive(Clone, Copy)]
struct DateCursor(NaiveDate);

#[derive(Serialize, ToSchema)]
pub struct Prices<'a> {
    /// The current symbol of the stock.
    symbol: &'a str,
    /// The number of bars in this response.
    count: usize,
    /// What the prices are adjusted for, `splits` or `all`; absent if they are as traded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    adjust: Option<&'a str>,
    prices: rows::PriceRows<'a>,
    /// The URL of the next page; null on the last page.
    next: Option<&'a str>,
}

pub async fn prices(
    Parsed(query): Parsed<PricesQuery>,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let PricesQuery { symbol, bars, after } = query;
    let stock = stock_of(state, symbol, bars.as_of).await?;
    let cursor = after.map(|DateCursor(date)| RowCursor { symbol, date });
    let page = PricePage::read(state, bars, &[(symbol, stock)], cursor).await?;
    if page.is_empty() && after.is_none() {
        return Err(Problem::NoData {
            symbol: stock.symbol,
            range: range_text(bars.range, bars.interval),
        });
    }
    let next = page.last.map(|last| url_after(query.url(), last.date));
    let mut response = match bars.format {
        Format::Json => json(query.body(stock.symbol, &page.rows, next.as_deref())),
        Format::Csv | Format::Ndjson => page.send_lines(&request, &bars)?,
    };
    set_next_link(&mut response, next.as_deref());
    Ok(response)
}

impl FromStr for DateCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        parse_date(text).map(Self).ok_or(())
    }
}

impl PricesQuery {
    pub fn body(&self, symbol: Symbol, rows: &[PriceRow], next: Option<&str>) -> Vec<u8> {
        let prices = rows::PriceRows { rows, columns: &self.bars.columns };
        let (count, adjust) = (rows.len(), self.bars.stated_adjust());
        let body = Prices { symbol: symbol.as_str(), count, adjust, prices, next };
        to_json(&body, rows::json_bytes(count))
    }

    /// Writes the URL of the first page in canonical form: equal queries have equal URLs.
    fn write_url(&self, url: &mut String) {
        url.push_str("/api/stocks/");
        url.push_str(self.symbol.as_str());
        url.push_str("/prices?");
        self.bars.write(url);
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
            bars: BarsQuery::parse(&query, request, false)?,
            after: query.cursor("cursor")?,
        })
    }

    fn canonical(&self, version: i64) -> String {
        page_key(version, |url| self.write_url(url), self.after.map(|DateCursor(date)| date))
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::stock(self.symbol, self.bars.as_of)
    }

    fn content(&self) -> Content {
        Content::Bars(self.bars.range)
    }
}
