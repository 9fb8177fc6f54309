//! Answers that nobody keeps: JSON of the moment, for whoever asked.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;

use super::answer::{JSON, written};

/// Room for the rows of an answer: a key takes about 400 bytes.
const ROWS_BYTES: usize = 512;

pub fn ok(value: &impl Serialize) -> HttpResponse {
    answer(StatusCode::OK, value)
}

/// A 201 for what is from now on found at `path`.
pub fn created(path: &str, value: &impl Serialize) -> HttpResponse {
    let mut answer = answer(StatusCode::CREATED, value);
    if let Ok(path) = HeaderValue::from_str(path) {
        answer.headers_mut().insert(header::LOCATION, path);
    }
    answer
}

fn answer(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, JSON))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(written(value, ROWS_BYTES))
}

/// A 204 for what is gone.
pub fn nothing() -> HttpResponse {
    HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish()
}
