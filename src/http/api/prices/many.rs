//! `GET /api/prices`: bars of several stocks in one request.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::bars_query::{self, BarsQuery};
use super::reader::RowCursor;
use super::rows::{self, PriceRows};
use super::stream::PricePage;
use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stocks_of};
use crate::http::request::cost::SYMBOLS_MAX;
use crate::http::request::parameter::Parameter;
use crate::http::request::query::{Query, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::format::Format;
use crate::http::respond::paging::{page_key, set_next_link, url_after};
use crate::http::respond::success::{json, set_unknown_symbols, to_json};
use crate::http::server::state::State;
use crate::market::Symbol;

pub const PARAMETERS: &[Parameter] = bars_query::PARAMETERS_OF_MANY;

#[derive(Clone)]
pub struct ManyQuery {
    /// Sorted, without duplicates.
    symbols: Arc<[Symbol]>,
    bars: BarsQuery,
    after: Option<RowCursor>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PricesOfMany)]
pub struct MultiStockPrices<'a> {
    /// The number of rows in this response.
    count: usize,
    /// What the prices are adjusted for, `splits` or `all`; absent if they are as traded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    adjust: Option<&'a str>,
    /// Ordered by requested symbol, then by date.
    prices: PriceRows<'a>,
    /// Requested symbols that no stock has.
    unknown: &'a [String],
    /// Symbols of stocks without prices in the range.
    no_data: Vec<String>,
    /// The URL of the next page; null on the last page.
    next: Option<&'a str>,
}

pub async fn prices(
    Parsed(query): Parsed<ManyQuery>,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let bars = query.bars;
    let (stocks, unknown_symbols) = stocks_of(state, &query.symbols, bars.as_of).await?;
    let page = PricePage::read(state, bars, &stocks, query.after).await?;
    let next = page.last.map(|last| url_after(query.url(), last));
    let unknown_symbols: Vec<String> = unknown_symbols.iter().map(Symbol::to_string).collect();
    let mut response = match bars.format {
        Format::Json => {
            let stocks: Vec<_> = stocks.into_iter().map(|(_, stock)| stock).collect();
            let snapshot = state.store.as_of(bars.as_of);
            let ids_without = snapshot.stocks_without(&stocks, bars.range).await?;
            let no_data = stocks.iter().filter(|stock| ids_without.contains(&stock.id));
            let body = MultiStockPrices {
                count: page.rows.len(),
                adjust: bars.stated_adjust(),
                prices: PriceRows { rows: &page.rows, columns: &bars.columns },
                unknown: &unknown_symbols,
                no_data: no_data.map(|stock| stock.symbol.to_string()).collect(),
                next: next.as_deref(),
            };
            json(to_json(&body, rows::json_bytes(page.rows.len())))
        }
        Format::Csv | Format::Ndjson => page.send_lines(&request, &bars)?,
    };
    set_next_link(&mut response, next.as_deref());
    set_unknown_symbols(&mut response, &unknown_symbols);
    Ok(response)
}

impl ManyQuery {
    /// The URL of the first page in canonical form.
    fn url(&self) -> String {
        let mut url = "/api/prices?symbols=".to_owned();
        for (i, symbol) in self.symbols.iter().enumerate() {
            url.push_str(if i == 0 { "" } else { "," });
            url.push_str(symbol.as_str());
        }
        url.push('&');
        self.bars.write(&mut url);
        url
    }
}

/// Reads one symbol of the list. People paste lists with blanks.
fn read_symbol(text: &str) -> Result<Symbol, Problem> {
    let text = text.trim();
    text.parse()
        .map_err(|error| invalid("symbols", format!("is not valid: {error}, found {text:?}")))
}

impl CacheableQuery for ManyQuery {
    const NEGOTIATED: bool = true;

    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, PARAMETERS)?;
        let expected = "symbols separated by commas, as in AAPL,MSFT";
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
        let bars = BarsQuery::parse(&query, request, true)?;
        Ok(Self { symbols: symbols.into(), bars, after: query.cursor("cursor")? })
    }

    fn canonical(&self, version: i64) -> String {
        page_key(version, |key| key.push_str(&self.url()), self.after)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        match self.bars.as_of {
            Some(_) => DependsOn::All,
            None => DependsOn::Stocks(&self.symbols),
        }
    }

    fn content(&self) -> Content {
        Content::Bars(self.bars.range)
    }
}
