//! What a JSON document says beside its records about all of them.

use serde_json::{Map, Value};

/// The objects beside the records that describe them.
const DESCRIPTIONS: [&str; 3] = ["meta", "metadata", "query"];
/// The fields with the symbol of all rows.
const SYMBOLS: [&str; 2] = ["symbol", "ticker"];
/// The fields with the period of the bars.
const INTERVALS: [&str; 6] =
    ["interval", "timeframe", "timespan", "granularity", "dataGranularity", "resolution"];
/// The fields with the currency of prices or amounts.
const CURRENCIES: [&str; 2] = ["currency", "currency_code"];
/// The fields that say what prices are adjusted for.
const ADJUSTMENTS: [&str; 3] = ["adjusted", "adjustment", "adjust"];
/// The values of `adjust` in adjusted answers of this API.
const OWN_ADJUSTMENTS: [&str; 2] = ["splits", "all"];
/// The words for prices as traded, in lower case.
const AS_TRADED: [&str; 9] = ["", "none", "raw", "false", "no", "n", "0", "off", "unadjusted"];
/// The fields that name the next page.
const NEXT: [&str; 3] = ["next", "next_url", "next_page_token"];

/// What a document says about all of its records.
#[derive(Debug, Default, PartialEq)]
pub struct Stated {
    pub symbol: Option<String>,
    /// The period of each bar.
    pub interval: Option<String>,
    pub currency: Option<String>,
    /// Whether prices are not as traded.
    pub are_prices_adjusted: bool,
    /// The value of `adjust` in an adjusted answer of this API.
    pub own_adjustment: Option<String>,
    /// Whether the document is one page of an answer.
    pub is_page: bool,
}

impl Stated {
    /// Reads the fields of the document, and those of an object that describes the records, such
    /// as Twelve Data's `meta`.
    pub fn of(document: &Map<String, Value>) -> Self {
        let descriptions = DESCRIPTIONS.iter().filter_map(|name| document.get(*name)?.as_object());
        let described: Vec<_> = std::iter::once(document).chain(descriptions).collect();
        let find = |names: &[&str]| {
            described
                .iter()
                .find_map(|object| names.iter().find_map(|name| text(object.get(*name)?)))
        };
        let own_adjustment = document.get("adjust").and_then(text);
        let own_adjustment = own_adjustment.filter(|word| OWN_ADJUSTMENTS.contains(&word.as_str()));
        let adjustment = find(&ADJUSTMENTS).unwrap_or_default().to_ascii_lowercase();
        Self {
            symbol: find(&SYMBOLS),
            interval: find(&INTERVALS),
            currency: find(&CURRENCIES),
            are_prices_adjusted: own_adjustment.is_none()
                && !AS_TRADED.contains(&adjustment.as_str()),
            own_adjustment,
            is_page: NEXT
                .iter()
                .any(|name| document.get(*name).is_some_and(|next| !next.is_null()))
                || is_part(document),
        }
    }

    /// Adds the adjustment of an answer of this API to the records, as its lines have it.
    pub fn add_own_adjustment(&self, records: &mut [Map<String, Value>]) {
        let Some(adjustment) = &self.own_adjustment else { return };
        for record in records {
            record.insert("adjust".to_owned(), Value::String(adjustment.clone()));
        }
    }

    /// Adds the currency to the records, unless they have their own.
    pub fn add_currency(&self, records: &mut [Map<String, Value>]) {
        let Some(currency) = &self.currency else { return };
        let has_own = |record: &Map<String, Value>| {
            record.keys().any(|name| name.to_ascii_lowercase().contains("currency"))
        };
        if records.iter().any(has_own) {
            return;
        }
        for record in records {
            record.insert("currency".to_owned(), Value::String(currency.clone()));
        }
    }
}

/// Whether marketstack's `pagination` counts more records in total than in the document.
fn is_part(document: &Map<String, Value>) -> bool {
    let count = |name: &str| document.get("pagination")?.get(name)?.as_u64();
    count("count").zip(count("total")).is_some_and(|(count, total)| count < total)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stated(document: Value) -> Stated {
        Stated::of(document.as_object().unwrap())
    }

    #[test]
    fn what_a_document_says_is_found_beside_the_records_and_in_meta() {
        let twelve_data = json!({
            "meta": {"symbol": "AAPL", "interval": "1week", "currency": "USD"}, "values": []
        });
        let expected = Stated {
            symbol: Some("AAPL".to_owned()),
            interval: Some("1week".to_owned()),
            currency: Some("USD".to_owned()),
            ..Stated::default()
        };
        assert_eq!(stated(twelve_data), expected);
        for (document, is_adjusted) in [
            (json!({"adjusted": true}), true),
            (json!({"adjusted": "true"}), true),
            (json!({"adjusted": false}), false),
            (json!({"adjustment": "split"}), true),
            (json!({"adjustment": "raw"}), false),
            (json!({"meta": {"adjust": "all"}}), true),
            (json!({"adjust": "none"}), false),
            (json!({"adjusted": null}), false),
        ] {
            assert_eq!(stated(document.clone()).are_prices_adjusted, is_adjusted, "{document}");
        }
    }

    #[test]
    fn one_page_of_several_is_known() {
        for (document, is_page) in [
            (json!({"next_url": "https://example.com", "data": []}), true),
            (json!({"next": null, "data": []}), false),
            (json!({"pagination": {"count": 100, "total": 253}, "data": []}), true),
            (json!({"pagination": {"count": 100, "total": 100}, "data": []}), false),
            (json!({"pagination": {"limit": 100, "total": 1}, "data": []}), false),
        ] {
            assert_eq!(stated(document.clone()).is_page, is_page, "{document}");
        }
    }

    #[test]
    fn a_currency_is_added_to_records_without_their_own() {
        let record = |value: Value| value.as_object().unwrap().clone();
        let stated = stated(json!({"meta": {"currency": "GBp"}}));
        let mut records = [record(json!({"close": 1}))];
        stated.add_currency(&mut records);
        assert_eq!(records[0]["currency"], "GBp");
        let mut records = [record(json!({"close": 1, "Currency_Code": "USD"}))];
        stated.add_currency(&mut records);
        assert_eq!(records[0].len(), 2);
    }
}
