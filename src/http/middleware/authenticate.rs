//! Who calls? Nobody gets further without a valid key.

use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use chrono::{DateTime, Utc};

use super::API_KEY;
use crate::caller::Caller;
use crate::http::client;
use crate::http::error::Problem;
use crate::http::state::State;

/// The caller whose key the request carries.
///
/// # Errors
/// What the client is told where it carries none that is valid.
pub async fn authenticate(state: &State, request: &ServiceRequest, now: DateTime<Utc>) -> Result<Arc<Caller>, Problem> {
    let token = token(request).ok_or(Problem::Unauthorized)?;
    let address = client::address(request, &state.http.trusted_proxies);
    let verified = state.verifier.verify(token, address, now).await;
    verified.map_err(|refusal| Problem::from_refusal(refusal, now.timestamp_millis().unsigned_abs()))
}

/// `X-API-Key: TOKEN`, or `Authorization: Bearer TOKEN` with the scheme in any case.
fn token(request: &ServiceRequest) -> Option<&str> {
    if let Some(key) = request.headers().get(API_KEY) {
        return key.to_str().ok();
    }
    bearer(request)
}

/// The token of `Authorization: Bearer TOKEN`, with the scheme in any case.
pub fn bearer(request: &ServiceRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
