//! The rows of an NDJSON file: one JSON object a line.

use std::io::{BufRead, BufReader, Read};

use csv::StringRecord;
use serde_json::{Map, Value};

use super::json_record::{fields, names};
use super::opened::{Opened, READ_BYTES};
use crate::feed::error::{FeedError, ROW_BYTES_MAX};

pub struct JsonLines {
    name: String,
    text: BufReader<Box<dyn Read + Send>>,
    names: StringRecord,
    /// The line that was read last.
    line: u64,
    bytes: Vec<u8>,
    /// The first object, which was read for its names.
    first: Option<Map<String, Value>>,
}

/// Whether a line is one whole record, so that further ones follow. A document that holds records
/// is none.
pub fn is_record(line: &[u8]) -> bool {
    let holds_records = |value: &Value| match value {
        Value::Array(list) => list.iter().any(Value::is_object),
        Value::Object(object) => object.values().any(Value::is_array),
        _ => false,
    };
    let object = serde_json::from_slice::<Map<String, Value>>(line);
    object.is_ok_and(|object| !object.values().any(holds_records))
}

impl JsonLines {
    pub fn open(name: &str, text: Box<dyn Read + Send>) -> Result<Opened<Self>, FeedError> {
        let mut rows = Self {
            name: name.to_owned(),
            text: BufReader::with_capacity(READ_BYTES, text),
            names: StringRecord::new(),
            line: 0,
            bytes: Vec::new(),
            first: None,
        };
        rows.first = rows.next_object()?;
        rows.names = rows.first.as_ref().map(names).unwrap_or_default();
        Ok(Opened::of(rows.names.clone(), rows))
    }

    pub fn read(&mut self, into: &mut StringRecord) -> Result<Option<u64>, FeedError> {
        let first = self.first.take();
        let object = match first {
            Some(first) => Some(first),
            None => self.next_object()?,
        };
        let Some(object) = object else { return Ok(None) };
        *into = fields(&object, &self.names).map_err(|reason| self.bad_line(reason))?;
        Ok(Some(self.line))
    }

    fn next_object(&mut self) -> Result<Option<Map<String, Value>>, FeedError> {
        loop {
            self.bytes.clear();
            self.line += 1;
            let line = self.text.by_ref().take(ROW_BYTES_MAX).read_until(b'\n', &mut self.bytes);
            let io = |e: std::io::Error| FeedError::Io {
                name: self.name.clone(),
                reason: e.to_string(),
            };
            let length = line.map_err(io)? as u64;
            if length == 0 {
                return Ok(None);
            }
            if length == ROW_BYTES_MAX {
                return Err(FeedError::RowTooLong { name: self.name.clone(), line: self.line });
            }
            if !self.bytes.trim_ascii().is_empty() {
                let object = serde_json::from_slice(&self.bytes);
                return object.map(Some).map_err(|e| self.bad_line(format!("not JSON: {e}")));
            }
        }
    }

    fn bad_line(&self, reason: String) -> FeedError {
        FeedError::BadRecord { name: self.name.clone(), line: self.line, reason }
    }
}
