//! Answers of vendors that hold no records: an error, a note about limits, or an empty result.

use serde_json::{Map, Value};

use crate::feed::error::FeedError;

/// The fields with a vendor's sentence, in lower case. The first that has a text counts.
const SENTENCES: [&str; 9] = [
    "error message",
    "error_message",
    "errormessage",
    "information",
    "note",
    "message",
    "detail",
    "error",
    "errors",
];
/// The fields of an object in one of these that describe the error.
const DESCRIPTIONS: [&str; 5] = ["message", "description", "detail", "info", "code"];
/// The fields that hold records, if there are any.
const LISTS: [&str; 8] =
    ["results", "data", "values", "bars", "prices", "historical", "quotes", "items"];
/// The fields that count records.
const COUNTS: [&str; 3] = ["resultscount", "querycount", "count"];
/// The objects in which some vendors wrap an error.
const WRAPPERS: [&str; 3] = ["chart", "finance", "response"];
/// The longest sentence that is shown, in characters.
const SENTENCE_CHARS_MAX: usize = 200;

/// Why a document without records is no data; `None` if it may be a record itself.
pub fn refusal(name: &str, document: &Map<String, Value>) -> Option<FeedError> {
    let name = name.to_owned();
    if let Some(sentence) = sentence(document) {
        let text = sentence.trim().chars().take(SENTENCE_CHARS_MAX).collect();
        return Some(FeedError::VendorAnswer { name, text });
    }
    let is_empty = document.iter().any(|(key, value)| {
        let key = key.to_ascii_lowercase();
        let is_count = COUNTS.contains(&key.as_str()) && value.as_u64() == Some(0);
        is_count || LISTS.contains(&key.as_str()) && has_nothing(value)
    });
    is_empty.then_some(FeedError::NoRecords { name })
}

fn has_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.values().all(has_nothing),
        _ => false,
    }
}

fn sentence(document: &Map<String, Value>) -> Option<String> {
    let field = |wanted: &str| {
        document.iter().find(|(key, _)| key.to_ascii_lowercase() == wanted).map(|(_, value)| value)
    };
    let own = SENTENCES.iter().find_map(|wanted| text(field(wanted)?));
    own.or_else(|| WRAPPERS.iter().find_map(|wanted| sentence(field(wanted)?.as_object()?)))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Object(object) => {
            let described = DESCRIPTIONS.iter().find_map(|name| object.get(*name)?.as_str());
            Some(described.map_or_else(|| value.to_string(), str::to_owned))
        }
        Value::Array(list) if !list.is_empty() => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_sentence_of_the_vendor_is_shown_and_an_empty_result_is_one() {
        let says = |document: Value| refusal("a", document.as_object().unwrap());
        for (document, text) in [
            (json!({"Information": "demo key"}), "demo key"),
            (json!({"Note": "5 calls a minute"}), "5 calls a minute"),
            (json!({"Error Message": "Invalid API call"}), "Invalid API call"),
            (json!({"status": "ERROR", "error": "Unknown API Key"}), "Unknown API Key"),
            (json!({"code": 400, "message": "no symbol", "status": "error"}), "no symbol"),
            (json!({"detail": "Not found."}), "Not found."),
            (json!({"error": {"code": "usage", "message": "over"}}), "over"),
            (json!({"error": true, "message": "over"}), "over"),
            (json!({"chart": {"result": null, "error": {"description": "gone"}}}), "gone"),
        ] {
            let says = says(document.clone()).map(|error| error.to_string());
            let expected = format!("a is not data but an answer of its vendor: {text:?}");
            assert_eq!(says, Some(expected), "{document}");
        }
        for document in [
            json!({"ticker": "A", "resultsCount": 0, "status": "OK"}),
            json!({"results": []}),
            json!({"bars": {"A": []}}),
            json!({"bars": null, "next_page_token": null}),
        ] {
            let says = says(document.clone()).map(|error| error.to_string());
            assert_eq!(says, Some("a holds no records".to_owned()), "{document}");
        }
        assert!(says(json!({"symbol": "A", "date": "2024-01-02"})).is_none());
        let long = says(json!({"Note": "é".repeat(1000)})).unwrap().to_string();
        assert_eq!(long.matches('é').count(), SENTENCE_CHARS_MAX);
    }
}
