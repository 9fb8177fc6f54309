//! One JSON object as a row of texts.

use std::collections::HashSet;

use csv::StringRecord;
use serde_json::{Map, Value};

/// The names of the fields of all records, those of the first record first.
pub fn all_names<'r>(records: impl Iterator<Item = &'r Map<String, Value>>) -> StringRecord {
    let (mut all, mut known) = (StringRecord::new(), HashSet::new());
    for name in records.flat_map(Map::keys) {
        if known.insert(name.as_str()) {
            all.push_field(name);
        }
    }
    all
}

/// The fields of an object in the order of `names`; a missing one is empty.
pub fn fields(object: &Map<String, Value>, names: &StringRecord) -> StringRecord {
    names.iter().map(|name| object.get(name).map(text).unwrap_or_default()).collect()
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
