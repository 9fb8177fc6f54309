//! Successful responses: their media types, JSON bodies, and headers that depend on the content.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use crate::cache::Media;

pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The `Vary` of a response that does not depend on `Accept`.
pub const VARY: HeaderValue = HeaderValue::from_static("Accept-Encoding, Authorization, X-API-Key");
/// The `Vary` of a response whose format `Accept` may choose.
pub const VARY_NEGOTIATED: HeaderValue =
    HeaderValue::from_static("Accept-Encoding, Authorization, X-API-Key, Accept");

/// Names the requested symbols that no stock has. A header, because CSV has no other place.
pub const UNKNOWN: HeaderName = HeaderName::from_static("x-unknown-symbols");

/// Room for the part of a JSON body around its rows.
const FRAME_BYTES: usize = 256;

/// The `Content-Type` of a format.
pub const fn media_type(media: Media) -> HeaderValue {
    match media {
        Media::Json => JSON,
        Media::Csv => HeaderValue::from_static("text/csv; charset=utf-8"),
        Media::Ndjson => HeaderValue::from_static("application/x-ndjson"),
        Media::Svg => HeaderValue::from_static("image/svg+xml"),
    }
}

/// The format that the headers of a response declare.
pub fn media_of(headers: &HeaderMap) -> Media {
    let content_type = headers.get(header::CONTENT_TYPE);
    let is_declared =
        |media: &Media| content_type.is_some_and(|value| *value == media_type(*media));
    Media::ALL.into_iter().find(is_declared).unwrap_or(Media::Json)
}

/// Adds [`UNKNOWN`] to a response, if there are such symbols.
pub fn set_unknown_symbols(response: &mut HttpResponse, symbols: &[String]) {
    if !symbols.is_empty()
        && let Ok(symbols) = HeaderValue::try_from(symbols.join(", "))
    {
        response.headers_mut().insert(UNKNOWN, symbols);
    }
}

/// `value` as JSON. `rows_bytes` is the expected size of its rows.
pub fn to_json<T: Serialize>(value: &T, rows_bytes: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(FRAME_BYTES + rows_bytes);
    serde_json::to_writer(&mut body, value)
        .expect("only a map with keys other than strings can't be written, and there is none");
    body
}

/// A 200 with a JSON body.
pub fn json(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(body)
}
