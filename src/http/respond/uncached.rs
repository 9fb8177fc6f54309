//! Responses that no client and no proxy may store: `Cache-Control: no-store`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;

use super::success::{JSON, to_json};

pub const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The expected size of the rows of a body. One key takes about 400 bytes.
const ROWS_BYTES: usize = 512;

/// A JSON body with this status.
pub fn no_store(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, JSON))
        .insert_header((header::CACHE_CONTROL, NO_STORE))
        .body(to_json(value, ROWS_BYTES))
}

pub fn ok(value: &impl Serialize) -> HttpResponse {
    no_store(StatusCode::OK, value)
}

/// A 201 with the path of the new resource.
pub fn created(path: &str, value: &impl Serialize) -> HttpResponse {
    let mut response = no_store(StatusCode::CREATED, value);
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

/// A 204, after a resource was deleted.
pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, NO_STORE)).finish()
}
