//! The rows of a JSON document: an array of objects, or an object that has one.

use std::io::Read;

use csv::StringRecord;
use serde_json::{Map, Value};

use super::json_record::{fields, names};
use super::opened::Opened;
use crate::feed::error::FeedError;

/// The largest document, in bytes: it is held in memory, unlike NDJSON.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The fields in which documents name the symbol of all rows.
const SYMBOL_FIELDS: [&str; 2] = ["symbol", "ticker"];

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
    let Found { records, symbol, notes } = found(document).map_err(&error)?;
    let names = records.first().map(names).unwrap_or_default();
    let row = |(at, record): (usize, &Map<String, Value>)| {
        fields(record, &names).map_err(|reason| error(format!("record {}: {reason}", at + 1)))
    };
    let rows = records.iter().enumerate().map(row).collect::<Result<_, FeedError>>()?;
    Ok(Opened { names, symbol, notes, rows })
}

/// What a document holds.
struct Found {
    records: Vec<Map<String, Value>>,
    symbol: Option<String>,
    notes: Vec<String>,
}

fn found(document: Value) -> Result<Found, String> {
    let rest = match document {
        Value::Array(list) => {
            return Ok(Found { records: objects(list)?, symbol: None, notes: Vec::new() });
        }
        Value::Object(object) => object,
        _ => return Err("expected records".to_owned()),
    };
    let notes = notes(&rest)?;
    let symbol = symbol(&rest);
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
        Some(records) if count == 1 => Ok(Found { records, symbol, notes }),
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

/// The symbol of all rows: beside them, or as Twelve Data writes it in `meta`.
fn symbol(document: &Map<String, Value>) -> Option<String> {
    let named = |object: &Map<String, Value>| {
        SYMBOL_FIELDS.iter().find_map(|field| object.get(*field)?.as_str().map(str::to_owned))
    };
    named(document).or_else(|| named(document.get("meta")?.as_object()?))
}

/// # Errors
/// If the document says that its prices are not as traded.
fn notes(document: &Map<String, Value>) -> Result<Vec<String>, String> {
    if document.get("adjusted") == Some(&Value::Bool(true)) {
        return Err("it says that its prices are adjusted: expected prices as traded (request \
                    adjusted=false)"
            .to_owned());
    }
    let pages = ["next", "next_url", "next_page_token"];
    let is_page =
        pages.iter().any(|field| document.get(*field).is_some_and(|next| !next.is_null()));
    Ok(is_page.then(|| "the file is one page of several: its `next` is set".to_owned()))
        .map(|note| note.into_iter().collect())
}
