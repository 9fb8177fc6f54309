//! The body of a request: bounded, JSON, and nothing in it that nobody reads.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::{Bytes, PayloadConfig};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use tokio::time::timeout;

use crate::http::respond::error::Problem;
use crate::http::server::connection::Progress;
use crate::http::server::state::State;

/// A body of JSON; an empty one is an empty object.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let state = State::of(request);
        let bytes_max = state.http.body_bytes_max;
        let timeout_ms = state.http.body_timeout_ms;
        let body =
            timeout(Duration::from_millis(timeout_ms), Bytes::from_request(request, payload));
        let reading = Progress::read_body(request);
        Box::pin(async move {
            let body = body.await.map_err(|_| Problem::BodyTooSlow { timeout_ms })?;
            let bytes = body.map_err(|e| match e.as_response_error().status_code() {
                actix_web::http::StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::BodyTooLarge { bytes_max }
                }
                _ => Problem::BadRequest,
            })?;
            reading.ends();
            read(&bytes).map(Self)
        })
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    // A list would be taken for the fields in their order.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::InvalidBody("expected a JSON object".to_owned()));
    }
    serde_json::from_slice(text).map_err(|error| Problem::InvalidBody(error.to_string()))
}

/// The bound on a body whose length is not told before.
pub fn bound(bytes_max: u64) -> PayloadConfig {
    PayloadConfig::new(usize::try_from(bytes_max).unwrap_or(usize::MAX))
}

/// A field that is there, `null` or not: left out, it is left alone.
pub fn given<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(field).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::watchlists::write::{WatchlistBody, WatchlistChangeBody};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// JSON of any shape, with the names that bodies have.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 30, 5, |inner| {
            let name = prop::sample::select(vec!["name", "symbols", "add", "remove", "owner", ""])
                .prop_map(str::to_owned);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..4).prop_map(|fields| fields
                    .into_iter()
                    .collect::<serde_json::Map<_, _>>()
                    .into()),
            ]
        })
    }

    fn is_list_of_texts(value: &Value) -> bool {
        value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
    }

    proptest! {
        #[test]
        fn a_body_is_taken_where_each_field_is_known_and_of_its_kind(body in value()) {
            let text = body.to_string();
            let fits = body.as_object().is_some_and(|fields| {
                let fits = |(name, value): (&String, &Value)| match name.as_str() {
                    "name" => value.is_string(),
                    "symbols" => is_list_of_texts(value),
                    _ => false,
                };
                fields.contains_key("name") && fields.iter().all(fits)
            });
            prop_assert_eq!(read::<WatchlistBody>(text.as_bytes()).is_ok(), fits, "{}", text);
            let fits = body.as_object().is_some_and(|fields| fields.iter().all(|(name, value)| match name.as_str() {
                "name" => value.is_string() || value.is_null(),
                "symbols" | "add" | "remove" => is_list_of_texts(value) || value.is_null(),
                _ => false,
            }));
            prop_assert_eq!(read::<WatchlistChangeBody>(text.as_bytes()).is_ok(), fits, "{}", text);
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(
            bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..60), "[ \t\r\n{\"]{0,3}".prop_map(String::into_bytes)]
        ) {
            if let Err(problem) = read::<WatchlistBody>(&bytes) {
                prop_assert!(matches!(&problem, Problem::InvalidBody(why) if !why.is_empty()));
            }
        }
    }

    #[test]
    fn nesting_without_an_end_is_refused() {
        let deep = format!("{{\"name\":{}", "[".repeat(10_000));
        assert!(read::<WatchlistBody>(deep.as_bytes()).is_err());
        assert!(read::<WatchlistBody>(json!([1]).to_string().as_bytes()).is_err());
    }
}
