//! `GET /api/prices/daily/{date}`: the bars of all stocks on one day.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{NaiveDate, Utc};
use form_urlencoded::Serializer;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::exchange_filter::exchange_of;
use super::columns::ColumnSelection;
use super::rows::{self, PriceRow, PriceRows, lines};
use crate::cache::{Content, DependsOn, EmptyDay};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed};
use crate::http::request::cost::DAY_LIMIT;
use crate::http::request::parameter::{Parameter, Takes};
use crate::http::request::query::{AS_OF, Query, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::format::Format;
use crate::http::respond::paging::{page_key, set_next_link, url_after};
use crate::http::respond::success::{json, media_type, to_json};
use crate::http::server::state::State;
use crate::market::{AsOf, Calendar, DEFAULT_EXCHANGE, DateRange, Symbol, parse_date};
use crate::store::{DayRow, Snapshot, StockRef};

pub const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "exchange",
        Takes::Text,
        "An exchange: its code, MIC or common name, in any case.",
    ),
    Parameter::new(
        "limit",
        Takes::Number(DAY_LIMIT),
        "The maximum number of rows on a page. The cost is `limit` / 100, rounded up, at least 10.",
    ),
    super::bars_query::CURSOR,
    super::bars_query::COLUMNS,
    super::bars_query::FORMAT,
    AS_OF,
];

/// The number of stocks whose corporate actions are read by one statement.
const STOCKS_PER_READ: usize = 200;

#[derive(Clone)]
pub struct DayQuery {
    range: DateRange,
    exchange: Option<String>,
    limit: u32,
    columns: ColumnSelection,
    format: Format,
    as_of: Option<AsOf>,
    after: Option<Symbol>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PricesOfDay)]
pub struct MarketDay<'a> {
    date: NaiveDate,
    /// The number of rows in this response.
    count: usize,
    /// Ordered by current symbol.
    prices: PriceRows<'a>,
    /// The URL of the next page; null on the last page.
    next: Option<&'a str>,
}

pub async fn prices(
    Parsed(query): Parsed<DayQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let DayQuery { range, exchange, limit, columns, format, as_of, after } = &query;
    let date = range.start();
    let version = state.versions.to_read();
    let snapshot = state.store.as_of(as_of.map(|as_of| as_of.until(Utc::now())));
    let exchange = exchange_of(state, exchange.as_deref()).await?;
    let exchange_code = exchange.as_deref();
    let with_details = columns.has_details();
    let day = EmptyDay { version, date, exchange: exchange.clone(), as_of: *as_of };
    let found = match state.empty_days.contains(&day) {
        true => Vec::new(),
        false => {
            snapshot.day(date, exchange_code, *after, limit + 1, version, with_details).await?
        }
    };
    if found.is_empty() && after.is_none() {
        state.empty_days.add(day);
        let calendar = Calendar::of(exchange.as_deref().unwrap_or(DEFAULT_EXCHANGE));
        let why = calendar.and_then(|calendar| calendar.closure(date));
        return Err(Problem::NoDay { date, exchange: exchange.clone(), why });
    }
    let found =
        if as_of.is_some() { adjust_closes(snapshot, date, found, version).await? } else { found };
    let row = |DayRow { stock, bar }: &DayRow| PriceRow::daily(stock.symbol, stock.symbol, *bar);
    let mut rows: Vec<PriceRow> = found.iter().map(row).collect();
    let has_more = rows.len() > *limit as usize;
    rows.truncate(*limit as usize);
    let last = rows.last().filter(|_| has_more);
    let next = last.map(|last| url_after(query.url(), last.symbol));
    let mut response = match format {
        Format::Json => {
            let prices = PriceRows { rows: &rows, columns };
            let body = MarketDay { date, count: rows.len(), prices, next: next.as_deref() };
            json(to_json(&body, rows::json_bytes(rows.len())))
        }
        Format::Csv | Format::Ndjson => HttpResponse::Ok()
            .content_type(media_type(format.media()))
            .body(lines(*format, columns, &rows, true)),
    };
    set_next_link(&mut response, next.as_deref());
    Ok(response)
}

/// Replaces the stored adjusted closes, which follow from what is known now, by those of then.
async fn adjust_closes(
    snapshot: Snapshot<'_>,
    date: NaiveDate,
    mut rows: Vec<DayRow>,
    version: i64,
) -> Result<Vec<DayRow>, Problem> {
    for chunk in rows.chunks_mut(STOCKS_PER_READ) {
        let stocks: Vec<_> = chunk.iter().map(|row| StockRef { version, ..row.stock }).collect();
        let data = snapshot.adjustment_data(&stocks, date, true).await?;
        for (row, data) in chunk.iter_mut().zip(data) {
            row.bar = data.adjustments.with_adjusted_close(row.bar);
        }
    }
    Ok(rows)
}

impl DayQuery {
    /// The URL of the first page in canonical form.
    fn url(&self) -> String {
        let path = format!("/api/prices/daily/{}", self.range.start());
        let query_start = path.len() + 1;
        let mut query = Serializer::for_suffix(format!("{path}?"), query_start);
        query.append_pair("limit", &self.limit.to_string());
        if let Some(exchange) = &self.exchange {
            query.append_pair("exchange", exchange);
        }
        let mut url = query.finish();
        if let Some(as_of) = self.as_of {
            url.push_str(&format!("&asof={as_of}"));
        }
        if self.columns != ColumnSelection::default_for(true, false, false) {
            url.push_str("&columns=");
            self.columns.write_names(&mut url);
        }
        if self.format != Format::default() {
            url.push_str("&format=");
            url.push_str(self.format.as_str());
        }
        url
    }
}

impl CacheableQuery for DayQuery {
    const NEGOTIATED: bool = true;

    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let date = parse_date(request.match_info().query("date")).ok_or_else(|| {
            invalid("date", "is not a date: expected YYYY-MM-DD, a day of the calendar")
        })?;
        let query = Query::of(request, PARAMETERS)?;
        Ok(Self {
            range: DateRange::day(date),
            exchange: query.text("exchange")?.map(|code| code.to_ascii_uppercase()),
            limit: query.number("limit", DAY_LIMIT)?,
            columns: query
                .value("columns")?
                .unwrap_or_else(|| ColumnSelection::default_for(true, false, false)),
            format: query.format(request)?,
            as_of: query.as_of()?,
            after: query.cursor("cursor")?,
        })
    }

    fn canonical(&self, version: i64) -> String {
        page_key(version, |key| key.push_str(&self.url()), self.after)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Bars(self.range)
    }
}
