//! The rows of a Parquet file.

use std::io::Read;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use csv::StringRecord;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;

use super::opened::Opened;
use crate::feed::error::FeedError;

/// The first bytes of a file.
pub const MAGIC: &[u8] = b"PAR1";

/// The largest file, in bytes: it is held in memory, because its end describes it.
const PARQUET_BYTES_MAX: u64 = 512 * 1024 * 1024;

pub struct ParquetRows {
    name: String,
    rows: RowIter<'static>,
    /// For each column, whether it counts nanoseconds since 1970, which rows do not tell.
    is_nanoseconds: Vec<bool>,
    /// The number of rows that were read.
    read: u64,
}

impl ParquetRows {
    pub fn open(name: &str, bytes: impl Read) -> Result<Opened<Self>, FeedError> {
        let mut file = Vec::new();
        let read = bytes.take(PARQUET_BYTES_MAX + 1).read_to_end(&mut file);
        read.map_err(|e| FeedError::Io { name: name.to_owned(), reason: e.to_string() })?;
        if file.len() as u64 > PARQUET_BYTES_MAX {
            let reason = format!("expected at most {PARQUET_BYTES_MAX} bytes: write several files");
            return Err(error(name, reason));
        }
        let reader = SerializedFileReader::new(Bytes::from(file));
        let reader = reader.map_err(|e| error(name, e.to_string()))?;
        let schema = reader.metadata().file_metadata().schema().clone();
        let columns = schema.get_fields();
        let is_nanoseconds = |logical: Option<&LogicalType>| match logical {
            Some(LogicalType::Timestamp(time)) => time.unit == TimeUnit::NANOS,
            _ => false,
        };
        let rows = Self {
            name: name.to_owned(),
            rows: RowIter::from_file_into(Box::new(reader)),
            is_nanoseconds: columns
                .iter()
                .map(|column| is_nanoseconds(column.get_basic_info().logical_type_ref()))
                .collect(),
            read: 0,
        };
        Ok(Opened::of(columns.iter().map(|column| column.name()).collect(), rows))
    }

    pub fn read(&mut self, into: &mut StringRecord) -> Result<Option<u64>, FeedError> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        let row = row.map_err(|e| error(&self.name, e.to_string()))?;
        self.read += 1;
        into.clear();
        for ((column, field), is_nanoseconds) in row.get_column_iter().zip(&self.is_nanoseconds) {
            let text = text(field, *is_nanoseconds).ok_or_else(|| {
                error(&self.name, format!("expected one value in the column {column:?}"))
            })?;
            into.push_field(&text);
        }
        Ok(Some(self.read))
    }
}

fn error(name: &str, reason: String) -> FeedError {
    FeedError::Parquet { name: name.to_owned(), reason }
}

/// A value as CSV would have it; `None` for several values.
fn text(field: &Field, is_nanoseconds: bool) -> Option<String> {
    let time = |time: Option<DateTime<Utc>>| {
        time.map_or_else(String::new, |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    };
    Some(match field {
        Field::Null => String::new(),
        Field::Str(text) => text.trim().to_owned(),
        Field::Bytes(bytes) => bytes.as_utf8().ok()?.trim().to_owned(),
        // Their texts have the fewest digits that tell them apart, and no exponent.
        Field::Float(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Long(count) if is_nanoseconds => time(Some(DateTime::from_timestamp_nanos(*count))),
        Field::TimestampMillis(count) => time(DateTime::from_timestamp_millis(*count)),
        Field::TimestampMicros(count) => time(DateTime::from_timestamp_micros(*count)),
        Field::Date(days) => {
            NaiveDate::from_epoch_days(*days).map_or_else(String::new, |day| day.to_string())
        }
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => return None,
        _ => field.to_string(),
    })
}

#[cfg(test)]
mod tests;
