//! A file whose format is known, and whose columns have names.

use csv::StringRecord;

use crate::feed::error::FeedError;

/// The size of one read, in bytes.
pub const READ_BYTES: usize = 128 * 1024;

/// The rows of a file, and what it says about all of them.
pub struct Opened<R> {
    /// The names of the columns.
    pub names: StringRecord,
    /// The symbol that the file names outside of its rows.
    pub symbol: Option<String>,
    /// The period of all bars, if the file states it outside of its rows.
    pub interval: Option<String>,
    /// Whether semicolons separate its fields. Where they do, `.` may separate thousands.
    pub has_semicolons: bool,
    /// Whether the file says that its prices are not as traded.
    pub are_prices_adjusted: bool,
    /// Whether the first line names the columns.
    pub has_header_line: bool,
    /// Why the file is none of data, if it lacks a column.
    pub refusal: Option<FeedError>,
    /// What the operator should know, as sentences.
    pub notes: Vec<String>,
    pub rows: R,
}

impl<R> Opened<R> {
    /// Rows under these names, of which the file says no more.
    pub fn of(names: StringRecord, rows: R) -> Self {
        Self {
            names,
            symbol: None,
            interval: None,
            has_semicolons: false,
            are_prices_adjusted: false,
            has_header_line: false,
            refusal: None,
            notes: Vec::new(),
            rows,
        }
    }

    /// The same with other rows.
    pub fn map<T>(self, rows: impl FnOnce(R) -> T) -> Opened<T> {
        Opened {
            names: self.names,
            symbol: self.symbol,
            interval: self.interval,
            has_semicolons: self.has_semicolons,
            are_prices_adjusted: self.are_prices_adjusted,
            has_header_line: self.has_header_line,
            refusal: self.refusal,
            notes: self.notes,
            rows: rows(self.rows),
        }
    }
}
