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

use crate::http::connection::Progress;
use crate::http::error::Problem;
use crate::http::state::State;

/// A body of JSON; an empty one is an empty object.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let state = State::of(request);
        let bytes_max = state.http.body_bytes_max;
        let timeout_ms = state.http.body_timeout_ms;
        let body = timeout(Duration::from_millis(timeout_ms), Bytes::from_request(request, payload));
        let request = request.clone();
        Box::pin(async move {
            let body = body.await.map_err(|_| Problem::BodyTooSlow { timeout_ms })?;
            let bytes = body.map_err(|e| match e.as_response_error().status_code() {
                actix_web::http::StatusCode::PAYLOAD_TOO_LARGE => Problem::BodyTooLarge { bytes_max },
                _ => Problem::BadRequest,
            })?;
            Progress::body_ends(&request);
            let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
            // A list would be taken for the fields in their order.
            if text.trim_ascii_start().first() != Some(&b'{') {
                return Err(Problem::InvalidBody("expected a JSON object".to_owned()));
            }
            serde_json::from_slice(text).map(Self).map_err(|fault| Problem::InvalidBody(fault.to_string()))
        })
    }
}

/// The bound on a body whose length is not told before.
pub fn bound(bytes_max: u64) -> PayloadConfig {
    PayloadConfig::new(usize::try_from(bytes_max).unwrap_or(usize::MAX))
}

/// A field that is there, `null` or not: left out, it is left alone.
pub fn given<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(field).map(Some)
}
