//! `GET /api/stocks/{symbol}/events` and `GET /api/events`: splits and dividends, ordered by
//! ex-date.

use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;
use form_urlencoded::Serializer;
use serde::Serialize;
use utoipa::ToSchema;

use super::exchange_filter::exchange_of;
use crate::cache::{Content, DependsOn};
use crate::http::request::cacheable_query::{CacheableQuery, Parsed, stock_of};
use crate::http::request::parameter::{Parameter, Takes, Whole};
use crate::http::request::query::{AS_OF, Query, invalid, symbol};
use crate::http::respond::error::Problem;
use crate::http::respond::paging::{page_key, set_next_link, url_after};
use crate::http::respond::success::{json, to_json};
use crate::http::server::state::State;
use crate::market::{AsOf, DateRange, EventKind, Order, Symbol};
use crate::store::{EventPage, EventRecord};

const LIMIT: Whole = Whole { min: 1, max: 1000, default: 100 };
/// The earliest valid date, and the default `start` for the events of one stock.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(0, 1, 1).expect("a valid date");
const END: Parameter =
    Parameter::new("end", Takes::Date, "The last ex-date, inclusive. Default: no end.");
const KIND: Parameter =
    Parameter::new("kind", Takes::Only(&EventKind::WORDS), "Filter to one of these kinds.");
const LIMIT_PARAMETER: Parameter =
    Parameter::new("limit", Takes::Number(LIMIT), "The maximum number of events on a page.");
const CURSOR: Parameter = Parameter::new(
    "cursor",
    Takes::Cursor,
    "Where the page starts. Take it from `next` of the previous page.",
);
const ORDER: Parameter =
    Parameter::new("order", Takes::OneOf(&Order::WORDS), "Newest first, or oldest first.");

pub const STOCK_PARAMETERS: &[Parameter] = &[
    Parameter::new("start", Takes::Date, "The first ex-date. Default: the first event."),
    END,
    KIND,
    LIMIT_PARAMETER,
    CURSOR,
    ORDER,
    AS_OF,
];
pub const PARAMETERS: &[Parameter] = &[
    Parameter::required("start", Takes::Date, "The first ex-date."),
    END,
    Parameter::new(
        "exchange",
        Takes::Text,
        "An exchange: its code, MIC or common name, in any case.",
    ),
    KIND,
    LIMIT_PARAMETER,
    CURSOR,
    ORDER,
    AS_OF,
];
/// The size of a [`MarketEvent`] in JSON, rounded up.
const EVENT_BYTES: usize = 256;

/// A split or a dividend.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The ex-date. From its open on, the split is in effect and buyers no longer get the dividend.
    date: NaiveDate,
    /// `split` or `dividend`.
    kind: &'static str,
    /// Of a split: `split`, or `spin_off` for shares of another company, which adjust prices and no
    /// volumes. Of a dividend: `cash`, also if the type is not known, `special`, `capital_gain`,
    /// `long_term_capital_gain`, `short_term_capital_gain` or `return_of_capital`. New types may
    /// come.
    #[serde(rename = "type")]
    action: &'static str,
    /// This many shares became `splitTo`; null for a dividend.
    split_from: Option<f64>,
    /// Null for a dividend.
    split_to: Option<f64>,
    /// Cash per share, as paid, in the stock's currency; null for a split. Dividends of different
    /// types may have one ex-date: a holder gets all of them.
    dividend: Option<f64>,
    /// The day on which the company announced it; null if it is not known.
    declaration_date: Option<NaiveDate>,
    /// The day whose holders get it; null if it is not known.
    record_date: Option<NaiveDate>,
    /// The day on which it is paid; null if it is not known.
    pay_date: Option<NaiveDate>,
    /// Payments a year, such as 4, or 0 for a dividend that is paid once; null if it is not known.
    frequency: Option<i16>,
}

/// A split or a dividend, and the symbol of its stock.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarketEvent {
    symbol: String,
    #[serde(flatten)]
    event: Event,
}

impl From<EventRecord> for Event {
    fn from(event: EventRecord) -> Self {
        Self {
            date: event.date,
            kind: event.action.kind().as_str(),
            action: event.action.as_str(),
            split_from: event.split_from,
            split_to: event.split_to,
            dividend: event.dividend,
            declaration_date: event.declaration_date,
            record_date: event.record_date,
            pay_date: event.pay_date,
            frequency: event.frequency,
        }
    }
}

impl From<EventRecord> for MarketEvent {
    fn from(mut event: EventRecord) -> Self {
        Self { symbol: std::mem::take(&mut event.symbol), event: event.into() }
    }
}

/// Events of one stock. Most stocks have none, so an empty list is not an error.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockEvents<'a> {
    symbol: &'a str,
    /// The number of events on this page.
    count: usize,
    /// Ordered by ex-date.
    events: Vec<Event>,
    /// The URL of the next page; null on the last page.
    next: Option<String>,
}

/// Events of all stocks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarketEvents {
    /// The number of events on this page.
    count: usize,
    /// Ordered by ex-date.
    events: Vec<MarketEvent>,
    /// The URL of the next page; null on the last page.
    next: Option<String>,
}

#[derive(Clone)]
pub struct StockEventsQuery {
    symbol: Symbol,
    page: EventPage,
    as_of: Option<AsOf>,
}

#[derive(Clone)]
pub struct EventsQuery {
    exchange: Option<String>,
    page: EventPage,
    as_of: Option<AsOf>,
}

pub async fn stock_events(
    Parsed(query): Parsed<StockEventsQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let stock = stock_of(state, query.symbol, query.as_of).await?;
    let found = state.store.as_of(query.as_of).stock_events(stock, &query.page).await?;
    let next = found.last.map(|last| url_after(query.url(), last));
    let events: Vec<_> = found.events.into_iter().map(Event::from).collect();
    let count = events.len();
    let body = StockEvents { symbol: stock.symbol.as_str(), count, events, next };
    let mut response = json(to_json(&body, count * EVENT_BYTES));
    set_next_link(&mut response, body.next.as_deref());
    Ok(response)
}

pub async fn market_events(
    Parsed(query): Parsed<EventsQuery>,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    let exchange = exchange_of(state, query.exchange.as_deref()).await?;
    let exchange = exchange.as_deref();
    let version = state.versions.to_read();
    let snapshot = state.store.as_of(query.as_of);
    let found = snapshot.market_events(exchange, &query.page, version).await?;
    let next = found.last.map(|last| url_after(query.url(), last));
    let count = found.events.len();
    let events = found.events.into_iter().map(MarketEvent::from).collect();
    let body = MarketEvents { count, events, next };
    let mut response = json(to_json(&body, count * EVENT_BYTES));
    set_next_link(&mut response, body.next.as_deref());
    Ok(response)
}

/// Reads the parameters of a page. The default `start` is [`FIRST_DAY`].
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

/// The URL of the first page with these parameters, in a fixed order: it is part of the cache key.
fn url(
    path: &str,
    start: Option<NaiveDate>,
    exchange: Option<&str>,
    page: &EventPage,
    as_of: Option<AsOf>,
) -> String {
    let parameters = [
        ("start", start.map(|date| date.to_string())),
        ("end", page.range.end().map(|date| date.to_string())),
        ("exchange", exchange.map(str::to_owned)),
        ("kind", page.kind.map(|kind| kind.as_str().to_owned())),
        ("limit", Some(page.limit.to_string())),
        ("asof", as_of.map(|as_of| as_of.to_string())),
    ];
    let present = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let query_start = path.len() + 1;
    Serializer::for_suffix(format!("{path}?"), query_start)
        .extend_pairs(present)
        .append_pair("order", page.order.as_str())
        .finish()
}

impl StockEventsQuery {
    fn url(&self) -> String {
        let start = Some(self.page.range.start()).filter(|start| *start > FIRST_DAY);
        url(&format!("/api/stocks/{}/events", self.symbol), start, None, &self.page, self.as_of)
    }
}

impl CacheableQuery for StockEventsQuery {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let query = Query::of(request, STOCK_PARAMETERS)?;
        Ok(Self { symbol: symbol(request)?, page: page(&query)?, as_of: query.as_of()? })
    }

    fn canonical(&self, version: i64) -> String {
        page_key(version, |key| key.push_str(&self.url()), self.page.after)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::stock(self.symbol, self.as_of)
    }

    fn content(&self) -> Content {
        Content::Bars(self.page.range)
    }
}

impl EventsQuery {
    fn url(&self) -> String {
        let (start, exchange) = (self.page.range.start(), self.exchange.as_deref());
        url("/api/events", Some(start), exchange, &self.page, self.as_of)
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
        Ok(Self { exchange, page: page(&query)?, as_of: query.as_of()? })
    }

    fn canonical(&self, version: i64) -> String {
        page_key(version, |key| key.push_str(&self.url()), self.page.after)
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::All
    }

    fn content(&self) -> Content {
        Content::Bars(self.page.range)
    }
}
