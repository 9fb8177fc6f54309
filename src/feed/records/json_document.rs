//! The rows of a JSON document: an array of objects, or an object that has one.

use std::io::Read;

use csv::StringRecord;
use serde_json::{Map, Value};

use super::json_record::{all_names, fields};
use super::json_text;
use super::opened::Opened;
use super::stated::Stated;
use super::vendor_answer;
use crate::feed::error::FeedError;

/// The largest document, in bytes: it is held in memory, unlike NDJSON.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The field of the answer of this API for one stock, and a list in that stock.
const STOCK: &str = "stock";
const FORMER_SYMBOLS: &str = "formerSymbols";

const PAGE_NOTE: &str = "the file is one page of several: load the others, too";

/// The documents that can be loaded, for messages.
const ACCEPTED: &str = "an array of objects, one object a line, or an object with one array of \
                        objects";

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
    let document = json_text::parse(&bytes).map_err(&error)?;
    drop(bytes);
    if let Value::Object(document) = &document
        && !holds_records(document)
        && let Some(refusal) = vendor_answer::refusal(name, document)
    {
        return Err(refusal);
    }
    let (stated, mut records) = found(document).map_err(&error)?;
    if records.is_empty() {
        return Err(FeedError::NoRecords { name: name.to_owned() });
    }
    stated.add_currency(&mut records);
    stated.add_own_adjustment(&mut records);
    let names = all_names(records.iter());
    let rows = records.iter().map(|record| fields(record, &names)).collect();
    let Stated { symbol, interval, are_prices_adjusted, is_page, .. } = stated;
    let notes = if is_page { vec![PAGE_NOTE.to_owned()] } else { Vec::new() };
    Ok(Opened { symbol, interval, are_prices_adjusted, notes, ..Opened::of(names, rows) })
}

/// Whether a field of a document is a list of records.
fn holds_records(document: &Map<String, Value>) -> bool {
    document.iter().any(|(name, value)| match value {
        Value::Array(list) => is_of_records(name, list),
        // Alpaca: the bars of each symbol.
        Value::Object(by_symbol) if name == "bars" => {
            by_symbol.values().any(|list| list.as_array().is_some_and(|list| !list.is_empty()))
        }
        _ => false,
    })
}

/// Whether a list under this name holds the records. Former symbols describe one stock.
fn is_of_records(name: &str, list: &[Value]) -> bool {
    name != FORMER_SYMBOLS && !list.is_empty() && list.iter().all(Value::is_object)
}

/// What a document says about its records, and the records.
fn found(document: Value) -> Result<(Stated, Vec<Map<String, Value>>), String> {
    let mut rest = match document {
        Value::Array(list) => return Ok((Stated::default(), objects(list)?)),
        Value::Object(object) => object,
        _ => return Err(format!("expected {ACCEPTED}")),
    };
    if let (1, Some(Value::Object(stock))) = (rest.len(), rest.get_mut(STOCK)) {
        return Ok((Stated::default(), vec![std::mem::take(stock)]));
    }
    if !holds_records(&rest) && !rest.values().any(has_objects) {
        return Ok((Stated::default(), vec![rest]));
    }
    let stated = Stated::of(&rest);
    let mut lists: Vec<Vec<Map<String, Value>>> = Vec::new();
    for (name, value) in rest {
        match value {
            Value::Array(list) if is_of_records(&name, &list) => {
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
        _ => Err(format!("expected {ACCEPTED}, found {count} lists of objects")),
    }
}

/// Whether a value is an object that holds others, so that its document is no record.
fn has_objects(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.values().any(|value| value.is_object() || value.is_array()))
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
