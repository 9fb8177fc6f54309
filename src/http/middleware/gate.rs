//! The way in: who calls, and may the caller go on now?

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use chrono::Utc;

use super::authenticate::authenticate;
use super::rate_limit::{beyond, say};
use super::{refuse, state};
use crate::http::error::Problem;
use crate::http::visit::{Guest, Visit};
use crate::http::weight::weight;

/// One layer for two concerns, since each layer of the framework costs every request an allocation
/// or two.
pub async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (state, now) = (state(&request), Utc::now());
    let caller = match authenticate(state, &request, now).await {
        Ok(caller) => caller,
        Err(problem) => return Ok(refuse(request, problem)),
    };
    let (now_ms, usage) = (now.timestamp_millis().unsigned_abs(), state.usage.of(caller.id));
    let weight = Visit::of(request.request(), |visit| {
        usage.came(visit.route, now_ms);
        let _ = visit.guest.set(Guest { caller: caller.clone(), usage });
        weight(visit.route, request.query_string())
    });
    let limit = caller.tier.requests_per_minute;
    if weight > limit {
        return Ok(refuse(request, Problem::TooHeavy { weight, limit }));
    }
    let decision = state.limiter.admit(&caller, weight).await;
    let mut response = if decision.admitted {
        next.call(request).await?.map_into_boxed_body()
    } else {
        refuse(request, beyond(&decision, weight, &caller.tier, state.http.upgrade_url.as_deref()))
    };
    say(response.headers_mut(), &decision, weight, &caller.tier, now_ms);
    Ok(response)
}
