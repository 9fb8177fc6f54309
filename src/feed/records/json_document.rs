//! The rows of a JSON document: an array of objects, or an object that has one.

use std::collections::HashSet;
use std::io::Read;

use csv::StringRecord;
use serde_json::{Map, Value};

use super::json_record::{fields, names};
use super::opened::Opened;
use super::stated::Stated;
use crate::feed::error::FeedError;

/// The largest document, in bytes: it is held in memory, unlike NDJSON.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

const PAGE_NOTE: &str = "the file is one page of several: load the others, too";

/// # Errors
/// If the text is no JSON, is too long, or has no rows.
pub fn open(name: &str, text: impl Read) -> Result<Opened<Vec<StringRecord>>, FeedError> {
    let error = |reason: String| FeedError::Json { name: name.to_owned(), reason };
    let mut bytes = Vec::new();
    let read = text.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|e| FeedError::Io { name: name.to_owned(), reason: e.to_string() })?;
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        let reason = format!("expected at most {DOCUMENT_BYTES_MAX} bytes: write NDJSON instead");
        return Err(error(reason));
    }
    let document = serde_json::from_slice(&bytes).map_err(|e| error(e.to_string()))?;
    drop(bytes);
    let (stated, mut records) = found(document).map_err(&error)?;
    stated.add_currency(&mut records);
    stated.add_own_adjustment(&mut records);
    let names = all_names(&records);
    let row = |(at, record): (usize, &Map<String, Value>)| {
        fields(record, &names).map_err(|reason| error(format!("record {}: {reason}", at + 1)))
    };
    let rows = records.iter().enumerate().map(row).collect::<Result<_, FeedError>>()?;
    let Stated { symbol, interval, are_prices_adjusted, is_page, .. } = stated;
    let notes = if is_page { vec![PAGE_NOTE.to_owned()] } else { Vec::new() };
    Ok(Opened { symbol, interval, are_prices_adjusted, notes, ..Opened::of(names, rows) })
}

/// The names of the fields of all records, those of the first record first.
fn all_names(records: &[Map<String, Value>]) -> StringRecord {
    let mut all = records.first().map(names).unwrap_or_default();
    let mut known: HashSet<&str> = records.first().into_iter().flat_map(key_texts).collect();
    for name in records.iter().skip(1).flat_map(key_texts) {
        if known.insert(name) {
            all.push_field(name);
        }
    }
    all
}

fn key_texts(record: &Map<String, Value>) -> impl Iterator<Item = &str> {
    record.keys().map(String::as_str)
}

/// What a document says about its records, and the records.
fn found(document: Value) -> Result<(Stated, Vec<Map<String, Value>>), String> {
    let rest = match document {
        Value::Array(list) => return Ok((Stated::default(), objects(list)?)),
        Value::Object(object) => object,
        _ => return Err("expected records".to_owned()),
    };
    let stated = Stated::of(&rest);
    let mut lists: Vec<Vec<Map<String, Value>>> = Vec::new();
    for (name, value) in rest {
        match value {
            Value::Array(list) if list.iter().all(Value::is_object) && !list.is_empty() => {
                lists.push(objects(list)?);
            }
            // Alpaca: the bars of each symbol.
            Value::Object(by_symbol) if name == "bars" => lists.push(with_symbols(by_symbol)?),
            _ => {}
        }
    }
    let count = lists.len();
    match lists.pop() {
        Some(records) if count == 1 => Ok((stated, records)),
        _ => Err(format!("expected one list of records, found {count}")),
    }
}

fn objects(list: Vec<Value>) -> Result<Vec<Map<String, Value>>, String> {
    let object = |(at, value)| match value {
        Value::Object(object) => Ok(object),
        _ => Err(format!("expected an object as record {}", at + 1)),
    };
    list.into_iter().enumerate().map(object).collect()
}

fn with_symbols(by_symbol: Map<String, Value>) -> Result<Vec<Map<String, Value>>, String> {
    let mut records = Vec::new();
    for (symbol, list) in by_symbol {
        let Value::Array(list) = list else {
            return Err(format!("expected a list of the bars of {symbol}"));
        };
        records.extend(objects(list)?.into_iter().map(|mut record| {
            record.insert("symbol".to_owned(), Value::String(symbol.clone()));
            record
        }));
    }
    Ok(records)
}
