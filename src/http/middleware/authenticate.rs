//! Who calls? Nobody gets further without a valid key.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use chrono::{DateTime, Utc};

use super::API_KEY;
use crate::caller::Caller;
use crate::http::client;
use crate::http::error::Problem;
use crate::http::query::key_in;
use crate::http::state::State;

/// The caller whose key the request carries.
///
/// # Errors
/// What the client is told where it carries none that is valid.
pub async fn authenticate(state: &State, request: &ServiceRequest, now: DateTime<Utc>) -> Result<Arc<Caller>, Problem> {
    let token = token(request, state.http.apikey_in_query)?.ok_or(Problem::Unauthorized)?;
    let address = client::address(request, &state.http.trusted_proxies);
    let verified = state.verifier.verify(&token, address, now).await;
    verified.map_err(|refusal| Problem::from_refusal(refusal, now.timestamp_millis().unsigned_abs()))
}

/// `X-API-Key: TOKEN`, else `Authorization: Bearer TOKEN` with the scheme in any case, else `?apikey=TOKEN`. The first
/// that is there counts, whatever the others say.
fn token(request: &ServiceRequest, may_be_in_query: bool) -> Result<Option<Cow<'_, str>>, Problem> {
    let headers = request.headers();
    if let Some(key) = headers.get(API_KEY) {
        return Ok(key.to_str().ok().map(Cow::Borrowed));
    }
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(bearer(request).map(Cow::Borrowed));
    }
    if may_be_in_query { key_in(request.query_string()) } else { Ok(None) }
}

/// The token of `Authorization: Bearer TOKEN`, with the scheme in any case.
pub fn bearer(request: &ServiceRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
