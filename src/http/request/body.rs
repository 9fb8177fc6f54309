//! The body of a request: a JSON object of bounded size, without unknown fields.

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
use crate::http::server::progress::Progress;
use crate::http::server::state::State;

/// Extracts a body from JSON. An empty body counts as an empty object.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
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
            reading.finish();
            parse(&bytes).map(Self)
        })
    }
}

/// Parses a body.
///
/// # Errors
/// When it is not a JSON object, or not one that `T` takes.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    // serde would read an array as the fields in their order.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::InvalidBody("expected a JSON object".to_owned()));
    }
    serde_json::from_slice(text).map_err(|error| Problem::InvalidBody(error.to_string()))
}

/// The bound on the size of a body, for bodies that don't declare their length.
pub fn bound(bytes_max: u64) -> PayloadConfig {
    PayloadConfig::new(usize::try_from(bytes_max).unwrap_or(usize::MAX))
}

/// Deserializes a field that is present, also as `null`. With `serde(default)`, an absent field is
/// `None` and stays unchanged.
pub fn given<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(field).map(Some)
}
