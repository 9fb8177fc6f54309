//! Opening a file and finding its columns.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Take};
use std::path::Path;

use csv::StringRecord;
use flate2::read::MultiGzDecoder;

use super::Row;
use super::columns::{Column, ColumnSource, places};
use super::newlines::Newlines;
use crate::market::Symbol;

/// Bytes that are read at once.
const READ_BYTES: usize = 128 * 1024;
/// The longest row, and what is read ahead of the next: a quote that is left open would take in the
/// rest of the file.
const ROW_BYTES_MAX: u64 = 1024 * 1024;

/// What keeps a file from being read at all.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("{name} can't be read: {reason}")]
    Io { name: String, reason: String },
    #[error("{name} line {line} is no CSV: {reason}")]
    Csv { name: String, line: u64, reason: String },
    #[error(
        "{name} line {line} has no end: expected a row of at most {ROW_BYTES_MAX} bytes; a quote may have been left open"
    )]
    RowTooLong { name: String, line: u64 },
    #[error("{name} lacks the column {column}: expected a first line that names {expected}")]
    Missing { name: String, column: &'static str, expected: String },
    #[error("{name} has the column {column} twice, as {first:?} and {second:?}: expected it once")]
    Twice { name: String, column: &'static str, first: String, second: String },
    #[error("{name} names the symbol of each row: leave --symbol out")]
    SymbolTwice { name: String },
}

/// Where rows come from.
pub struct Source {
    /// What messages call it.
    pub name: String,
    /// Bytes in all, as they lie there; `None` for a stream, which ends when it ends.
    pub length_bytes: Option<u64>,
    pub raw: Box<dyn Read + Send>,
}

impl Source {
    /// # Errors
    /// When the file can't be opened.
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

/// The rows of a CSV file, with the columns that are wanted found by the names in its first line.
pub struct Reader {
    name: String,
    csv: csv::Reader<Take<Box<dyn Read + Send>>>,
    columns: Vec<(&'static str, ColumnSource)>,
    record: StringRecord,
}

impl Reader {
    /// Unpacks the source where its first bytes say gzip, and reads its header. `symbol` is what
    /// the column of that name would hold in a file that has none.
    ///
    /// # Errors
    /// When the source can't be read, lacks a required column or has one twice.
    pub fn open(
        source: Source,
        wanted: &[Column],
        symbol: Option<Symbol>,
    ) -> Result<Self, FeedError> {
        let Source { name, raw, .. } = source;
        let io = |e: std::io::Error| FeedError::Io { name: name.clone(), reason: e.to_string() };
        let mut raw = BufReader::with_capacity(READ_BYTES, raw);
        let is_gzip = raw.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
        let text: Box<dyn Read + Send> = match is_gzip {
            true => Box::new(Newlines::of(MultiGzDecoder::new(raw))),
            false => Box::new(Newlines::of(raw)),
        };
        let mut csv =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.take(ROW_BYTES_MAX));
        let header = csv.headers().map_err(|e| not_csv(&name, &e))?;
        let columns = places(&name, header, wanted, symbol)?;
        Ok(Self { name, csv, columns, record: StringRecord::new() })
    }

    pub fn has(&self, column: &'static str) -> bool {
        self.columns
            .iter()
            .any(|(name, place)| *name == column && !matches!(place, ColumnSource::Nowhere))
    }

    /// Reads on as if the file had no such column.
    pub fn leave_out(&mut self, column: &'static str) {
        let places = self.columns.iter_mut().filter(|(name, _)| *name == column);
        places.for_each(|(_, place)| *place = ColumnSource::Nowhere);
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// When the file breaks off, or a line has more or fewer fields than the first.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, FeedError> {
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
        Ok(Some(Row { line, record: &self.record, columns: &self.columns }))
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
    use crate::feed::columns;
    use crate::store::Table;

    #[test]
    fn a_quote_that_is_left_open_does_not_take_in_the_whole_file() {
        let rows = "AAPL,2013-03-01,1,9,1,7,5,1\n".repeat(100_000);
        let text = format!("symbol,date,open,high,low,close,volume,adjusted_close\n\"{rows}");
        let source = Source {
            name: "x".to_owned(),
            length_bytes: None,
            raw: Box::new(std::io::Cursor::new(text.into_bytes())),
        };
        let mut reader = Reader::open(source, columns(Table::Prices), None).unwrap();
        let error = reader.next_row().err().unwrap();
        assert!(matches!(error, FeedError::RowTooLong { line: 2, .. }), "{error}");
    }
}
