//! Errors of a file and of a row.

use crate::market::Symbol;

/// The longest row, in bytes, including what the reader buffers of the next row. Without a bound, a
/// quote that is left open would read the rest of the file as one row.
pub(super) const ROW_BYTES_MAX: u64 = 1024 * 1024;

/// The most records of NDJSON that are read ahead to learn the names of their fields.
pub(super) const RECORDS_AHEAD_MAX: usize = 1000;

/// Why a file, or one of its rows, can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("{name} can't be read: {reason}")]
    Io { name: String, reason: String },
    #[error("{name} line {line} is not CSV: {reason}")]
    Csv { name: String, line: u64, reason: String },
    #[error(
        "{name} line {line} has no end: expected a row of at most {ROW_BYTES_MAX} bytes; a quote \
         may have been left open"
    )]
    RowTooLong { name: String, line: u64 },
    #[error(
        "{name} line {line} has a quote that is not closed on its line: rows after it can't be \
         told apart; remove the quote, or the line end within the field"
    )]
    OpenQuote { name: String, line: u64 },
    #[error("{name} lacks the column {column}: expected {expected}")]
    MissingColumn { name: String, column: &'static str, expected: String },
    #[error("{name} has no header: expected a first line that names {expected}")]
    NoHeader { name: String, expected: String },
    #[error("{name} is not data but an answer of its vendor: {text:?}")]
    VendorAnswer { name: String, text: String },
    #[error("{name} holds no records")]
    NoRecords { name: String },
    #[error(
        "{name} line {line} is the first record with the field {field:?}, which is read: expected \
         the field in one of the first {RECORDS_AHEAD_MAX} records, null where it has no value"
    )]
    LateField { name: String, line: u64, field: String },
    #[error("{name} has the column {column} twice, as {first:?} and {second:?}: expected it once")]
    DuplicateColumn { name: String, column: &'static str, first: String, second: String },
    #[error("{name} names the symbol of each row: leave --symbol out")]
    SymbolTwice { name: String },
    #[error("{name} is of {named}, not of {given}: leave --symbol out, or give the file's symbol")]
    OtherSymbol { name: String, named: Symbol, given: Symbol },
    #[error(
        "{name} is a table with one column a stock ({stocks}, ...): expected one row a stock and \
         day, with the columns symbol, date, open, high, low, close, volume"
    )]
    OneColumnAStock { name: String, stocks: String },
    #[error(
        "{name} holds several stocks side by side ({stocks}, ...), as yfinance downloads them: \
         expected one stock a file (download(..., multi_level_index=False)), or one row a stock \
         and day (stack)"
    )]
    SideBySide { name: String, stocks: String },
    #[error(
        "the dates of {name} have two meanings ({example:?}): expected --dates mdy if the month \
         comes first, or --dates dmy"
    )]
    AmbiguousDates { name: String, example: String },
    #[error(
        "{name} says that its prices are adjusted: expected prices as traded (request \
         adjusted=false), or --prices-are split-adjusted"
    )]
    AdjustedPrices { name: String },
    #[error(
        "{name} has unadjusted values in the column {column:?}, so its other prices or volumes are \
         adjusted: expected a file of prices as traded, --prices-are split-adjusted, or \
         --prices-are raw if only that column says so"
    )]
    AdjustedBeside { name: String, column: String },
    #[error(
        "{name} says that the interval of its rows is {interval:?}: expected rows of days, as \
         \"1day\""
    )]
    OtherInterval { name: String, interval: String },
    #[error("{name} line {line} can't be read: {reason}")]
    BadRecord { name: String, line: u64, reason: String },
    #[error("{name} is not Parquet that can be loaded: {reason}")]
    Parquet { name: String, reason: String },
    #[error("{name} is not JSON that can be loaded: {reason}")]
    Json { name: String, reason: String },
}

impl FeedError {
    /// The line that it is about.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Csv { line, .. }
            | Self::BadRecord { line, .. }
            | Self::RowTooLong { line, .. }
            | Self::OpenQuote { line, .. }
            | Self::LateField { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// Whether it is about one row, after which others can be read.
    pub fn is_of_one_row(&self) -> bool {
        matches!(self, Self::Csv { .. } | Self::BadRecord { .. })
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowErrorKind {
    /// A value, of this row alone.
    Value,
    /// No stock has the row's symbol.
    UnknownSymbol,
    /// The dates of the file have no common order, so no date of it can be trusted.
    DateOrder,
}

/// An invalid value: its position, what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {expected}, found {found:?}")]
pub struct RowError {
    pub kind: RowErrorKind,
    pub line: u64,
    pub column: &'static str,
    pub expected: String,
    pub found: String,
}
