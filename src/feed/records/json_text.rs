//! Parses JSON as vendors write it, which may have `NaN` in the place of a missing number.

use serde::de::DeserializeOwned;

/// Numbers that JSON does not have, and that Python's `json.dumps` writes all the same.
const NOT_A_NUMBER: &[u8] = b"NaN";
const INFINITY: &[u8] = b"Infinity";

/// Parses a text. A bare `NaN` is a missing value.
///
/// # Errors
/// If the text is no JSON, or has an infinite number.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let error = match serde_json::from_slice(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match without_nan(text)? {
        Some(text) => serde_json::from_slice(&text).map_err(|e| e.to_string()),
        None => Err(error.to_string()),
    }
}

/// The text with `null` in the place of each `NaN` outside of strings; `None` if there is none.
fn without_nan(text: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut out = Vec::new();
    let (mut copied, mut at, mut is_in_string) = (0, 0, false);
    while at < text.len() {
        match text[at] {
            b'\\' if is_in_string => at += 1,
            b'"' => is_in_string = !is_in_string,
            b'N' if !is_in_string && text[at..].starts_with(NOT_A_NUMBER) => {
                out.extend_from_slice(&text[copied..at]);
                out.extend_from_slice(b"null");
                at += NOT_A_NUMBER.len();
                copied = at;
                continue;
            }
            b'I' if !is_in_string && text[at..].starts_with(INFINITY) => {
                return Err("expected finite numbers, found Infinity".to_owned());
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Ok(None);
    }
    out.extend_from_slice(&text[copied..]);
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_bare_nan_is_a_missing_value_and_infinity_is_refused() {
        let parsed = |text: &str| parse::<Value>(text.as_bytes());
        assert_eq!(parsed(r#"[NaN, 1,{"a":NaN}]"#), Ok(json!([null, 1, {"a": null}])));
        // Within a string it is a text, also after an escaped quote.
        let text = r#"{"name": "NaN \" NaN \\", "x": NaN}"#;
        assert_eq!(parsed(text), Ok(json!({"name": "NaN \" NaN \\", "x": null})));
        for text in ["[Infinity]", "[1, -Infinity]", "[NaN, Infinity]"] {
            let says = "expected finite numbers, found Infinity";
            assert_eq!(parsed(text), Err(says.to_owned()), "{text}");
        }
        for text in ["", "[NaNa]", "[NaN", "\"NaN", "[1,]"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn parsing_any_text_does_not_panic(text in r#"[\\"NaInfity,\[\]]{0,30}"#) {
            let _ = parsed_value(&text);
        }
    }

    fn parsed_value(text: &str) -> Result<Value, String> {
        parse(text.as_bytes())
    }
}
