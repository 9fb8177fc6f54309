//! Functions that several middlewares use.

use std::fmt::{self, Write};

use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::BytesMut;

use crate::http::respond::error::Problem;
use crate::http::server::state::State;

/// Enough for the values that one middleware adds to a response, with tier names of usual length.
const VALUES_BYTES: usize = 128;

pub fn state(request: &ServiceRequest) -> &'static State {
    State::of(request.request())
}

/// The path that the router matches, decoded: percent-encoding must not change a request's cost.
pub fn routed_path(request: &ServiceRequest) -> &str {
    request.match_info().as_str()
}

/// Ends a request with a problem.
pub fn refuse(request: ServiceRequest, problem: Problem) -> ServiceResponse<BoxBody> {
    // `into_response` would drop the problem, which the boundary needs.
    ServiceResponse::from_err(problem, request.into_parts().0)
}

/// Attaches a value to a request, for inner middleware and the handler.
pub fn put_extension<T: 'static>(request: &ServiceRequest, value: T) {
    request.extensions_mut().insert(value);
}

/// Writes header values into one allocation, because each response has about a dozen.
pub struct HeaderWriter(BytesMut);

impl HeaderWriter {
    pub fn new() -> Self {
        Self(BytesMut::with_capacity(VALUES_BYTES))
    }

    /// Adds a header to a response, unless its value can't be sent.
    pub fn put(&mut self, headers: &mut HeaderMap, name: HeaderName, value: fmt::Arguments<'_>) {
        if self.0.write_fmt(value).is_ok()
            && let Ok(value) = HeaderValue::from_maybe_shared(self.0.split().freeze())
        {
            headers.insert(name, value);
        }
    }
}
