//! `GET /api/stocks/{symbol}/prices`: daily bars of a range of dates, newest first.

use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::answer::{json, written};
use super::error::Problem;
use super::parameter::{Parameter, Takes, Whole};
use super::query::{Query, invalid, symbol};
use super::question::{Asked, Question, stock_of};
use super::state::State;
use crate::cache::{Content, DependsOn};
use crate::market::{Bar, DateRange, DateText, Symbol};

const LIMIT: Whole = Whole { min: 1, max: 1000, default: 100 };
pub const PARAMETERS: &[Parameter] = &[
    Parameter::required("start", Takes::Date, "The first day"),
    Parameter::new("end", Takes::Date, "The last day, included; open where it is not given"),
    Parameter::new("limit", Takes::Number(LIMIT), "Bars at most"),
];
/// A [`Price`] in JSON, rounded up.
const PRICE_BYTES: usize = 136;

#[derive(Clone)]
pub struct PricesQuestion {
    symbol: Symbol,
    range: DateRange,
    limit: u32,
}

#[derive(Serialize)]
struct Prices<'a, B: Iterator<Item = Bar> + Clone> {
    symbol: &'a str,
    /// Bars in this answer.
    count: usize,
    #[serde(serialize_with = "each")]
    prices: B,
}

/// A [`Bar`] as it is published.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    #[serde(serialize_with = "iso_8601")]
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
    let stock = stock_of(state, symbol).await?;
    let (symbol, bars) = (stock.symbol, state.store.bars(stock, range, limit).await?);
    if bars.count() == 0 {
        return Err(Problem::NoData { symbol, range: in_words(range) });
    }
    Ok(json(body(symbol, bars.count(), bars.iter())))
}

/// The answer's bytes: each bar is written as it is read, and none is kept.
pub fn body(symbol: Symbol, count: usize, bars: impl Iterator<Item = Bar> + Clone) -> Vec<u8> {
    written(&Prices { symbol: symbol.as_str(), count, prices: bars }, count * PRICE_BYTES)
}

fn each<S: Serializer>(bars: &(impl Iterator<Item = Bar> + Clone), serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(bars.clone().map(Price::from))
}

fn iso_8601<S: Serializer>(date: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
    match DateText::of(*date) {
        Some(text) => serializer.serialize_str(text.as_str()),
        None => date.serialize(serializer),
    }
}

impl Question for PricesQuestion {
    fn parse(request: &HttpRequest) -> Result<Self, Problem> {
        let symbol = symbol(request)?;
        let query = Query::of(request, PARAMETERS)?;
        let expected = "the first day, as YYYY-MM-DD";
        let start = query.date("start")?.ok_or(Problem::MissingParameter { name: "start", expected })?;
        let range = DateRange::new(start, query.date("end")?)
            .map_err(|fault| invalid("start", format!("({}) is after end ({})", fault.start, fault.end)))?;
        Ok(Self { symbol, range, limit: query.number("limit", LIMIT)? })
    }

    fn canonical(&self, version: i64) -> String {
        let Self { symbol, range, limit } = self;
        let (start, end) = (DateText::of(range.start()), range.end().and_then(DateText::of));
        let [start, end] = [&start, &end].map(|date| date.as_ref().map_or("", DateText::as_str));
        format!("v{version}/prices/{}?start={start}&end={end}&limit={limit}", symbol.as_str())
    }

    fn depends_on(&self) -> DependsOn<'_> {
        DependsOn::Stock(self.symbol)
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
