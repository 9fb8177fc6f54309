//! The rows of a CSV file. Commas, semicolons, tabs or bars separate its fields.

use std::io::{Read, Take};

use csv::StringRecord;

use super::header_lines::{Described, HeaderLines};
use super::opened::Opened;
use crate::feed::error::{FeedError, ROW_BYTES_MAX};

/// The marks that may separate fields. Of two that occur equally often the first counts.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub struct CsvRows {
    name: String,
    csv: csv::Reader<Take<Box<dyn Read + Send>>>,
    /// Rows that were read to find the names of the columns, last first.
    read_ahead: Vec<Result<(u64, StringRecord), FeedError>>,
    /// The first line.
    first: StringRecord,
}

/// The mark that occurs most often in the first line.
pub fn delimiter(first_line: &[u8]) -> u8 {
    let count = |mark: u8| first_line.iter().filter(|byte| **byte == mark).count();
    let most = DELIMITERS.into_iter().rev().max_by_key(|mark| count(*mark));
    most.unwrap_or(DELIMITERS[0])
}

impl CsvRows {
    pub fn open(
        name: &str,
        text: Box<dyn Read + Send>,
        delimiter: u8,
    ) -> Result<Opened<Box<Self>>, FeedError> {
        let csv =
            csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.take(ROW_BYTES_MAX));
        let (own_name, read_ahead) = (name.to_owned(), Vec::new());
        let mut rows =
            Box::new(Self { name: own_name, csv, read_ahead, first: StringRecord::new() });
        rows.first = rows.csv.headers().map_err(|e| not_csv(name, &e))?.clone();
        rows.check_is_one_line(&rows.first)?;
        rows.first.trim();
        let mut lines = HeaderLines::of(rows.first.clone());
        while lines.wants_more() {
            let mut record = StringRecord::new();
            match rows.read_next(&mut record).transpose() {
                None => break,
                Some(Ok(line)) => rows.read_ahead.push(Ok((line, record.clone()))),
                Some(Err(error)) => {
                    rows.read_ahead.push(Err(error));
                    break;
                }
            }
            lines.add(record);
        }
        let Described { names, symbol, lines } = lines.describe(name)?;
        // What is no line of the header is a row.
        rows.read_ahead.drain(..lines - 1);
        rows.read_ahead.reverse();
        let has_semicolons = delimiter == b';';
        Ok(Opened { symbol, has_semicolons, has_header_line: true, ..Opened::of(names, rows) })
    }

    /// Files that were joined repeat the first line, which is no row.
    pub fn read(&mut self, into: &mut StringRecord) -> Result<Option<u64>, FeedError> {
        loop {
            let line = match self.read_ahead.pop() {
                Some(row) => {
                    let (line, record) = row?;
                    *into = record;
                    Some(line)
                }
                None => self.read_next(into)?,
            };
            if line.is_none() || *into != self.first {
                return Ok(line);
            }
        }
    }

    fn read_next(&mut self, into: &mut StringRecord) -> Result<Option<u64>, FeedError> {
        self.csv.get_mut().set_limit(ROW_BYTES_MAX);
        let read = self.csv.read_record(into);
        if self.csv.get_ref().limit() == 0 {
            let line = into.position().map_or(1, csv::Position::line);
            return Err(FeedError::RowTooLong { name: self.name.clone(), line });
        }
        // A row with another number of fields may have swallowed lines, too.
        self.check_is_one_line(into)?;
        let is_row = read.map_err(|e| not_csv(&self.name, &e))?;
        into.trim();
        Ok(is_row.then(|| into.position().map_or(0, csv::Position::line)))
    }

    /// A field with a line end is a quote that was left open. It swallows rows that nobody counts,
    /// so the file can't be read at all.
    fn check_is_one_line(&self, record: &StringRecord) -> Result<(), FeedError> {
        if !record.as_slice().contains('\n') {
            return Ok(());
        }
        let line = record.position().map_or(1, csv::Position::line);
        Err(FeedError::OpenQuote { name: self.name.clone(), line })
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

    #[test]
    fn the_mark_that_the_header_has_most_of_separates_fields() {
        for (line, mark) in [
            ("date,open,close", b','),
            ("date;open;close", b';'),
            ("date\topen\tclose, adjusted", b'\t'),
            ("date|open|close", b'|'),
            ("date", b','),
        ] {
            assert_eq!(delimiter(line.as_bytes()), mark, "{line}");
        }
    }
}
