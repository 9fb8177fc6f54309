//! One concern each; their order is in the parent module.

mod anonymous_limit;
mod authenticate;
mod authorize;
mod boundary;
mod cache;
mod cors;
mod operator;
mod rate_limit;
mod trace;

use std::fmt::{self, Write};

use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::BytesMut;

pub use anonymous_limit::anonymous_limit;
pub use authorize::authorize;
pub use boundary::{boundary, closed_boundary};
pub use cache::{accepts_gzip, cache};
pub use operator::operators_only;

use super::respond::error::Problem;
use super::server::state::State;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn state(request: &ServiceRequest) -> &'static State {
    State::of(request.request())
}

/// The path that the router goes by: decoded. What a request weighs must not hang on how its path
/// was written.
fn routed_path(request: &ServiceRequest) -> &str {
    request.match_info().as_str()
}

/// Ends a request here.
fn refuse(request: ServiceRequest, problem: Problem) -> ServiceResponse<BoxBody> {
    // Not into_response(): that forgets the problem, which the boundary needs.
    ServiceResponse::from_err(problem, request.into_parts().0)
}

/// Leaves something in the request for those further in.
fn put_extension<T: 'static>(request: &ServiceRequest, value: T) {
    request.extensions_mut().insert(value);
}

/// Room for the values that a layer writes into one answer, with names of common length.
const VALUES_BYTES: usize = 128;

/// Header values, cut from one piece of memory: every answer carries a dozen.
struct Values(BytesMut);

impl Values {
    fn new() -> Self {
        Self(BytesMut::with_capacity(VALUES_BYTES))
    }

    /// Puts a header into an answer; one whose value can't be sent is left out.
    fn put(&mut self, headers: &mut HeaderMap, name: HeaderName, value: fmt::Arguments<'_>) {
        if self.0.write_fmt(value).is_ok()
            && let Ok(value) = HeaderValue::from_maybe_shared(self.0.split().freeze())
        {
            headers.insert(name, value);
        }
    }
}
