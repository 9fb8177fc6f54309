//! One row of a file, and what is wrong with it.

use chrono::NaiveDate;
use csv::StringRecord;

use super::columns::Place;
use crate::market::{Symbol, parse_date};

/// A row whose fields are asked for by the name of their column.
pub struct Row<'a> {
    /// Its line in the file, from 1.
    pub line: u64,
    pub(super) record: &'a StringRecord,
    pub(super) columns: &'a [(&'static str, Place)],
}

/// The exact place of a bad value, what was expected there and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {expected}, found {found:?}")]
pub struct RowFault {
    pub line: u64,
    pub column: &'static str,
    pub expected: String,
    pub found: String,
}

impl<'a> Row<'a> {
    /// The field in `column`; empty where the file has no such column.
    pub fn text(&self, column: &'static str) -> &'a str {
        match self.place(column) {
            Place::At(at) => self.record.get(*at).unwrap_or_default(),
            Place::Given(symbol) => symbol.as_str(),
            Place::Nowhere => "",
        }
    }

    /// Whether the file has the column at all.
    pub fn has(&self, column: &'static str) -> bool {
        *self.place(column) != Place::Nowhere
    }

    fn place(&self, column: &'static str) -> &'a Place {
        let found = self.columns.iter().find(|(name, _)| *name == column);
        found.map_or(&Place::Nowhere, |(_, place)| place)
    }

    pub fn fault(&self, column: &'static str, expected: impl Into<String>) -> RowFault {
        let found = self.text(column).chars().take(40).collect();
        RowFault { line: self.line, column, expected: expected.into(), found }
    }

    /// A field that may be empty but holds nothing that can't be shown.
    pub fn plain(&self, column: &'static str) -> Result<&'a str, RowFault> {
        let text = Some(self.text(column)).filter(|text| !text.chars().any(char::is_control));
        text.ok_or_else(|| self.fault(column, "expected a text without control characters"))
    }

    /// The same that must not be empty.
    pub fn filled(&self, column: &'static str) -> Result<&'a str, RowFault> {
        let text = self.plain(column)?;
        if text.is_empty() { Err(self.fault(column, "expected a text")) } else { Ok(text) }
    }

    pub fn symbol(&self, column: &'static str) -> Result<Symbol, RowFault> {
        self.text(column)
            .parse()
            .map_err(|fault: crate::market::SymbolFault| self.fault(column, fault.to_string()))
    }

    pub fn date(&self, column: &'static str) -> Result<NaiveDate, RowFault> {
        parse_date(self.text(column))
            .ok_or_else(|| self.fault(column, "expected a date as YYYY-MM-DD"))
    }

    /// A finite decimal number. Rust would also read `inf`, `NaN` and `1e5`, which no price is
    /// written as.
    pub fn number(&self, column: &'static str) -> Result<f64, RowFault> {
        let text = self.text(column);
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        let number = text.parse().ok().filter(|number: &f64| plain && number.is_finite());
        number.ok_or_else(|| self.fault(column, "expected a number"))
    }

    pub fn number_if_any(&self, column: &'static str) -> Result<Option<f64>, RowFault> {
        if self.text(column).is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    /// A whole number of 0 or more; `1000.0`, as some feeds write volumes, is one.
    pub fn whole(&self, column: &'static str) -> Result<i64, RowFault> {
        let text = self.text(column);
        let digits = text.split_once('.').map_or(text, |(whole, zeros)| {
            if zeros.bytes().all(|b| b == b'0') { whole } else { text }
        });
        let whole = digits.parse().ok().filter(|n| *n >= 0);
        whole.ok_or_else(|| self.fault(column, "expected a whole number of 0 or more"))
    }
}
