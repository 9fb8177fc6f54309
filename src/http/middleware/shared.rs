//! Functions that several middlewares use.

use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderValue;
use bytes::{BufMut, BytesMut};

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

    /// Appends to the current value.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.0.put_slice(text.as_bytes());
        self
    }

    /// Appends a number to the current value.
    pub fn number(&mut self, number: impl itoa::Integer) -> &mut Self {
        self.text(itoa::Buffer::new().format(number))
    }

    /// Ends the current value. It is empty if it can't be sent, which only a control character in
    /// it would cause.
    pub fn finish(&mut self) -> HeaderValue {
        let value = self.0.split().freeze();
        HeaderValue::from_maybe_shared(value).unwrap_or(HeaderValue::from_static(""))
    }
}
