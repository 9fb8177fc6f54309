//! May the caller go on now? Every answer says where the limit stands.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use chrono::Utc;

use super::{refuse, state};
use crate::caller::Caller;
use crate::http::error::Problem;
use crate::limiter::{Decision, WINDOW_S};

/// The tier whose callers are told where a better one is sold.
const FREE_TIER: &str = "free";

pub async fn rate_limit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = state(&request);
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    let Some(caller) = caller else { return Ok(refuse(request, Problem::Unauthorized)) };
    let decision = state.limiter.admit(&caller).await;
    let now_ms = Utc::now().timestamp_millis().unsigned_abs();
    let mut response = if decision.admitted {
        next.call(request).await?.map_into_boxed_body()
    } else {
        let upgrade = state.http.upgrade_url.clone().filter(|_| caller.tier.name == FREE_TIER);
        refuse(request, Problem::RateLimited { limit: decision.limit, retry_after_s: decision.reset_in_s(), upgrade })
    };
    say(response.headers_mut(), &decision, &caller.tier.name, now_ms);
    Ok(response)
}

/// The headers of common use, and those of the IETF's draft (draft-ietf-httpapi-ratelimit-headers).
fn say(headers: &mut HeaderMap, decision: &Decision, tier: &str, now_ms: u64) {
    let Decision { limit, remaining, .. } = *decision;
    let mut set = |name, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    set("x-ratelimit-limit", limit.into());
    set("x-ratelimit-remaining", remaining.into());
    set("x-ratelimit-reset", (now_ms + decision.reset_in_ms).into());
    let policy = format!("\"{tier}\";q={limit};w={WINDOW_S}");
    let now = format!("\"{tier}\";r={remaining};t={}", decision.reset_in_s());
    for (name, text) in [("ratelimit-policy", policy), ("ratelimit", now)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            set(name, value);
        }
    }
}
