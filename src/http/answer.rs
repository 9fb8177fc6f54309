//! A successful answer: JSON.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;

pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

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
