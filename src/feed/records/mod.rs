//! The rows of a file as texts, whatever its format.

mod csv_rows;
mod header_lines;
mod json_document;
mod json_lines;
mod json_record;
mod json_text;
mod opened;
mod parquet_rows;
mod stated;
mod vendor_answer;

use std::io::{BufRead, BufReader, Cursor, Read};

use csv::StringRecord;

use super::error::{FeedError, ROW_BYTES_MAX};
use super::newlines::NewlineNormalizer;
use csv_rows::CsvRows;
use json_lines::JsonLines;
pub(super) use opened::Opened;
use opened::READ_BYTES;
use parquet_rows::ParquetRows;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) enum Rows {
    Csv(Box<CsvRows>),
    JsonLines(JsonLines),
    Parquet(Box<ParquetRows>),
    /// Rows in memory; each has its number from 1.
    Memory {
        rows: std::vec::IntoIter<StringRecord>,
        read: u64,
    },
}

/// Recognizes the format by the first bytes, and reads the names of the columns.
///
/// # Errors
/// If the text can't be read.
pub(super) fn open(name: &str, text: Box<dyn Read + Send>) -> Result<Opened<Rows>, FeedError> {
    let io = |e: std::io::Error| FeedError::Io { name: name.to_owned(), reason: e.to_string() };
    let mut text = BufReader::with_capacity(READ_BYTES, text);
    if text.fill_buf().map_err(io)?.starts_with(parquet_rows::MAGIC) {
        return Ok(ParquetRows::open(name, text)?.map(|rows| Rows::Parquet(Box::new(rows))));
    }
    let mut text = BufReader::with_capacity(READ_BYTES, NewlineNormalizer::of(text));
    // The first line that is not blank, and the blank ones before it, which count as lines.
    let (mut head, mut first_line) = (Vec::new(), 0);
    while head[first_line..].trim_ascii().is_empty() && head.len() < READ_BYTES {
        first_line = head.len();
        if text.by_ref().take(ROW_BYTES_MAX).read_until(b'\n', &mut head).map_err(io)? == 0 {
            break;
        }
        if head.starts_with(BYTE_ORDER_MARK) {
            head.drain(..BYTE_ORDER_MARK.len());
        }
    }
    let line = head[first_line..].trim_ascii();
    match line.first() {
        Some(b'{') if json_lines::is_record(line) => {
            let text = Box::new(Cursor::new(head).chain(text));
            Ok(JsonLines::open(name, text)?.map(Rows::JsonLines))
        }
        Some(b'{' | b'[') => {
            let document = json_document::open(name, Cursor::new(head).chain(text))?;
            Ok(document.map(|rows| Rows::Memory { rows: rows.into_iter(), read: 0 }))
        }
        _ => {
            let delimiter = csv_rows::delimiter(line);
            let text = Box::new(Cursor::new(head).chain(text));
            Ok(CsvRows::open(name, text, delimiter)?.map(Rows::Csv))
        }
    }
}

impl Rows {
    /// Whether the number of a row counts records from 1, because the file has no lines.
    pub fn counts_records(&self) -> bool {
        match self {
            Self::Csv(_) | Self::JsonLines(_) => false,
            Self::Parquet(_) | Self::Memory { .. } => true,
        }
    }

    /// The fields of the row that was read last that no earlier record has.
    pub fn take_new_names(&mut self) -> Vec<String> {
        match self {
            Self::JsonLines(rows) => rows.take_new_names(),
            Self::Csv(_) | Self::Parquet(_) | Self::Memory { .. } => Vec::new(),
        }
    }

    /// Reads the next row. Returns its line in the file, or its number; `None` at the end.
    ///
    /// # Errors
    /// If the file is truncated, or the row has other fields than the first.
    pub fn read(&mut self, into: &mut StringRecord) -> Result<Option<u64>, FeedError> {
        match self {
            Self::Csv(rows) => rows.read(into),
            Self::JsonLines(rows) => rows.read(into),
            Self::Parquet(rows) => rows.read(into),
            Self::Memory { rows, read } => Ok(rows.next().map(|row| {
                *into = row;
                *read += 1;
                *read
            })),
        }
    }
}
