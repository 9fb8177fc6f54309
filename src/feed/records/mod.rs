//! The rows of a file as texts, whatever its format.

mod csv_rows;
mod header_lines;
mod json_document;
mod json_lines;
mod json_record;

use std::io::{BufRead, BufReader, Cursor, Read};

use csv::StringRecord;

use super::error::{FeedError, ROW_BYTES_MAX};
use super::newlines::NewlineNormalizer;
use csv_rows::CsvRows;
use json_lines::JsonLines;

/// The size of one read, in bytes.
const READ_BYTES: usize = 128 * 1024;

/// The rows of a file, and what it says about all of them.
pub(super) struct Records {
    /// The names of the columns.
    pub names: StringRecord,
    /// The symbol that the file names outside of its rows.
    pub symbol: Option<String>,
    /// What the operator should know, as sentences.
    pub notes: Vec<String>,
    pub rows: Rows,
}

pub(super) enum Rows {
    Csv(Box<CsvRows>),
    JsonLines(JsonLines),
    /// Rows in memory; each has its number from 1.
    Memory {
        rows: std::vec::IntoIter<StringRecord>,
        read: u64,
    },
}

impl Records {
    /// Recognizes the format by the first bytes, and reads the names of the columns.
    ///
    /// # Errors
    /// If the text can't be read.
    pub fn open(name: &str, text: Box<dyn Read + Send>) -> Result<Self, FeedError> {
        let io = |e: std::io::Error| FeedError::Io { name: name.to_owned(), reason: e.to_string() };
        let mut text = BufReader::with_capacity(READ_BYTES, NewlineNormalizer::of(text));
        let mut first_line = Vec::new();
        // Leading blank lines, and a byte order mark.
        while first_line.trim_ascii().is_empty() {
            first_line.clear();
            let limit = ROW_BYTES_MAX;
            if text.by_ref().take(limit).read_until(b'\n', &mut first_line).map_err(io)? == 0 {
                break;
            }
        }
        let without_mark = first_line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first_line);
        match without_mark.trim_ascii_start().first() {
            Some(b'{') if json_lines::is_record(without_mark) => {
                let first_line = without_mark.to_vec();
                JsonLines::open(name, Box::new(Cursor::new(first_line).chain(text)))
            }
            Some(b'{' | b'[') => {
                let first_line = without_mark.to_vec();
                json_document::open(name, Cursor::new(first_line).chain(text))
            }
            _ => {
                let delimiter = csv_rows::delimiter(&first_line);
                let text = Cursor::new(first_line).chain(text);
                CsvRows::open(name, Box::new(text), delimiter)
            }
        }
    }
}

impl Rows {
    /// Reads the next row. Returns its line in the file; `None` at the end.
    ///
    /// # Errors
    /// If the file is truncated, or the row has other fields than the first.
    pub fn read(&mut self, into: &mut StringRecord) -> Result<Option<u64>, FeedError> {
        match self {
            Self::Csv(rows) => rows.read(into),
            Self::JsonLines(rows) => rows.read(into),
            Self::Memory { rows, read } => Ok(rows.next().map(|row| {
                *into = row;
                *read += 1;
                *read
            })),
        }
    }
}
