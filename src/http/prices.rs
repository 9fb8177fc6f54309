//! `GET /api/stocks/{symbol}/prices`: daily bars of a range of dates, newest first.

use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::answer::json;
use super::error::Problem;
use super::query::{Query, invalid, symbol};
use super::question::{Asked, Question};
use super::state::State;
use crate::cache::Content;
use crate::market::{Bar, DateRange, Symbol};
use crate::store::{BarRows, Bars};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1000;
/// A [`Price`] in JSON, rounded up.
const PRICE_BYTES: usize = 136;

#[derive(Clone)]
pub struct PricesQuestion {
    symbol: Symbol,
    range: DateRange,
    limit: u32,
}

#[derive(Serialize)]
struct Prices<'a> {
    symbol: &'a str,
    /// Bars in this answer.
    count: usize,
    #[serde(serialize_with = "each")]
    prices: &'a BarRows,
}

/// A [`Bar`] as it is published.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    date: NaiveDate,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    adjusted_close: f64,
    volume: i64,
}

pub async fn prices(Asked(question): Asked<PricesQuestion>, state: &'static State) -> Result<HttpResponse, Problem> {
    let PricesQuestion { symbol, range, limit } = question;
    let bars = match state.store.bars(symbol, range, limit).await? {
        Bars::UnknownSymbol => return Err(Problem::UnknownSymbol(symbol)),
        Bars::Found(bars) if bars.count() == 0 => return Err(Problem::NoData { symbol, range: in_words(range) }),
        Bars::Found(bars) => bars,
    };
    let count = bars.count();
    Ok(json(&Prices { symbol: symbol.as_str(), count, prices: &bars }, count * PRICE_BYTES))
}

/// From the driver's rows straight to the answer's bytes.
fn each<S: Serializer>(bars: &BarRows, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(bars.iter().map(Price::from))
}

impl Question for PricesQuestion {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let symbol = symbol(request)?;
        let query = Query::of(request, &["start", "end", "limit"])?;
        let expected = "the first day, as YYYY-MM-DD";
        let start = query.date("start")?.ok_or(Problem::MissingParameter { name: "start", expected })?;
        let range = DateRange::new(start, query.date("end")?)
            .map_err(|fault| invalid("start", format!("({}) is after end ({})", fault.start, fault.end)))?;
        Ok(Self { symbol, range, limit: query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT)? })
    }

    fn canonical(&self, version: i64) -> String {
        let Self { symbol, range, limit } = self;
        let end = range.end().map(|end| end.to_string()).unwrap_or_default();
        format!("v{version}/prices/{symbol}?start={}&end={end}&limit={limit}", range.start())
    }

    fn symbol(&self) -> Option<Symbol> {
        Some(self.symbol)
    }

    fn content(&self) -> Content {
        Content::Bars(self.range)
    }
}

fn in_words(range: DateRange) -> String {
    match range.end() {
        Some(end) => format!("from {} to {end}", range.start()),
        None => format!("from {} on", range.start()),
    }
}

impl From<Bar> for Price {
    fn from(bar: Bar) -> Self {
        let Bar { date, open, high, low, close, adjusted_close, volume } = bar;
        Self { date, open, high, low, close, adjusted_close, volume }
    }
}
