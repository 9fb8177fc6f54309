//! Who calls? Nobody gets further without a valid key.

use std::sync::Arc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use chrono::Utc;

use super::{API_KEY, hand_on, refuse, state};
use crate::caller::Caller;
use crate::http::client;
use crate::http::error::Problem;

pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let now = Utc::now();
    let Some(token) = token(&request) else { return Ok(refuse(request, Problem::Unauthorized)) };
    let state = state(&request);
    let address = client::address(&request, &state.http.trusted_proxies);
    let verified = state.verifier.verify(token, address, now).await;
    let caller: Arc<Caller> = match verified {
        Ok(caller) => caller,
        Err(refusal) => {
            let now_ms = now.timestamp_millis().unsigned_abs();
            return Ok(refuse(request, Problem::from_refusal(refusal, now_ms)));
        }
    };
    hand_on(&request, caller);
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// `X-API-Key: TOKEN`, or `Authorization: Bearer TOKEN` with the scheme in any case.
fn token(request: &ServiceRequest) -> Option<&str> {
    if let Some(key) = request.headers().get(API_KEY) {
        return key.to_str().ok();
    }
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
