//! One row of a file, and the parsing of its fields.

use chrono::{NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use csv::StringRecord;

use super::error::{RowError, RowErrorKind};
use super::header::ColumnSource;
use super::values::{self, DateError, DateOrder, WholeNumber};
use crate::market::{Symbol, SymbolError};

/// A row of a file. Its fields are read by the names of their columns.
pub struct FeedRow<'a> {
    /// Its line in the file, from 1. In a file without lines its number.
    pub line: u64,
    pub(super) record: &'a StringRecord,
    pub(super) columns: &'a [(&'static str, ColumnSource)],
    pub(super) date_order: Option<DateOrder>,
    /// Whether a time may be the end of its session, as in Massive's answers for a day.
    pub(super) has_close_times: bool,
    /// Whether semicolons separate the fields of the file.
    pub(super) has_semicolons: bool,
}

impl<'a> FeedRow<'a> {
    /// All fields of the row, in the order of the file.
    pub fn fields(&self) -> &'a StringRecord {
        self.record
    }

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
        let expected = expected.into();
        RowError { kind: RowErrorKind::Value, line: self.line, column, expected, found }
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
        // A constant symbol needs no parsing.
        if let ColumnSource::Constant(symbol) = self.source(column) {
            return Ok(*symbol);
        }
        let text = self.text(column);
        // Some vendors put a space before a share class: `BRK B`.
        let symbol = if text.contains(' ') { text.replace(' ', "/").parse() } else { text.parse() };
        symbol.map_err(|error: SymbolError| self.error(column, error.to_string()))
    }

    /// The local day and time of the instant in `column`, if it may be the end of a session.
    pub fn session_end(&self, column: &'static str, zone: Tz) -> Option<NaiveDateTime> {
        if !self.has_close_times {
            return None;
        }
        let instant = values::instant(self.text(column))?;
        Some(instant.with_timezone(&zone).naive_local())
    }

    /// A day. A time is one if it is midnight as written or in `zone`, that of the exchange.
    pub fn date(&self, column: &'static str, zone: Tz) -> Result<NaiveDate, RowError> {
        values::date(self.text(column), zone, self.date_order).map_err(|error| {
            let kind = match error {
                DateError::Order(_) | DateError::UnknownOrder => RowErrorKind::DateOrder,
                DateError::Form | DateError::ShortYear | DateError::TimeOfDay(_) => {
                    RowErrorKind::Value
                }
            };
            RowError { kind, ..self.error(column, error.to_string()) }
        })
    }

    /// A finite number.
    pub fn number(&self, column: &'static str) -> Result<f64, RowError> {
        let number = values::number(self.text(column));
        number.ok_or_else(|| self.error(column, values::expected_number(self.text(column))))
    }

    /// Whether the field stands for a missing value, such as an empty field or `null`.
    pub fn is_blank(&self, column: &'static str) -> bool {
        values::is_blank(self.text(column))
    }

    pub fn optional_number(&self, column: &'static str) -> Result<Option<f64>, RowError> {
        if self.is_blank(column) { Ok(None) } else { self.number(column).map(Some) }
    }

    pub fn optional_whole_number(
        &self,
        column: &'static str,
    ) -> Result<Option<WholeNumber>, RowError> {
        if self.is_blank(column) { Ok(None) } else { self.whole_number(column).map(Some) }
    }

    /// A whole number of 0 or more. Some feeds write fractions, which are rounded.
    pub fn whole_number(&self, column: &'static str) -> Result<WholeNumber, RowError> {
        let text = self.text(column);
        if self.has_semicolons && values::may_be_thousands(text) {
            let expected = "expected a whole number without points, which may separate thousands";
            return Err(self.error(column, expected));
        }
        let number = values::whole_number(text);
        number.ok_or_else(|| self.error(column, "expected a whole number of 0 or more"))
    }
}
