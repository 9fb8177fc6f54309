//! The rate limit of pages and documents, which need no key: by the address of the client.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::rate_limit::write_policy_headers;
use super::shared::{HeaderWriter, refuse, state};
use crate::http::request::client_address;
use crate::http::request::context::RequestContext;
use crate::http::respond::error::Problem;
use crate::limiter::{TIME_SCALE, WINDOW_S};
use crate::route::Route;

/// The name of the limit in the headers.
const POLICY: &str = "keyless";
/// The window of the limit: an hour.
const HOUR_S: u64 = WINDOW_S * TIME_SCALE;

/// The assets of a page are free: a browser requests them with the page, and caches them.
pub async fn anonymous_limit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = state(&request);
    if RequestContext::of(request.request(), |context| context.route) == Route::Asset {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let address = client_address::address(&request, &state.http.trusted_proxies);
    let Some(decision) =
        state.anonymous_limiter.admit(address, state.limiter.fallback_divisor()).await
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
    let mut writer = HeaderWriter::new();
    write_policy_headers(response.headers_mut(), &mut writer, POLICY, &decision, HOUR_S);
    Ok(response)
}
