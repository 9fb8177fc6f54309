//! One JSON object as a row of texts.

use csv::StringRecord;
use serde_json::{Map, Value};

/// The names of an object's fields.
pub fn names(object: &Map<String, Value>) -> StringRecord {
    object.keys().map(String::as_str).collect()
}

/// The fields of an object in the order of `names`; a missing one is empty.
///
/// # Errors
/// If the object has a field that is not in `names`.
pub fn fields(object: &Map<String, Value>, names: &StringRecord) -> Result<StringRecord, String> {
    let mut known = 0;
    let mut record = StringRecord::new();
    for name in names {
        let value = object.get(name);
        known += usize::from(value.is_some());
        record.push_field(&value.map(text).unwrap_or_default());
    }
    if known < object.len() {
        let is_new = |key: &&String| names.iter().all(|name| name != **key);
        let new = object.keys().find(is_new).map_or("", String::as_str);
        return Err(format!("expected the fields of the first record, found also {new:?}"));
    }
    Ok(record)
}

/// A value as it is written, a text without its quotes. Lists and objects are none that any column
/// accepts, and stay JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
