//! A file whose format is known, and whose columns have names.

use csv::StringRecord;

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
    /// Whether the file says that its prices are not as traded.
    pub are_prices_adjusted: bool,
    /// What the operator should know, as sentences.
    pub notes: Vec<String>,
    pub rows: R,
}

impl<R> Opened<R> {
    /// Rows under these names, of which the file says no more.
    pub fn of(names: StringRecord, rows: R) -> Self {
        let (symbol, interval, notes) = (None, None, Vec::new());
        Self { names, symbol, interval, are_prices_adjusted: false, notes, rows }
    }

    /// The same with other rows.
    pub fn map<T>(self, rows: impl FnOnce(R) -> T) -> Opened<T> {
        let Self { names, symbol, interval, are_prices_adjusted, notes, rows: own } = self;
        Opened { names, symbol, interval, are_prices_adjusted, notes, rows: rows(own) }
    }
}
