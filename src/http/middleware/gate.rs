//! The way in: who calls, and may the caller go on now?

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use chrono::Utc;

use super::authenticate::authenticate;
use super::rate_limit::{beyond, say};
use super::{refuse, state};
use crate::http::visit::{Guest, Visit};

/// One layer for two concerns, since each layer of the framework costs every request an allocation or two.
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
    Visit::of(request.request(), |visit| {
        usage.came(visit.route, now_ms);
        let _ = visit.guest.set(Guest { caller: caller.clone(), usage });
    });
    let decision = state.limiter.admit(&caller).await;
    let mut response = if decision.admitted {
        next.call(request).await?.map_into_boxed_body()
    } else {
        refuse(request, beyond(&decision, &caller.tier, state.http.upgrade_url.as_deref()))
    };
    say(response.headers_mut(), &decision, &caller.tier, now_ms);
    Ok(response)
}
