//! The reasons for which a load is rejected, as the operator reads them.

use std::fmt;

use chrono::NaiveDate;

use crate::store::StoreError;

/// A row that repeats an earlier row's key.
#[derive(Debug, PartialEq, Eq)]
pub struct DuplicateRow {
    pub line: u64,
    pub first_line: u64,
    pub is_dividend: bool,
}

/// Rows of a file that are left out before the load.
#[derive(Debug)]
pub struct LeftOut<T> {
    /// Each row once.
    pub rows: Vec<T>,
    /// The number of staged rows.
    pub staged_rows: u64,
}

/// A split, and the move of the close over it, which contradicts what prices are said to be.
#[derive(Debug, PartialEq)]
pub struct SplitMove {
    pub symbol: String,
    pub ex_date: NaiveDate,
    /// New shares for each old one.
    pub ratio: f64,
    pub close_before: f64,
    pub close_after: f64,
}

/// A close that moves between a stored and a loaded bar as later splits would move it.
#[derive(Debug, PartialEq)]
pub struct SeamMove {
    pub symbol: String,
    /// The day and close of the two bars.
    pub before: (NaiveDate, f64),
    pub after: (NaiveDate, f64),
    /// The last of the splits.
    pub ex_date: NaiveDate,
    /// New shares for each old one, of these splits together.
    pub ratio: f64,
}

/// Stored closes as traded that would become adjusted ones.
#[derive(Debug, PartialEq)]
pub struct AdjustedCorrection {
    pub symbol: String,
    /// The first and the last day.
    pub days: (NaiveDate, NaiveDate),
    /// New shares for each old one, of the later splits together; `None` if they become the stored
    /// adjusted closes.
    pub ratio: Option<f64>,
}

/// A row of an action that may be an event that is stored under another type, or a part of it. To
/// load both would count it twice.
#[derive(Debug, PartialEq)]
pub struct ActionConflict {
    pub line: u64,
    pub symbol: String,
    pub ex_date: NaiveDate,
    pub kind: String,
    pub row_type: String,
    pub stored_type: String,
    /// The amount or the ratio.
    pub stored_value: String,
    /// Whether the stored one, whose type is not known to be stated, may include the row.
    pub may_be_included: bool,
}

impl fmt::Display for ActionConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, symbol, ex_date, kind, row_type, stored_type, stored_value, .. } = self;
        if self.may_be_included {
            return write!(
                f,
                "line {line}: {symbol} has a {kind} of {stored_value} on {ex_date} whose type is \
                 not known, and which may include this one of the type {row_type}; load a row \
                 that states the type {stored_type} for that day, before or in the same file, or \
                 take the stored one back (tickerd actions delete --symbol {symbol} --from \
                 {ex_date} --kind {kind})"
            );
        }
        write!(
            f,
            "line {line}: {symbol} has an event of the type {stored_type} on {ex_date}, and this \
             row of the type {row_type} may be the same one; give each row its type, and if both \
             happened, load both from one file (tickerd actions delete takes a wrong one back)"
        )
    }
}

/// The period of a stock's bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongPeriod {
    Week,
    Month,
}

/// A stock of a file whose bars are those of weeks or months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongBars {
    pub symbol: String,
    pub period: LongPeriod,
    pub bars: i64,
    pub first: NaiveDate,
    pub last: NaiveDate,
}

impl fmt::Display for LongBars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, period, bars, first, last } = self;
        let period = match period {
            LongPeriod::Week => "week, on its first or last days",
            LongPeriod::Month => "month, at its beginning or end",
        };
        write!(f, "{symbol}: {bars} bars from {first} to {last}, one a {period}")
    }
}

/// Why a load was rejected, although Postgres works.
#[derive(Debug, thiserror::Error)]
pub enum LoadRejection {
    #[error("rows repeat earlier rows")]
    Duplicates(Vec<DuplicateRow>),
    #[error("rows may repeat events that are stored under another type")]
    Conflicts(Vec<ActionConflict>),
    #[error(
        "the adjusted closes of {} came from a feed and would all be replaced by computed ones",
        first_symbols(.0)
    )]
    WouldReplace(Vec<String>),
    #[error(
        "the adjusted closes of {} are computed, and those of the file would stand beside them: \
         load the whole history of each, or leave the file's out (--adjusted-close computed)",
        first_symbols(.0)
    )]
    WouldMix(Vec<String>),
    #[error(
        "the stored prices of stocks would count as in another unit, 100 or 1000 times as large or \
         small: {}",
        first_symbols(.0)
    )]
    WouldChangeUnit(Vec<String>),
    #[error(
        "bars of weeks or months would be loaded as days:{}\nrequest the bars of days from the \
         vendor; --sparse-bars keep loads all as it is",
        first_lines(.0, "stocks")
    )]
    LongPeriods(Vec<LongBars>),
    #[error(
        "prices contradict splits: they are adjusted for them already, or a split is turned \
         round:{}\n--prices-are split-adjusted converts adjusted prices, --prices-are raw loads \
         all as it is",
        first_lines(.0, "splits")
    )]
    LooksSplitAdjusted(Vec<SplitMove>),
    #[error(
        "some prices would be converted that are not split-adjusted:{}\n\
         load stocks whose prices are as traded in a file of their own, without --prices-are",
        first_lines(.0, "splits")
    )]
    WouldConvertTwice(Vec<SplitMove>),
    #[error(
        "some prices do not continue the stored ones, but differ by the ratio of later splits:{}\n\
         --prices-are split-adjusted converts adjusted prices; without it, they are loaded as \
         traded; --prices-are raw loads all as it is",
        first_lines(.0, "stocks")
    )]
    DoNotContinue(Vec<SeamMove>),
    #[error(
        "stored closes as traded would be replaced by adjusted ones:{}\n--prices-are \
         split-adjusted converts prices that are adjusted for splits alone, --prices-are raw loads \
         all as it is",
        first_lines(.0, "corrections")
    )]
    WouldReplaceByAdjusted(Vec<AdjustedCorrection>),
}

impl fmt::Display for AdjustedCorrection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, days: (first, last), ratio } = self;
        write!(f, "{symbol}: changed closes from {first} to {last} ")?;
        match ratio {
            Some(ratio) => {
                write!(f, "move as at a split of {ratio} new shares for 1, but that is later")
            }
            None => f.write_str("are the adjusted closes that are served for these days"),
        }
    }
}

impl fmt::Display for SeamMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, before, after, ex_date, ratio } = self;
        write!(
            f,
            "{symbol}: the close moves from {} on {} to {} on {}, as at a split of {ratio} new \
             shares for 1, but that is on {ex_date}",
            before.1, before.0, after.1, after.0
        )
    }
}

impl fmt::Display for SplitMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, ex_date, ratio, close_before, close_after } = self;
        let moved = (close_after / close_before - 1.0) * 100.0;
        let expected = (1.0 / ratio - 1.0) * 100.0;
        write!(
            f,
            "{symbol}: at the split of {ex_date} the close moved by {moved:+.1} %, from \
             {close_before} to {close_after}; as traded it would move by about {expected:+.0} %"
        )
    }
}

/// Why a load was not committed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rejected(#[from] LoadRejection),
    /// The answer to the commit was lost, so it may have succeeded.
    #[error("{0}")]
    OutcomeUnknown(StoreError),
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// The most symbols or splits in a message; the others are counted.
const SYMBOLS_NAMED_MAX: usize = 10;

/// A line for each of the first, and one that counts the others.
fn first_lines(all: &[impl fmt::Display], what: &str) -> String {
    let (named, others) = all.split_at(all.len().min(SYMBOLS_NAMED_MAX));
    let mut lines: String = named.iter().map(|one| format!("\n  {one}")).collect();
    if !others.is_empty() {
        lines.push_str(&format!("\n  and {} more {what}", others.len()));
    }
    lines
}

/// The first symbols, and how many more there are.
pub fn first_symbols(symbols: &[String]) -> String {
    let first = symbols[..symbols.len().min(SYMBOLS_NAMED_MAX)].join(", ");
    match symbols.len() - symbols.len().min(SYMBOLS_NAMED_MAX) {
        0 => first,
        others => format!("{first} and {others} more"),
    }
}
