//! One row of a file, and what is wrong with it.

use chrono::NaiveDate;
use csv::StringRecord;

use super::columns::ColumnSource;
use crate::market::{Symbol, parse_date};

/// A row whose fields are asked for by the name of their column.
pub struct Row<'a> {
    /// Its line in the file, from 1.
    pub line: u64,
    pub(super) record: &'a StringRecord,
    pub(super) columns: &'a [(&'static str, ColumnSource)],
}

/// The exact place of a bad value, what was expected there and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {expected}, found {found:?}")]
pub struct RowError {
    pub line: u64,
    pub column: &'static str,
    pub expected: String,
    pub found: String,
}

impl<'a> Row<'a> {
    /// The field in `column`; empty where the file has no such column.
    pub fn text(&self, column: &'static str) -> &'a str {
        match self.place(column) {
            ColumnSource::At(at) => self.record.get(*at).unwrap_or_default(),
            ColumnSource::Given(symbol) => symbol.as_str(),
            ColumnSource::Nowhere => "",
        }
    }

    /// Whether the file has the column at all.
    pub fn has(&self, column: &'static str) -> bool {
        *self.place(column) != ColumnSource::Nowhere
    }

    fn place(&self, column: &'static str) -> &'a ColumnSource {
        let found = self.columns.iter().find(|(name, _)| *name == column);
        found.map_or(&ColumnSource::Nowhere, |(_, place)| place)
    }

    pub fn error(&self, column: &'static str, expected: impl Into<String>) -> RowError {
        let found = self.text(column).chars().take(40).collect();
        RowError { line: self.line, column, expected: expected.into(), found }
    }

    /// A field that may be empty but holds nothing that can't be shown.
    pub fn plain(&self, column: &'static str) -> Result<&'a str, RowError> {
        let text = Some(self.text(column)).filter(|text| !text.chars().any(char::is_control));
        text.ok_or_else(|| self.error(column, "expected a text without control characters"))
    }

    /// The same that must not be empty.
    pub fn filled(&self, column: &'static str) -> Result<&'a str, RowError> {
        let text = self.plain(column)?;
        if text.is_empty() { Err(self.error(column, "expected a text")) } else { Ok(text) }
    }

    pub fn symbol(&self, column: &'static str) -> Result<Symbol, RowError> {
        self.text(column)
            .parse()
            .map_err(|error: crate::market::SymbolError| self.error(column, error.to_string()))
    }

    pub fn date(&self, column: &'static str) -> Result<NaiveDate, RowError> {
        parse_date(self.text(column))
            .ok_or_else(|| self.error(column, "expected a date as YYYY-MM-DD"))
    }

    /// A finite decimal number. Rust would also read `inf`, `NaN` and `1e5`, which no price is
    /// written as.
    pub fn number(&self, column: &'static str) -> Result<f64, RowError> {
        let text = self.text(column);
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        let number = text.parse().ok().filter(|number: &f64| plain && number.is_finite());
        number.ok_or_else(|| self.error(column, "expected a number"))
    }

    pub fn number_if_any(&self, column: &'static str) -> Result<Option<f64>, RowError> {
        if self.text(column).is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    /// A whole number of 0 or more; `1000.0`, as some feeds write volumes, is one.
    pub fn whole(&self, column: &'static str) -> Result<i64, RowError> {
        let text = self.text(column);
        let digits = text.split_once('.').map_or(text, |(whole, zeros)| {
            if zeros.bytes().all(|b| b == b'0') { whole } else { text }
        });
        let whole = digits.parse().ok().filter(|n| *n >= 0);
        whole.ok_or_else(|| self.error(column, "expected a whole number of 0 or more"))
    }
}
