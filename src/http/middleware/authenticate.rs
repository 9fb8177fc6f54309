//! Authentication: clients of the API by their key, operators by the admin token.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use chrono::{DateTime, Utc};

use super::shared::{refuse, state};
use crate::caller::Caller;
use crate::clock::epoch_ms;
use crate::http::request::client_address;
use crate::http::request::query::key_in;
use crate::http::respond::error::Problem;
use crate::http::server::state::State;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The caller whose key the request has.
///
/// # Errors
/// The problem for the client, if the request has no valid key.
pub async fn authenticate(
    state: &State,
    request: &ServiceRequest,
    now: DateTime<Utc>,
) -> Result<Arc<Caller>, Problem> {
    let token = token(request, state.http.apikey_in_query)?.ok_or(Problem::Unauthorized)?;
    let address = client_address::address(request, &state.http);
    let verified = state.verifier.verify(&token, address, now).await;
    verified.map_err(|error| Problem::from_verify_error(error, epoch_ms(now)))
}

/// Allows only requests with the admin token (`ADMIN_TOKEN`), under a known name of this machine.
/// Other requests end their connection: there are few for operators.
pub async fn operators_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Err(problem) = check_operator(&request) {
        let mut refusal = refuse(request, problem);
        refusal.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        return Ok(refusal);
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn check_operator(request: &ServiceRequest) -> Result<(), Problem> {
    let state = state(request);
    // Browsers always send it.
    if let Some(host) = request.headers().get(header::HOST) {
        let host = String::from_utf8_lossy(host.as_bytes());
        if !state.admin_hosts.knows(&host) {
            return Err(Problem::AdminHost);
        }
    }
    let expected = state.admin_token.as_ref().ok_or(Problem::AdminOff)?;
    let given = request.headers().get(header::AUTHORIZATION).and_then(bearer);
    let is_valid = given.is_some_and(|given| expected.is(given));
    if is_valid { Ok(()) } else { Err(Problem::AdminUnauthorized) }
}

/// The token of a request: `X-API-Key: TOKEN`, `Authorization: Bearer TOKEN` or `?apikey=TOKEN`, in
/// this order. The first that is present counts, even if it is not valid.
fn token(request: &ServiceRequest, may_be_in_query: bool) -> Result<Option<Cow<'_, str>>, Problem> {
    match token_header(request.headers()) {
        Some(token) => Ok(token.map(Cow::Borrowed)),
        None if may_be_in_query => key_in(request.query_string()),
        None => Ok(None),
    }
}

/// The token of the first header that may have one. `None` without such a header, `Some(None)` if
/// its value is no token.
pub fn token_header(headers: &HeaderMap) -> Option<Option<&str>> {
    match headers.get(API_KEY) {
        Some(key) => Some(key.to_str().ok()),
        None => headers.get(header::AUTHORIZATION).map(bearer),
    }
}

/// The token of `Authorization: Bearer TOKEN`, with the scheme in any case.
fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    fn read(request: TestRequest) -> Option<String> {
        token(&request.to_srv_request(), true).ok().flatten().map(Cow::into_owned)
    }

    fn query(key: &str) -> String {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("apikey", key).finish();
        format!("/?limit=5&{query}&end=2012-12-31")
    }

    proptest! {
        #[test]
        fn a_key_is_read_as_it_was_sent_and_the_first_place_counts(
            [api_key, bearer, in_query] in
                prop::array::uniform3(prop::option::of("[!-~]{1,70}")),
            scheme in "(?i)bearer"
        ) {
            let mut request = TestRequest::default();
            if let Some(key) = &api_key {
                request = request.insert_header(("x-api-key", key.as_str()));
            }
            if let Some(key) = &bearer {
                request = request.insert_header(("authorization", format!("{scheme} {key}")));
            }
            if let Some(key) = &in_query {
                request = request.uri(&query(key));
            }
            prop_assert_eq!(read(request), api_key.or(bearer).or(in_query));
        }

        #[test]
        fn any_header_is_read_without_a_panic_and_only_a_bearer_has_a_key(
            value in prop_oneof![
                prop::collection::vec(32u8..=255, 0..80),
                "[A-Za-z]{1,8} [!-~]{1,20}|[Bb]e[Aa]re[Rr] ?[!-~]{0,20}"
                    .prop_map(String::into_bytes),
            ],
        ) {
            let Ok(value) = header::HeaderValue::from_bytes(&value) else { return Ok(()) };
            let request = TestRequest::default().insert_header(("authorization", value.clone()));
            let found = read(request);
            let is_bearer =
                value.to_str().is_ok_and(|value| value.to_lowercase().starts_with("bearer "));
            prop_assert_eq!(found.is_some(), is_bearer);
            let _ = read(TestRequest::default().insert_header(("x-api-key", value)));
        }
    }
}
