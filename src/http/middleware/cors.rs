//! Browsers of any origin may ask: the answers depend on the key alone, and no cookie is ever read.

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// How long a browser may remember that it may ask, in seconds: a day.
const REMEMBER_S: HeaderValue = HeaderValue::from_static("86400");
const ANY: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PATCH, DELETE");
const SENT: HeaderValue =
    HeaderValue::from_static("authorization, content-type, if-none-match, x-api-key, x-request-id");
const SHOWN: HeaderValue = HeaderValue::from_static(
    "age, etag, link, location, ratelimit, ratelimit-policy, retry-after, x-cache, x-ratelimit-cost, x-ratelimit-limit, \
     x-ratelimit-remaining, x-ratelimit-reset, x-request-id, x-unknown-symbols",
);

/// The answer to a browser that asks whether it may ask.
pub fn preflight(request: &ServiceRequest) -> Option<HttpResponse> {
    let headers = request.headers();
    let asks = request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    asks.then(|| {
        HttpResponse::NoContent()
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBER_S))
            .finish()
    })
}

/// Lets a browser's page read an answer and what it says of the limit.
pub fn open(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
}
