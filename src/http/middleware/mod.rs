//! One concern each; their order is in the parent module.

mod authenticate;
mod boundary;
mod cache;
mod cors;
mod gate;
mod rate_limit;

use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderName;

pub use boundary::boundary;
pub use cache::cache;
pub use gate::gate;

use super::error::Problem;
use super::state::State;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn state(request: &ServiceRequest) -> &'static State {
    request.app_data::<&'static State>().expect("the app has its state")
}

/// Ends a request here.
fn refuse(request: ServiceRequest, problem: Problem) -> ServiceResponse<BoxBody> {
    // Not into_response(): that forgets the problem, which the boundary needs.
    ServiceResponse::from_err(problem, request.into_parts().0)
}

/// Leaves something in the request for those further in.
fn hand_on<T: 'static>(request: &ServiceRequest, value: T) {
    request.extensions_mut().insert(value);
}
