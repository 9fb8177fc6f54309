//! A successful answer: JSON.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;

pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// `value` as the body of a 200.
pub fn json<T: Serialize>(value: &T) -> HttpResponse {
    let body =
        serde_json::to_vec(value).expect("an answer has no maps with keys other than text, so it can be written");
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(body)
}
