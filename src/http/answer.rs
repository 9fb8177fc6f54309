//! A successful answer: JSON.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;

pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Room for what surrounds the rows of an answer.
const FRAME_BYTES: usize = 256;

/// `value` as the body of a 200; its rows are expected to take so many bytes.
pub fn json<T: Serialize>(value: &T, rows_bytes: usize) -> HttpResponse {
    let mut body = Vec::with_capacity(FRAME_BYTES + rows_bytes);
    serde_json::to_writer(&mut body, value)
        .expect("an answer has no maps with keys other than text, so it can be written");
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(body)
}
