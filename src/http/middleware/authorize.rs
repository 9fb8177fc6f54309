//! Authentication and the rate limit of the API.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use chrono::Utc;

use super::authenticate::authenticate;
use super::rate_limit::{PolicyHeaders, limit_exceeded};
use super::shared::{refuse, state};
use crate::caller::Caller;
use crate::clock::epoch_ms;
use crate::http::request::context::{Client, RequestContext};
use crate::http::request::cost::cost;
use crate::http::respond::error::Problem;
use crate::http::respond::pieces::{in_pieces, is_long};
use crate::http::server::state::State;

/// One layer for both, because each layer of actix costs an allocation or two per request.
pub async fn authorize(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = state(&request);
    state.activity.count_request(Instant::now());
    state.activity.wake().await;
    let now = Utc::now();
    let caller = match authenticate(state, &request, now).await {
        Ok(caller) => caller,
        Err(problem) => return Ok(refuse(request, problem)),
    };
    let (now_ms, usage) = (epoch_ms(now), state.usage.of(caller.id));
    let cost = RequestContext::of(request.request(), |context| {
        usage.count_request(context.route, now_ms);
        let _ = context.client.set(Client { caller: caller.clone(), usage });
        cost(context.route, request.query_string())
    });
    let limit = caller.tier.limit;
    if cost > limit.requests {
        return Ok(refuse(request, Problem::CostAboveLimit { cost, limit }));
    }
    let decision = state.limiter.admit(&caller, cost).await;
    let mut response = if decision.admitted {
        count_if_long(next.call(request).await?.map_into_boxed_body(), &caller)
    } else {
        let upgrade_url = state.http.upgrade_url.as_deref();
        refuse(request, limit_exceeded(&decision, cost, &caller.tier, upgrade_url))
    };
    PolicyHeaders::of_tier(&caller.tier).write(response.headers_mut(), &decision, cost, now_ms);
    Ok(response)
}

/// Counts a long response as a stream of its key until it is sent, or refuses it.
fn count_if_long(response: ServiceResponse<BoxBody>, caller: &Caller) -> ServiceResponse<BoxBody> {
    if !is_long(response.response().body().size()) || response.request().method() == Method::HEAD {
        return response;
    }
    match State::of(response.request()).streams.begin(caller.limit_id) {
        Ok(permit) => response.map_body(|_, body| in_pieces(body, Some(permit))),
        Err(limit) => {
            let (request, _) = response.into_parts();
            ServiceResponse::from_err(Problem::from(limit), request)
        }
    }
}
