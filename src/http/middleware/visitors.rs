//! Pages and documents need no key: whoever asks for them is limited by address.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::rate_limit::say_policy;
use super::{Values, refuse, state};
use crate::http::client;
use crate::http::error::Problem;
use crate::http::visit::Visit;
use crate::limiter::{HOUR_SLOWNESS, WINDOW_S};
use crate::route::Route;

/// The name of the limit in the headers.
const POLICY: &str = "keyless";
const HOUR_S: u64 = WINDOW_S * HOUR_SLOWNESS;

/// A page's own files are free: they are asked for with it, and kept by browsers.
pub async fn visitors(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = state(&request);
    if Visit::of(request.request(), |visit| visit.route) == Route::Asset {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let address = client::address(&request, &state.http.trusted_proxies);
    let Some(decision) = state.visitors.admit(address, state.limiter.shares()).await else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let mut response = if decision.admitted {
        next.call(request).await?.map_into_boxed_body()
    } else {
        refuse(
            request,
            Problem::AddressLimited { limit: decision.limit, retry_after_s: decision.reset_in_s() },
        )
    };
    say_policy(response.headers_mut(), &mut Values::new(), POLICY, &decision, HOUR_S);
    Ok(response)
}
