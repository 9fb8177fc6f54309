//! The parameters that all bar queries share: range, order, limit, adjustment, interval, columns
//! and format.

use std::fmt::Write;

use actix_web::HttpRequest;

use super::columns::{ColumnSelection, PriceColumn};
use crate::http::request::parameter::{Parameter, Takes, Whole};
use crate::http::request::query::{AS_OF, Query, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::format::Format;
use crate::market::{Adjust, AsOf, DateRange, DateText, Interval, Order};

/// The limit of a JSON page.
const JSON_LIMIT: Whole = Whole { min: 1, max: 1000, default: 100 };
/// The limit of a CSV or NDJSON page: some 700 KB. Longer results are streamed without a limit.
const LINES_LIMIT: Whole = Whole { max: 10_000, ..JSON_LIMIT };

/// The parameters of a query for several stocks.
pub const PARAMETERS_OF_MANY: &[Parameter] = &[
    Parameter::required(
        "symbols",
        Takes::Symbols,
        "1 to 100 symbols, separated by commas. Each costs one request.",
    ),
    Parameter::required("start", Takes::Date, "The first day."),
    Parameter::new("end", Takes::Date, "The last day, inclusive. Default: no end."),
    Parameter::new(
        "limit",
        Takes::NumberOrAll(LINES_LIMIT),
        "The maximum number of rows on a page. JSON: up to 1000, default 100. \
         CSV and NDJSON: up to 10000 or `all`, default `all`.",
    ),
    Parameter::new("order", Takes::OneOf(&Order::WORDS), "Newest first, or oldest first."),
    CURSOR,
    Parameter::new(
        "adjust",
        Takes::OneOf(&Adjust::WORDS),
        "Adjust open, high, low, close and volume for splits, for splits and dividends (`all`), \
         or not. Adjusted prices have 10 significant digits, rounded half to even.",
    ),
    Parameter::new(
        "interval",
        Takes::OneOf(&Interval::WORDS),
        "The period of a row: a day, week, month or year.",
    ),
    COLUMNS,
    FORMAT,
    AS_OF,
];
/// The parameters of a query for one stock: the same without `symbols`, as the path has the symbol.
pub const PARAMETERS_OF_ONE: &[Parameter] = PARAMETERS_OF_MANY.split_at(1).1;

pub const CURSOR: Parameter = Parameter::new(
    "cursor",
    Takes::Cursor,
    "Where the page starts. Take it from `next` of the previous page.",
);
pub const COLUMNS: Parameter = Parameter::new(
    "columns",
    Takes::SomeOf(&PriceColumn::WORDS),
    "The fields of a row in their order, separated by commas.",
);
pub const FORMAT: Parameter = Parameter::new(
    "format",
    Takes::OneOf(&Format::WORDS),
    "The format of the response. Default: the one preferred by `Accept`.",
);

/// The maximum number of rows of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLimit {
    Rows(u32),
    /// No limit: the rows are streamed.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarsQuery {
    pub range: DateRange,
    pub order: Order,
    pub limit: RowLimit,
    pub adjust: Adjust,
    pub interval: Interval,
    pub columns: ColumnSelection,
    pub format: Format,
    pub as_of: Option<AsOf>,
    has_symbols: bool,
}

impl BarsQuery {
    /// Reads all parameters except symbols and cursor. `has_symbols`: whether rows contain the
    /// symbol by default, because the query is for several stocks.
    pub fn parse(
        query: &Query<'_>,
        request: &HttpRequest,
        has_symbols: bool,
    ) -> Result<Self, Problem> {
        let start = query.date("start")?.ok_or(Problem::MissingParameter {
            name: "start",
            expected: "the first day, as YYYY-MM-DD",
        })?;
        let range = DateRange::new(start, query.date("end")?).map_err(|error| {
            invalid("start", format!("({}) is after end ({})", error.start, error.end))
        })?;
        let format = query.format(request)?;
        let interval: Interval = query.value("interval")?.unwrap_or_default();
        let adjust = query.value("adjust")?.unwrap_or_default();
        let default = || default_columns(has_symbols, interval, adjust, format);
        Ok(Self {
            range,
            order: query.value("order")?.unwrap_or_default(),
            limit: limit(query, format)?,
            adjust,
            interval,
            columns: query.value("columns")?.unwrap_or_else(default),
            format,
            as_of: query.as_of()?,
            has_symbols,
        })
    }

    /// The value of `adjust` in an answer that says it; `None` for prices as traded.
    pub fn stated_adjust(&self) -> Option<&'static str> {
        (self.adjust != Adjust::None).then_some(self.adjust.as_str())
    }

    /// Whether the rows are the stored bars, without change.
    pub fn is_unadjusted(&self) -> bool {
        self.adjust == Adjust::None && self.interval == Interval::Day
    }

    /// Appends the parameters to a URL in canonical form: fixed order, no default values.
    pub fn write(&self, url: &mut String) {
        let start = DateText::of(self.range.start());
        let end = self.range.end().and_then(DateText::of);
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
        if let RowLimit::Rows(rows) = self.limit {
            // Writing to a String can't fail.
            let _ = write!(url, "&limit={rows}");
        }
        if let Some(as_of) = self.as_of {
            let _ = write!(url, "&asof={as_of}");
        }
        let default = default_columns(self.has_symbols, self.interval, self.adjust, self.format);
        if self.columns != default {
            url.push_str("&columns=");
            self.columns.write_names(url);
        }
    }
}

/// The columns without a selection. Adjusted rows of CSV and NDJSON say so, because a load must not
/// take them for prices as traded. JSON says it beside the rows.
fn default_columns(
    has_symbols: bool,
    interval: Interval,
    adjust: Adjust,
    format: Format,
) -> ColumnSelection {
    let marks_adjusted = adjust != Adjust::None && format != Format::Json;
    ColumnSelection::default_for(has_symbols, interval != Interval::Day, marks_adjusted)
}

/// CSV and NDJSON default to all rows: their body has no place for the URL of a next page.
fn limit(query: &Query<'_>, format: Format) -> Result<RowLimit, Problem> {
    let is_all = matches!(query.given("limit"), None | Some("all"));
    match format {
        Format::Json => query.number("limit", JSON_LIMIT).map(RowLimit::Rows),
        Format::Csv | Format::Ndjson if is_all => Ok(RowLimit::All),
        Format::Csv | Format::Ndjson => {
            query.number("limit", LINES_LIMIT).map(RowLimit::Rows).map_err(|_| {
                let max = LINES_LIMIT.max;
                invalid(
                    "limit",
                    format!("is not valid: expected a whole number from 1 to {max}, or all"),
                )
            })
        }
    }
}

/// The range for an error message, after "has no prices".
pub fn range_text(range: DateRange, interval: Interval) -> String {
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
