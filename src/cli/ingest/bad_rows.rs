//! The bad rows of a file: some refuse it, others are left out. All are counted, the first named.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use csv::StringRecord;

use super::skip::SkipRules;
use crate::cli::console::CliError;
use crate::feed::{FeedError, RowError, RowErrorKind};

/// The maximum number of rows that are named.
const ROWS_NAMED_MAX: usize = 10;
/// The maximum number of unknown symbols that are named.
const SYMBOLS_NAMED_MAX: usize = 10_000;

/// Rows with the reasons of the first.
#[derive(Debug, Default)]
pub struct NamedRows {
    pub count: u64,
    pub first: Vec<String>,
}

impl NamedRows {
    pub fn add(&mut self, reason: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < ROWS_NAMED_MAX {
            self.first.push(reason());
        }
    }

    /// The reasons, one a line, and how many rows more there are.
    pub fn lines(&self) -> Vec<String> {
        let more = self.count - self.first.len() as u64;
        let more = (more > 0).then(|| format!("and {more} more"));
        self.first.iter().cloned().chain(more).collect()
    }
}

/// The bad rows of a file.
pub struct BadRows {
    rules: SkipRules,
    rejects: Option<csv::Writer<File>>,
    /// Rows for which the file is refused.
    pub refused: NamedRows,
    /// Rows that are left out.
    pub left_out: NamedRows,
    /// Symbols of rows that are left out because no stock has them.
    pub unknown_symbols: BTreeSet<String>,
}

impl BadRows {
    /// `rejects` is a file for all bad rows, whose columns have these `names`.
    ///
    /// # Errors
    /// If that file can't be written.
    pub fn new(
        rules: SkipRules,
        rejects: Option<&Path>,
        names: &StringRecord,
    ) -> Result<Self, CliError> {
        let rejects = rejects.map(|path| rejects_file(path, names)).transpose()?;
        let (refused, left_out) = (NamedRows::default(), NamedRows::default());
        Ok(Self { rules, rejects, refused, left_out, unknown_symbols: BTreeSet::new() })
    }

    /// Adds a row with an invalid value.
    ///
    /// # Errors
    /// If the file of rejects can't be written.
    pub fn add(&mut self, error: &RowError, fields: &StringRecord) -> Result<(), CliError> {
        let reason = || error.to_string();
        if !self.rules.skips(error.kind) {
            self.refused.add(reason);
        } else {
            self.left_out.add(reason);
            let is_named = self.unknown_symbols.len() < SYMBOLS_NAMED_MAX;
            if error.kind == RowErrorKind::UnknownSymbol && is_named {
                self.unknown_symbols.insert(error.found.clone());
            }
        }
        let why = format!("{}, found {:?}", error.expected, error.found);
        self.reject(error.line, error.column, &why, fields)
    }

    /// Adds a row that can't be split into fields.
    ///
    /// # Errors
    /// If the file of rejects can't be written.
    pub fn add_unreadable(
        &mut self,
        error: &FeedError,
        fields: &StringRecord,
    ) -> Result<(), CliError> {
        let is_left_out = error.is_of_one_row() && self.rules.skips(RowErrorKind::Value);
        let rows = if is_left_out { &mut self.left_out } else { &mut self.refused };
        rows.add(|| error.to_string());
        self.reject(error.line().unwrap_or_default(), "", &error.to_string(), fields)
    }

    /// Adds a row that contradicts another one or a stored one, and is left out.
    ///
    /// # Errors
    /// If the file of rejects can't be written.
    pub fn add_contradicting(&mut self, line: u64, reason: &str) -> Result<(), CliError> {
        self.left_out.add(|| reason.to_owned());
        self.reject(line, "", reason, &StringRecord::new())
    }

    fn reject(
        &mut self,
        line: u64,
        column: &str,
        reason: &str,
        fields: &StringRecord,
    ) -> Result<(), CliError> {
        let Some(rejects) = &mut self.rejects else { return Ok(()) };
        let line = line.to_string();
        rejects.write_record([line.as_str(), column, reason].into_iter().chain(fields))?;
        Ok(())
    }

    /// Completes the file of rejects.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn flush(&mut self) -> Result<(), CliError> {
        Ok(self.rejects.as_mut().map_or(Ok(()), csv::Writer::flush)?)
    }
}

/// Creates the file of rejects. After three columns it has those of the loaded file, so that it can
/// be mended and loaded.
fn rejects_file(path: &Path, names: &StringRecord) -> Result<csv::Writer<File>, CliError> {
    let file = File::create(path).map_err(|e| format!("{} can't be written: {e}", path.display()));
    // A row that could not be split into its fields has another number of them.
    let mut rejects = csv::WriterBuilder::new().flexible(true).from_writer(file?);
    rejects.write_record(["line", "column", "reason"].into_iter().chain(names))?;
    Ok(rejects)
}
