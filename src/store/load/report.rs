//! What a load did, or why it did nothing.

use chrono::NaiveDate;
use serde::Serialize;

use crate::store::StoreError;

/// What a load changed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadReport {
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    /// Stocks of which anything changed.
    pub stocks_touched: usize,
    /// The stocks of which something that was served before is served differently now, by symbol.
    pub restated: Vec<Restated>,
}

impl LoadReport {
    /// Rows that were written.
    pub fn written(&self) -> i64 {
        self.added + self.changed + self.restated.iter().map(|of| of.readjusted).sum::<i64>()
    }
}

/// What was restated of a stock.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restated {
    pub symbol: String,
    /// Rows that the file changed.
    pub changed: i64,
    /// Bars beside them whose adjusted close was computed anew.
    pub readjusted: i64,
    /// The first day of all these; a file of stocks has none.
    pub from: Option<NaiveDate>,
    /// The last one.
    pub to: Option<NaiveDate>,
}

/// A row that says something about what an earlier one of the same file spoke of.
#[derive(Debug, PartialEq, Eq)]
pub struct Repeat {
    pub line: u64,
    pub first_line: u64,
}

/// Why nothing was loaded, though Postgres could.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("rows repeat others")]
    Repeats(Vec<Repeat>),
    #[error(
        "the adjusted closes of {} came from a feed and would all be replaced by computed ones", named(.0)
    )]
    WouldReplace(Vec<String>),
    #[error(
        "the adjusted closes of {} are computed, and those of the file would stand beside them: load the whole history \
         of each, or leave the file's out (--adjusted-close computed)", named(.0)
    )]
    WouldMix(Vec<String>),
}

/// What keeps a load from being committed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The commit was sent and its answer got lost.
    #[error("{0}")]
    InDoubt(StoreError),
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// Symbols that are named; more are counted.
const SYMBOLS_NAMED_MAX: usize = 10;

fn named(symbols: &[String]) -> String {
    let (first, more) = symbols.split_at(symbols.len().min(SYMBOLS_NAMED_MAX));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("{}{more}", first.join(", "))
}

/// What a load did to one stock.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    pub stock_id: i32,
    pub added: i64,
    pub changed: i64,
    /// The first and the last day of what it changed.
    pub days: Option<(NaiveDate, NaiveDate)>,
    pub readjusted: i64,
}

impl Merged {
    pub fn is_restated(&self) -> bool {
        self.changed + self.readjusted > 0
    }

    /// Takes in what else was done to the same stock.
    pub fn add_readjusted(&mut self, bars: i64, first: NaiveDate, last: NaiveDate) {
        let (from, to) = self.days.unwrap_or((first, last));
        self.readjusted += bars;
        self.days = Some((from.min(first), to.max(last)));
    }
}
