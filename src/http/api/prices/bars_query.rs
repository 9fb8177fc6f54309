//! What is asked of bars, whichever stocks they are of.

use std::fmt::Write;

use actix_web::HttpRequest;

use super::columns::{Column, Columns};
use crate::http::request::parameter::{Parameter, Takes, Whole};
use crate::http::request::query::{Query, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::format::Format;
use crate::market::{Adjust, DateRange, DateText, Interval, Order};

/// Rows of a page of JSON.
const LIMIT: Whole = Whole { min: 1, max: 1000, default: 100 };
/// Rows of a page of lines. Some 700 KB: what is longer is streamed.
const LINES_LIMIT: Whole = Whole { max: 10_000, ..LIMIT };

pub const START: Parameter = Parameter::required("start", Takes::Date, "The first day");
pub const END: Parameter =
    Parameter::new("end", Takes::Date, "The last day, included; open where it is not given");
pub const LIMIT_PARAMETER: Parameter = Parameter::new(
    "limit",
    Takes::NumberOrAll(LINES_LIMIT),
    "Rows on a page: up to 1000 in JSON (100 where it is not given), up to 10000 or `all` in CSV and NDJSON (`all`)",
);
pub const ORDER: Parameter =
    Parameter::new("order", Takes::OneOf(&Order::WORDS), "Newest first, or oldest first");
pub const CURSOR: Parameter =
    Parameter::new("cursor", Takes::Cursor, "Where the page begins: as in `next`");
pub const ADJUST: Parameter = Parameter::new(
    "adjust",
    Takes::OneOf(&Adjust::WORDS),
    "What open, high, low, close and volume are adjusted for: nothing, splits, or splits and dividends",
);
pub const INTERVAL: Parameter = Parameter::new(
    "interval",
    Takes::OneOf(&Interval::WORDS),
    "What a row stands for: a day, week, month or year",
);
pub const COLUMNS: Parameter = Parameter::new(
    "columns",
    Takes::SomeOf(&Column::NAMES),
    "The fields of a row, in their order, parted by commas",
);
pub const FORMAT: Parameter = Parameter::new(
    "format",
    Takes::OneOf(&Format::WORDS),
    "Where it is not given, `Accept` decides",
);

/// How many rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Rows(u32),
    /// Whatever there is, streamed.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarsQuery {
    pub range: DateRange,
    pub order: Order,
    pub limit: Limit,
    pub adjust: Adjust,
    pub interval: Interval,
    pub columns: Columns,
    pub format: Format,
    of_several: bool,
}

impl BarsQuery {
    /// Reads everything but the stocks and the cursor. `of_several`: whether rows have to say which
    /// stock they are of.
    pub fn parse(
        query: &Query<'_>,
        request: &HttpRequest,
        of_several: bool,
    ) -> Result<Self, Problem> {
        let start = query.date("start")?.ok_or(Problem::MissingParameter {
            name: "start",
            expected: "the first day, as YYYY-MM-DD",
        })?;
        let range = DateRange::new(start, query.date("end")?).map_err(|error| {
            invalid("start", format!("({}) is after end ({})", error.start, error.end))
        })?;
        let format = Format::wanted(query, request)?;
        let interval: Interval = query.value("interval")?.unwrap_or_default();
        let usual = || Columns::usual(of_several, interval != Interval::Day);
        Ok(Self {
            range,
            order: query.value("order")?.unwrap_or_default(),
            limit: limit(query, format)?,
            adjust: query.value("adjust")?.unwrap_or_default(),
            interval,
            columns: query.value("columns")?.unwrap_or_else(usual),
            format,
            of_several,
        })
    }

    /// Adds what was asked to a URL, whatever way it was written: what is as usual is left out.
    pub fn write(&self, url: &mut String) {
        let (start, end) =
            (DateText::of(self.range.start()), self.range.end().and_then(DateText::of));
        let mut put = |name: &str, value: &str| {
            url.push_str(name);
            url.push_str(value);
        };
        put("start=", start.as_ref().map_or("", DateText::as_str));
        if let Some(end) = &end {
            put("&end=", end.as_str());
        }
        if self.order != Order::default() {
            put("&order=", self.order.as_str());
        }
        if self.adjust != Adjust::default() {
            put("&adjust=", self.adjust.as_str());
        }
        if self.interval != Interval::default() {
            put("&interval=", self.interval.as_str());
        }
        if self.format != Format::default() {
            put("&format=", self.format.as_str());
        }
        if let Limit::Rows(rows) = self.limit {
            // Writing to a text can't fail.
            let _ = write!(url, "&limit={rows}");
        }
        if self.columns != Columns::usual(self.of_several, self.interval != Interval::Day) {
            url.push_str("&columns=");
            self.columns.write_names(url);
        }
    }
}

/// Lines are for those who want everything: they say nothing of a next page.
fn limit(query: &Query<'_>, format: Format) -> Result<Limit, Problem> {
    let everything = matches!(query.given("limit"), None | Some("all"));
    match format {
        Format::Json => query.number("limit", LIMIT).map(Limit::Rows),
        Format::Csv | Format::Ndjson if everything => Ok(Limit::All),
        Format::Csv | Format::Ndjson => {
            query.number("limit", LINES_LIMIT).map(Limit::Rows).map_err(|_| {
                let max = LINES_LIMIT.max;
                invalid(
                    "limit",
                    format!("is not valid: expected a whole number from 1 to {max}, or all"),
                )
            })
        }
    }
}

/// The range in words, for those who find nothing in it.
pub fn in_words(range: DateRange, interval: Interval) -> String {
    let period = match interval {
        Interval::Day => None,
        Interval::Week => Some("week"),
        Interval::Month => Some("month"),
        Interval::Year => Some("year"),
    };
    match (period, range.start(), range.end()) {
        (None, start, Some(end)) => format!("from {start} to {end}"),
        (None, start, None) => format!("from {start} on"),
        (Some(period), start, Some(end)) => {
            format!("of a {period} that ended between {start} and {end}")
        }
        (Some(period), start, None) => format!("of a {period} that ended on {start} or later"),
    }
}
