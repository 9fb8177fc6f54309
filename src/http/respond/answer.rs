//! A successful answer, and what it is written in.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use crate::cache::Media;

pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What an answer depends on, beside its URL; the second where `Accept` has a say.
pub const VARY: HeaderValue = HeaderValue::from_static("Accept-Encoding, Authorization, X-API-Key");
pub const VARY_NEGOTIATED: HeaderValue =
    HeaderValue::from_static("Accept-Encoding, Authorization, X-API-Key, Accept");

/// The media type of a body.
pub const fn media_type(media: Media) -> HeaderValue {
    match media {
        Media::Json => JSON,
        Media::Csv => HeaderValue::from_static("text/csv; charset=utf-8"),
        Media::Ndjson => HeaderValue::from_static("application/x-ndjson"),
        Media::Svg => HeaderValue::from_static("image/svg+xml"),
    }
}

/// What an answer with these headers is written in.
pub fn media_of(headers: &HeaderMap) -> Media {
    let written = headers.get(header::CONTENT_TYPE);
    let is_written = |media: &Media| written.is_some_and(|written| *written == media_type(*media));
    Media::ALL.into_iter().find(is_written).unwrap_or(Media::Json)
}

pub const UNKNOWN: HeaderName = HeaderName::from_static("x-unknown-symbols");

/// Names the symbols of a question that no stock has: in a header, since not every format has
/// another place for them.
pub fn unknown(answer: &mut HttpResponse, symbols: &[String]) {
    if !symbols.is_empty()
        && let Ok(symbols) = HeaderValue::try_from(symbols.join(", "))
    {
        answer.headers_mut().insert(UNKNOWN, symbols);
    }
}

/// Room for what surrounds the rows of an answer.
const FRAME_BYTES: usize = 256;

/// `value` as JSON; its rows are expected to take so many bytes.
pub fn written<T: Serialize>(value: &T, rows_bytes: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(FRAME_BYTES + rows_bytes);
    serde_json::to_writer(&mut body, value)
        .expect("an answer has no maps with keys other than text, so it can be written");
    body
}

/// A 200 with this JSON.
pub fn json(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(body)
}
