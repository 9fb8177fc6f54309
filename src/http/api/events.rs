//! `GET /api/stocks/{symbol}/events` and `GET /api/events`: splits and dividends, by their
//! ex-dates.

use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;
use form_urlencoded::Serializer;
use serde::Serialize;
use utoipa::ToSchema;

use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stock_of};
use crate::http::request::parameter::{Parameter, Takes, Whole};
use crate::http::request::query::{Query, invalid, symbol};
use crate::http::respond::answer::{json, written};
use crate::http::respond::error::Problem;
use crate::http::respond::paging::{key_of, link, url_after};
use crate::http::server::state::State;
use crate::market::{DateRange, EventKind, Order, Symbol};
use crate::store::{Event, EventPage, MarketEvent};

const LIMIT: Whole = Whole { min: 1, max: 1000, default: 100 };
/// The first date that can be asked for: where the events of a stock begin when nobody says from
/// when.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(0, 1, 1).expect("a day of the calendar");
const END: Parameter =
    Parameter::new("end", Takes::Date, "The last ex-date, included; open where it is not given");
const KIND: Parameter =
    Parameter::new("kind", Takes::Only(&EventKind::WORDS), "Only splits, or only dividends");
const LIMIT_PARAMETER: Parameter =
    Parameter::new("limit", Takes::Number(LIMIT), "Events on a page");
const CURSOR: Parameter = Parameter::new(
    "cursor",
    Takes::Cursor,
    "Where the page begins: `next` of the page before has it",
);
const ORDER: Parameter =
    Parameter::new("order", Takes::OneOf(&Order::WORDS), "The newest first, or the oldest");

pub const STOCK_PARAMETERS: &[Parameter] = &[
    Parameter::new("start", Takes::Date, "The first ex-date; all there are where it is not given"),
    END,
    KIND,
    LIMIT_PARAMETER,
    CURSOR,
    ORDER,
];
pub const PARAMETERS: &[Parameter] = &[
    Parameter::required("start", Takes::Date, "The first ex-date"),
    END,
    Parameter::new("exchange", Takes::Text, "The code of an exchange, in any case"),
    KIND,
    LIMIT_PARAMETER,
    CURSOR,
    ORDER,
];
/// A [`MarketEvent`] in JSON, rounded up.
const EVENT_BYTES: usize = 128;

/// Events of a stock. Most stocks have none: an empty list is an answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockEvents<'a> {
    symbol: &'a str,
    /// Events on this page.
    count: usize,
    /// By ex-date.
    events: Vec<Event>,
    /// The URL of the next page; null on the last one.
    next: Option<String>,
}

/// Events of all stocks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarketEvents {
    /// Events on this page.
    count: usize,
    /// By ex-date.
    events: Vec<MarketEvent>,
    /// The URL of the next page; null on the last one.
    next: Option<String>,
}

#[derive(Clone)]
pub struct StockEventsQuery {
    symbol: Symbol,
    page: EventPage,
}

#[derive(Clone)]
pub struct EventsQuery {
    exchange: Option<String>,
    page: EventPage,
}

pub async fn of_stock(
    Parsed(query): Parsed<StockEventsQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let stock = stock_of(state, query.symbol).await?;
    let found = state.store.stock_events(stock, &query.page).await?;
    let next = found.last.map(|place| url_after(query.url(), place));
    let events: Vec<_> = found.events.into_iter().map(|of| of.event).collect();
    let (symbol, count) = (stock.symbol.as_str(), events.len());
    let body = StockEvents { symbol, count, events, next };
    let mut answer = json(written(&body, count * EVENT_BYTES));
    link(&mut answer, body.next.as_deref());
    Ok(answer)
}

pub async fn of_all(
    Parsed(query): Parsed<EventsQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let (exchange, version) = (query.exchange.as_deref(), state.versions.to_read());
    let found = state.store.market_events(exchange, &query.page, version).await?;
    let next = found.last.map(|place| url_after(query.url(), place));
    let count = found.events.len();
    let body = MarketEvents { count, events: found.events, next };
    let mut answer = json(written(&body, count * EVENT_BYTES));
    link(&mut answer, body.next.as_deref());
    Ok(answer)
}

/// The page that is asked for; without `start`, from the first event on.
fn page(query: &Query<'_>) -> Result<EventPage, Problem> {
    let range = DateRange::new(query.date("start")?.unwrap_or(FIRST_DAY), query.date("end")?)
        .map_err(|error| {
            invalid("start", format!("({}) is after end ({})", error.start, error.end))
        })?;
    Ok(EventPage {
        range,
        kind: query.value("kind")?,
        order: query.value("order")?.unwrap_or_default(),
        after: query.cursor("cursor")?,
        limit: query.number("limit", LIMIT)?,
    })
}

/// The URL of the first page, with all that was asked for; without `start` where that is `None`.
fn url(path: &str, start: Option<NaiveDate>, exchange: Option<&str>, page: &EventPage) -> String {
    let [start, end] = [start, page.range.end()].map(|date| date.map(|date| date.to_string()));
    let (kind, limit) =
        (page.kind.map(|kind| kind.as_str().to_owned()), Some(page.limit.to_string()));
    let exchange = exchange.map(str::to_owned);
    let given =
        [("start", start), ("end", end), ("exchange", exchange), ("kind", kind), ("limit", limit)];
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let at = path.len() + 1;
    Serializer::for_suffix(format!("{path}?"), at)
        .extend_pairs(given)
        .append_pair("order", page.order.as_str())
        .finish()
}

impl StockEventsQuery {
    fn url(&self) -> String {
        let start = Some(self.page.range.start()).filter(|start| *start > FIRST_DAY);
        url(&format!("/api/stocks/{}/events", self.symbol), start, None, &self.page)
    }
}

impl CacheableQuery for StockEventsQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, STOCK_PARAMETERS)?;
        Ok(Self { symbol: symbol(request)?, page: page(&query)? })
    }

    fn canonical(&self, version: i64) -> String {
        key_of(version, |key| key.push_str(&self.url()), self.page.after)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::Stock(self.symbol)
    }

    fn content(&self) -> Content {
        Content::Bars(self.page.range)
    }
}

impl EventsQuery {
    fn url(&self) -> String {
        url("/api/events", Some(self.page.range.start()), self.exchange.as_deref(), &self.page)
    }
}

impl CacheableQuery for EventsQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, PARAMETERS)?;
        if query.given("start").is_none() {
            let expected = "the first ex-date, as YYYY-MM-DD";
            return Err(Problem::MissingParameter { name: "start", expected });
        }
        let exchange = query.text("exchange")?.map(|code| code.to_ascii_uppercase());
        Ok(Self { exchange, page: page(&query)? })
    }

    fn canonical(&self, version: i64) -> String {
        key_of(version, |key| key.push_str(&self.url()), self.page.after)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Bars(self.page.range)
    }
}
