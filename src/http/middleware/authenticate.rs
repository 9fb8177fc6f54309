//! Who calls? Nobody gets further without a valid key.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use chrono::{DateTime, Utc};

use super::API_KEY;
use crate::caller::Caller;
use crate::http::request::client_address;
use crate::http::request::query::key_in;
use crate::http::respond::error::Problem;
use crate::http::server::state::State;

/// The caller whose key the request carries.
///
/// # Errors
/// What the client is told where it carries none that is valid.
pub async fn authenticate(
    state: &State,
    request: &ServiceRequest,
    now: DateTime<Utc>,
) -> Result<Arc<Caller>, Problem> {
    let token = token(request, state.http.apikey_in_query)?.ok_or(Problem::Unauthorized)?;
    let address = client_address::address(request, &state.http.trusted_proxies);
    let verified = state.verifier.verify(&token, address, now).await;
    verified
        .map_err(|error| Problem::from_verify_error(error, now.timestamp_millis().unsigned_abs()))
}

/// `X-API-Key: TOKEN`, else `Authorization: Bearer TOKEN` with the scheme in any case, else
/// `?apikey=TOKEN`. The first that is there counts, whatever the others say.
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
    let (scheme, token) =
        request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
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
        fn a_key_is_read_as_it_was_sent_and_the_first_way_counts(
            [api_key, bearer, asked] in prop::array::uniform3(prop::option::of("[!-~]{1,70}")), scheme in "(?i)bearer"
        ) {
            let mut request = TestRequest::default();
            if let Some(key) = &api_key {
                request = request.insert_header(("x-api-key", key.as_str()));
            }
            if let Some(key) = &bearer {
                request = request.insert_header(("authorization", format!("{scheme} {key}")));
            }
            if let Some(key) = &asked {
                request = request.uri(&query(key));
            }
            prop_assert_eq!(read(request), api_key.or(bearer).or(asked));
        }

        #[test]
        fn any_header_is_read_without_a_panic_and_no_other_scheme_holds_a_key(
            value in prop_oneof![
                prop::collection::vec(32u8..=255, 0..80),
                "[A-Za-z]{1,8} [!-~]{1,20}|[Bb]e[Aa]re[Rr] ?[!-~]{0,20}".prop_map(String::into_bytes),
            ],
        ) {
            let Ok(value) = header::HeaderValue::from_bytes(&value) else { return Ok(()) };
            let found = read(TestRequest::default().insert_header(("authorization", value.clone())));
            let is_bearer = value.to_str().is_ok_and(|value| value.to_lowercase().starts_with("bearer "));
            prop_assert_eq!(found.is_some(), is_bearer);
            let _ = read(TestRequest::default().insert_header(("x-api-key", value)));
        }
    }
}
