//! One row of a file, and the parsing of its fields.

use chrono::NaiveDate;
use csv::StringRecord;

use super::columns::ColumnSource;
use super::error::RowError;
use crate::market::{Symbol, SymbolError, parse_date};

/// A row of a file. Its fields are read by the names of their columns.
pub struct FeedRow<'a> {
    /// Its line in the file, from 1.
    pub line: u64,
    pub(super) record: &'a StringRecord,
    pub(super) columns: &'a [(&'static str, ColumnSource)],
}

impl<'a> FeedRow<'a> {
    /// The field in `column`; empty if the file has no such column.
    pub fn text(&self, column: &'static str) -> &'a str {
        match self.source(column) {
            ColumnSource::Field(at) => self.record.get(*at).unwrap_or_default(),
            ColumnSource::Constant(symbol) => symbol.as_str(),
            ColumnSource::Absent => "",
        }
    }

    /// Whether the file has the column.
    pub fn has(&self, column: &'static str) -> bool {
        *self.source(column) != ColumnSource::Absent
    }

    fn source(&self, column: &'static str) -> &'a ColumnSource {
        let found = self.columns.iter().find(|(name, _)| *name == column);
        found.map_or(&ColumnSource::Absent, |(_, source)| source)
    }

    /// The error that the field in `column` is not what was expected.
    pub fn error(&self, column: &'static str, expected: impl Into<String>) -> RowError {
        let found = self.text(column).chars().take(40).collect();
        RowError { line: self.line, column, expected: expected.into(), found }
    }

    /// A text without control characters, which may be empty.
    pub fn optional_text(&self, column: &'static str) -> Result<&'a str, RowError> {
        let text = self.text(column);
        if text.chars().any(char::is_control) {
            return Err(self.error(column, "expected a text without control characters"));
        }
        Ok(text)
    }

    /// A text without control characters, which must not be empty.
    pub fn required_text(&self, column: &'static str) -> Result<&'a str, RowError> {
        let text = self.optional_text(column)?;
        if text.is_empty() { Err(self.error(column, "expected a text")) } else { Ok(text) }
    }

    pub fn symbol(&self, column: &'static str) -> Result<Symbol, RowError> {
        self.text(column)
            .parse()
            .map_err(|error: SymbolError| self.error(column, error.to_string()))
    }

    pub fn date(&self, column: &'static str) -> Result<NaiveDate, RowError> {
        parse_date(self.text(column))
            .ok_or_else(|| self.error(column, "expected a date as YYYY-MM-DD"))
    }

    /// A finite decimal number. Rust would also parse `inf`, `NaN` and `1e5`, which prices are not
    /// written as.
    pub fn number(&self, column: &'static str) -> Result<f64, RowError> {
        let text = self.text(column);
        let is_decimal = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        let number = text.parse().ok().filter(|number: &f64| is_decimal && number.is_finite());
        number.ok_or_else(|| self.error(column, "expected a number"))
    }

    pub fn optional_number(&self, column: &'static str) -> Result<Option<f64>, RowError> {
        if self.text(column).is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    /// A whole number of 0 or more. Some feeds write volumes as `1000.0`, which is accepted.
    pub fn whole_number(&self, column: &'static str) -> Result<i64, RowError> {
        let text = self.text(column);
        let digits = text.split_once('.').map_or(text, |(whole, zeros)| {
            if zeros.bytes().all(|b| b == b'0') { whole } else { text }
        });
        let whole = digits.parse().ok().filter(|n| *n >= 0);
        whole.ok_or_else(|| self.error(column, "expected a whole number of 0 or more"))
    }
}
