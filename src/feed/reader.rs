//! Opens a file, decompresses it, finds its columns and reads its rows.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Take};
use std::path::Path;

use csv::StringRecord;
use flate2::read::MultiGzDecoder;

use super::columns::{ColumnSource, FeedColumn, find_columns};
use super::error::{FeedError, ROW_BYTES_MAX};
use super::newlines::NewlineNormalizer;
use super::row::FeedRow;
use crate::market::Symbol;

/// The size of one read, in bytes.
const READ_BYTES: usize = 128 * 1024;
/// The bytes of a file of rows.
pub struct Source {
    /// Its name in messages.
    pub name: String,
    /// The length of the file as stored; `None` for a stream.
    pub length_bytes: Option<u64>,
    pub raw: Box<dyn Read + Send>,
}

impl Source {
    /// # Errors
    /// If the file can't be opened.
    pub fn file(path: &Path) -> Result<Self, FeedError> {
        let name = path.display().to_string();
        let error = |e: std::io::Error| FeedError::Io { name: name.clone(), reason: e.to_string() };
        let file = File::open(path).map_err(error)?;
        let metadata = file.metadata().map_err(error)?;
        let length_bytes = metadata.is_file().then_some(metadata.len());
        Ok(Self { raw: Box::new(file), length_bytes, name })
    }

    pub fn stdin() -> Self {
        Self { name: "stdin".to_owned(), length_bytes: None, raw: Box::new(std::io::stdin()) }
    }

    pub fn bytes(name: &str, bytes: &'static [u8]) -> Self {
        Self { name: name.to_owned(), length_bytes: Some(bytes.len() as u64), raw: Box::new(bytes) }
    }
}

/// Reads the rows of a CSV file, whose first line names the columns.
pub struct CsvReader {
    name: String,
    csv: csv::Reader<Take<Box<dyn Read + Send>>>,
    columns: Vec<(&'static str, ColumnSource)>,
    record: StringRecord,
}

impl CsvReader {
    /// Opens a source, plain or gzip, and reads its header. `symbol` is the symbol of all rows of a
    /// file that lacks the column.
    ///
    /// # Errors
    /// If the source can't be read, lacks a required column or has a column twice.
    pub fn open(
        source: Source,
        wanted: &[FeedColumn],
        symbol: Option<Symbol>,
    ) -> Result<Self, FeedError> {
        let Source { name, raw, .. } = source;
        let io = |e: std::io::Error| FeedError::Io { name: name.clone(), reason: e.to_string() };
        let mut raw = BufReader::with_capacity(READ_BYTES, raw);
        let is_gzip = raw.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
        let text: Box<dyn Read + Send> = match is_gzip {
            true => Box::new(NewlineNormalizer::of(MultiGzDecoder::new(raw))),
            false => Box::new(NewlineNormalizer::of(raw)),
        };
        let mut csv =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.take(ROW_BYTES_MAX));
        let header = csv.headers().map_err(|e| not_csv(&name, &e))?;
        let columns = find_columns(&name, header, wanted, symbol)?;
        Ok(Self { name, csv, columns, record: StringRecord::new() })
    }

    pub fn has(&self, column: &'static str) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|(name, source)| *name == column && *source != ColumnSource::Absent)
    }

    /// Ignores a column from now on, as if the file did not have it.
    pub fn ignore_column(&mut self, column: &'static str) {
        let columns = self.columns.iter_mut().filter(|(name, _)| *name == column);
        columns.for_each(|(_, source)| *source = ColumnSource::Absent);
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// If the file is truncated, or a line has more or fewer fields than the first.
    pub fn next_row(&mut self) -> Result<Option<FeedRow<'_>>, FeedError> {
        self.csv.get_mut().set_limit(ROW_BYTES_MAX);
        let read = self.csv.read_record(&mut self.record);
        if self.csv.get_ref().limit() == 0 {
            let line = self.record.position().map_or(1, csv::Position::line);
            return Err(FeedError::RowTooLong { name: self.name.clone(), line });
        }
        if !read.map_err(|e| not_csv(&self.name, &e))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        Ok(Some(FeedRow { line, record: &self.record, columns: &self.columns }))
    }
}

fn not_csv(name: &str, error: &csv::Error) -> FeedError {
    let name = name.to_owned();
    let line = error.position().map_or(1, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("expected {expected_len} fields, found {len}")
        }
        csv::ErrorKind::Utf8 { .. } => "expected UTF-8".to_owned(),
        csv::ErrorKind::Io(e) => return FeedError::Io { name, reason: e.to_string() },
        _ => error.to_string(),
    };
    FeedError::Csv { name, line, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::columns::columns;
    use crate::store::Table;

    #[test]
    fn a_quote_that_is_left_open_does_not_read_the_whole_file() {
        let rows = "AAPL,2013-03-01,1,9,1,7,5,1\n".repeat(100_000);
        let text = format!("symbol,date,open,high,low,close,volume,adjusted_close\n\"{rows}");
        let source = Source {
            name: "x".to_owned(),
            length_bytes: None,
            raw: Box::new(std::io::Cursor::new(text.into_bytes())),
        };
        let mut reader = CsvReader::open(source, columns(Table::Prices), None).unwrap();
        let error = reader.next_row().err().unwrap();
        assert!(matches!(error, FeedError::RowTooLong { line: 2, .. }), "{error}");
    }
}
