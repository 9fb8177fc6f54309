//! The rate limit of requests without a key: by the address of the client.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use chrono::Utc;

use super::rate_limit::PolicyHeaders;
use super::shared::{refuse, state};
use crate::caller::{HOUR_S, RateLimit};
use crate::clock::epoch_ms;
use crate::http::request::client_address;
use crate::http::request::context::RequestContext;
use crate::http::respond::error::Problem;
use crate::route::Route;

/// The name of the limit in the headers.
const POLICY: &str = "keyless";
/// The cost of each request without a key.
const COST: u32 = 1;

/// The pages and their files do not count. They are in memory, and people load them.
pub async fn anonymous_limit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = state(&request);
    let route = RequestContext::of(request.request(), |context| context.route);
    if route != Route::Other || is_misspelled_api(request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let address = client_address::address(&request, &state.http);
    let Some(decision) =
        state.anonymous_limiter.admit(address, state.limiter.fallback_divisor(HOUR_S)).await
    else {
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
    let now_ms = epoch_ms(Utc::now());
    let policy =
        PolicyHeaders::new(POLICY, RateLimit { requests: decision.limit, window_s: HOUR_S });
    policy.write(response.headers_mut(), &decision, COST, now_ms);
    Ok(response)
}

/// Whether a client with a key has put a slash too many before the path of the API. It gets the
/// right path, and must not share the limit of its address.
fn is_misspelled_api(path: &str) -> bool {
    path.starts_with("//") && path.trim_start_matches('/').starts_with("api/")
}
