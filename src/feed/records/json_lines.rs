//! The rows of an NDJSON file: one JSON object a line.

use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read};

use csv::StringRecord;
use serde_json::{Map, Value};

use super::json_record::{all_names, fields};
use super::json_text;
use super::opened::{Opened, READ_BYTES};
use super::vendor_answer;
use crate::feed::error::{FeedError, RECORDS_AHEAD_MAX, ROW_BYTES_MAX};

/// The most bytes of records that are read ahead, but for the last of them.
const AHEAD_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The most names of fields that only later records have. More are no table.
const NEW_NAMES_MAX: usize = 1000;

/// A record and its line.
type Record = (u64, Map<String, Value>);

pub struct JsonLines {
    name: String,
    text: BufReader<Box<dyn Read + Send>>,
    names: StringRecord,
    /// The line that was read last.
    line: u64,
    bytes: Vec<u8>,
    /// The first objects with their lines, which were read for their names.
    ahead: VecDeque<Result<Record, FeedError>>,
    /// The names that only later records have.
    new_names: HashSet<String>,
    /// Those of the record that was read last.
    newest_names: Vec<String>,
}

/// Whether a line is one whole record, so that further ones follow. A document that holds records
/// is none.
pub fn is_record(line: &[u8]) -> bool {
    let holds_records = |value: &Value| match value {
        Value::Array(list) => list.iter().any(Value::is_object),
        Value::Object(object) => object.values().any(Value::is_array),
        _ => false,
    };
    let object = json_text::parse::<Map<String, Value>>(line);
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
            ahead: VecDeque::new(),
            new_names: HashSet::new(),
            newest_names: Vec::new(),
        };
        rows.read_ahead();
        let known = rows.ahead.iter().flatten().map(|(_, object)| object);
        rows.names = all_names(known);
        let refusal = match rows.ahead.make_contiguous() {
            [Ok((_, only))] => vendor_answer::refusal(name, only),
            _ => None,
        };
        Ok(Opened { refusal, ..Opened::of(rows.names.clone(), rows) })
    }

    /// Reads the first objects, to learn the names of their fields.
    fn read_ahead(&mut self) {
        let mut bytes = 0;
        while self.ahead.len() < RECORDS_AHEAD_MAX && bytes < AHEAD_BYTES_MAX {
            let Some(read) = self.next_object().transpose() else { break };
            bytes += self.bytes.len() as u64;
            let is_last = read.as_ref().is_err_and(|error| !error.is_of_one_row());
            self.ahead.push_back(read);
            if is_last {
                break;
            }
        }
    }

    pub fn take_new_names(&mut self) -> Vec<String> {
        std::mem::take(&mut self.newest_names)
    }

    pub fn read(&mut self, into: &mut StringRecord) -> Result<Option<u64>, FeedError> {
        let read = match self.ahead.pop_front() {
            Some(read) => Some(read?),
            None => self.next_object()?,
        };
        let Some((line, object)) = read else { return Ok(None) };
        *into = fields(&object, &self.names);
        self.learn_names(&object)?;
        Ok(Some(line))
    }

    /// Finds the fields that no earlier record has.
    fn learn_names(&mut self, object: &Map<String, Value>) -> Result<(), FeedError> {
        // The names are compared one by one only if the object may have others.
        let known = self.names.iter().filter(|name| object.contains_key(*name)).count();
        if known == object.len() {
            return Ok(());
        }
        for name in object.keys().filter(|key| self.names.iter().all(|name| name != **key)) {
            if self.new_names.len() == NEW_NAMES_MAX {
                let reason = format!("expected at most {NEW_NAMES_MAX} further fields");
                return Err(self.bad_line(reason));
            }
            if self.new_names.insert(name.clone()) {
                self.newest_names.push(name.clone());
            }
        }
        Ok(())
    }

    fn next_object(&mut self) -> Result<Option<Record>, FeedError> {
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
                let object = json_text::parse(&self.bytes);
                return object
                    .map(|object| Some((self.line, object)))
                    .map_err(|e| self.bad_line(format!("not JSON: {e}")));
            }
        }
    }

    fn bad_line(&self, reason: String) -> FeedError {
        FeedError::BadRecord { name: self.name.clone(), line: self.line, reason }
    }
}
