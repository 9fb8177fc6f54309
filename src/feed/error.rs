//! Errors of a file and of a row.

/// The longest row, in bytes, including what the reader buffers of the next row. Without a bound, a
/// quote that is left open would read the rest of the file as one row.
pub(super) const ROW_BYTES_MAX: u64 = 1024 * 1024;

/// Why a file can't be read.
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
    #[error("{name} lacks the column {column}: expected a first line that names {expected}")]
    MissingColumn { name: String, column: &'static str, expected: String },
    #[error("{name} has the column {column} twice, as {first:?} and {second:?}: expected it once")]
    DuplicateColumn { name: String, column: &'static str, first: String, second: String },
    #[error("{name} names the symbol of each row: leave --symbol out")]
    SymbolTwice { name: String },
}

/// An invalid value: its position, what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {expected}, found {found:?}")]
pub struct RowError {
    pub line: u64,
    pub column: &'static str,
    pub expected: String,
    pub found: String,
}
