//! Reads the rows of a file under the names of their columns.

use std::collections::VecDeque;

use csv::StringRecord;

use super::columns::{FeedColumn, is_unadjusted};
use super::error::FeedError;
use super::header::{ColumnSource, FileSymbol, Header, find_columns};
use super::records::{self, Opened, Rows};
use super::row::FeedRow;
use super::source::{Source, decompressed};
use super::values::{DateOrder, DateOrderClue, date_order_clue, is_day};
use crate::market::Symbol;

/// The most rows that are read ahead to learn the order of day and month in dates.
const ROWS_AHEAD_MAX: usize = 100_000;

/// The names in Massive's answers for the market on a day, whose `t` is the end of the session.
const CLOSE_TIME_NAMES: [&str; 7] = ["T", "t", "o", "h", "l", "c", "v"];

/// What the operator says about a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileHints {
    /// The symbol of all rows, for a file without a symbol column.
    pub symbol: Option<Symbol>,
    /// The order of day and month in dates with the year last.
    pub date_order: Option<DateOrder>,
    /// Whether the operator says what the prices are, as traded or adjusted for splits.
    pub is_price_basis_given: bool,
}

/// Reads the rows of a file. Its first line names the columns, unless it is JSON.
pub struct FeedReader {
    name: String,
    names: StringRecord,
    rows: Rows,
    wanted: &'static [FeedColumn],
    columns: Vec<(&'static str, ColumnSource)>,
    ignored: Vec<String>,
    notes: Vec<String>,
    date_order: Option<DateOrder>,
    has_close_times: bool,
    states_interval: bool,
    has_semicolons: bool,
    ahead: VecDeque<Result<(u64, StringRecord), FeedError>>,
    record: StringRecord,
}

impl FeedReader {
    /// Opens a source, plain or compressed, and finds its columns.
    ///
    /// # Errors
    /// If the source can't be read, lacks a required column or has a column twice, or if its dates
    /// have two meanings.
    pub fn open(
        source: Source,
        wanted: &'static [FeedColumn],
        hints: FileHints,
    ) -> Result<Self, FeedError> {
        let Source { name, raw, .. } = source;
        let text = decompressed(raw);
        let text = text.map_err(|e| FeedError::Io { name: name.clone(), reason: e.to_string() })?;
        let Opened {
            names,
            symbol,
            interval,
            has_semicolons,
            are_prices_adjusted,
            has_header_line,
            refusal,
            notes,
            rows,
        } = records::open(&name, text)?;
        let is_of_prices = wanted.iter().any(|column| column.name == "close");
        let states_interval = interval.is_some();
        if let Some(interval) = interval.filter(|interval| is_of_prices && !is_day(interval)) {
            return Err(FeedError::OtherInterval { name, interval });
        }
        if is_of_prices && are_prices_adjusted && !hints.is_price_basis_given {
            return Err(FeedError::AdjustedPrices { name });
        }
        let unadjusted = names.iter().find(|name| is_unadjusted(name));
        if let (Some(column), true, false) = (unadjusted, is_of_prices, hints.is_price_basis_given)
        {
            return Err(FeedError::AdjustedBeside { column: column.to_owned(), name });
        }
        let symbol = FileSymbol { given: hints.symbol, named: symbol.as_deref() };
        let found = find_columns(&name, &names, wanted, symbol, has_header_line);
        let Header { mut sources, ignored } = found.map_err(|error| match refusal {
            Some(refusal) if matches!(error, FeedError::MissingColumn { .. }) => refusal,
            _ => error,
        })?;
        let has = |own: &str| names.iter().any(|name| name == own);
        let has_close_times = is_of_prices && CLOSE_TIME_NAMES.into_iter().all(has);
        // Rows look columns up one by one.
        sources.retain(|(_, source)| *source != ColumnSource::Absent);
        let mut reader = Self {
            name,
            names,
            rows,
            wanted,
            columns: sources,
            ignored,
            notes,
            date_order: hints.date_order,
            has_close_times,
            states_interval,
            has_semicolons,
            ahead: VecDeque::new(),
            record: StringRecord::new(),
        };
        if reader.date_order.is_none() {
            reader.learn_date_order()?;
        }
        Ok(reader)
    }

    /// The names of all columns, as written.
    pub fn names(&self) -> &StringRecord {
        &self.names
    }

    /// The names of the columns that are not read.
    pub fn ignored_columns(&self) -> &[String] {
        &self.ignored
    }

    /// What was assumed about the file, as sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the line of a row is its number, because the file has no lines.
    pub fn counts_records(&self) -> bool {
        self.rows.counts_records()
    }

    /// Whether semicolons separate the fields.
    pub fn has_semicolons(&self) -> bool {
        self.has_semicolons
    }

    /// Whether the file states the period of all bars outside of its rows.
    pub fn states_interval(&self) -> bool {
        self.states_interval
    }

    pub fn has(&self, column: &'static str) -> bool {
        self.columns.iter().any(|(name, _)| *name == column)
    }

    /// Ignores a column from now on, as if the file did not have it.
    pub fn ignore_column(&mut self, column: &'static str) {
        self.columns.retain(|(name, source)| {
            if let ColumnSource::Field(at) = source
                && *name == column
            {
                self.ignored.extend(self.names.get(*at).map(str::to_owned));
            }
            *name != column
        });
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// If the file is truncated, or a line has more or fewer fields than the first.
    pub fn next_row(&mut self) -> Result<Option<FeedRow<'_>>, FeedError> {
        // A row that can't be read leaves no fields of an earlier one.
        self.record.clear();
        let line = match self.ahead.pop_front() {
            Some(Ok((line, record))) => {
                self.record = record;
                Some(line)
            }
            Some(Err(error)) => return Err(error),
            None => {
                let mut record = std::mem::take(&mut self.record);
                let read = self.read_row(&mut record);
                self.record = record;
                read?
            }
        };
        Ok(line.map(|line| FeedRow {
            line,
            record: &self.record,
            columns: &self.columns,
            date_order: self.date_order,
            has_close_times: self.has_close_times,
            has_semicolons: self.has_semicolons,
        }))
    }

    /// The fields of the row that was read last, also if that gave an error.
    pub fn last_fields(&self) -> &StringRecord {
        &self.record
    }

    /// Reads the next row. A field that only later records have is ignored, unless it is a column
    /// that would be read.
    fn read_row(&mut self, record: &mut StringRecord) -> Result<Option<u64>, FeedError> {
        let line = self.rows.read(record)?;
        for field in self.rows.take_new_names() {
            if self.would_read(&field) {
                let (name, line) = (self.name.clone(), line.unwrap_or_default());
                return Err(FeedError::LateField { name, line, field });
            }
            self.ignored.push(field);
        }
        Ok(line)
    }

    /// Whether a field of this name is a column that is read.
    fn would_read(&self, field: &str) -> bool {
        is_unadjusted(field)
            || self.wanted.iter().any(|column| {
                let is_fallback = || column.find_fallback([(0, field)].into_iter()).is_some();
                column.is_called(field) || !self.has(column.name) && is_fallback()
            })
    }

    /// Reads ahead until a date shows the order of day and month, if the first date needs one.
    fn learn_date_order(&mut self) -> Result<(), FeedError> {
        let is_date = |name: &str| name == "date" || name == "ex_date";
        let date = self.columns.iter().find(|(name, _)| is_date(name));
        let Some((_, ColumnSource::Field(at))) = date else { return Ok(()) };
        let at = *at;
        let mut ambiguous = None;
        while self.ahead.len() < ROWS_AHEAD_MAX {
            let mut record = StringRecord::new();
            let read = self.read_row(&mut record);
            let clue = date_order_clue(record.get(at).unwrap_or_default());
            match read.transpose() {
                None => break,
                Some(Err(error)) => {
                    let is_last = !error.is_of_one_row();
                    self.ahead.push_back(Err(error));
                    if is_last {
                        break;
                    }
                    continue;
                }
                Some(Ok(line)) => self.ahead.push_back(Ok((line, record))),
            }
            match clue {
                DateOrderClue::Only(order) => {
                    self.date_order = Some(order);
                    self.notes.push(format!(
                        "dates are read as {}, the only order that all of them fit",
                        order.form()
                    ));
                    return Ok(());
                }
                DateOrderClue::OtherForm => return Ok(()),
                DateOrderClue::Ambiguous => {
                    ambiguous = ambiguous.or(self.ahead.len().checked_sub(1))
                }
                DateOrderClue::Same => {}
            }
        }
        let example = ambiguous.and_then(|row| match &self.ahead[row] {
            Ok((_, record)) => record.get(at).map(str::to_owned),
            Err(_) => None,
        });
        match example {
            Some(example) => Err(FeedError::AmbiguousDates { name: self.name.clone(), example }),
            None => {
                // Both orders give the same days.
                self.date_order = Some(DateOrder::Mdy);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
