//! Answers what was answered before: from memory, then from Redis; runs the handler once for all
//! who ask the same.

use actix_web::body::{self, BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{Values, put_extension, refuse, state};
use crate::cache::{
    CachedHeaders, CachedResponse, Encoding, Entry, Found, Lifetime, Miss, lifetime,
};
use crate::http::request::cacheable_query::CacheableQuery;
use crate::http::request::context::{CacheOutcome, RequestContext};
use crate::http::respond::answer::{UNKNOWN, VARY, VARY_NEGOTIATED, media_of, media_type};
use crate::http::respond::error::Problem;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

pub async fn cache<Q: CacheableQuery>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let query = match Q::parse(request.request()) {
        Ok(query) => query,
        Err(problem) => return Ok(refuse(request, problem)),
    };
    let (state, now) = (state(&request), Utc::now());
    // The ways that wait are boxed: those who are answered from memory are not to carry and move
    // them. What nobody has told us the version of can't be cached: no change could make it go out
    // of use.
    let Some((version, exchange)) = state.versions.of(&query.depends_on()) else {
        return Box::pin(ask(request, next, query)).await;
    };
    let key = query.canonical(version);
    match state.cache.look_up(&key, epoch_ms(now)).await {
        Found::Hit(entry) => Ok(answer::<Q>(request, &entry, CacheOutcome::Hit)),
        Found::Stale(entry) => Ok(answer::<Q>(request, &entry, CacheOutcome::Stale)),
        Found::Uncacheable => Box::pin(ask(request, next, query)).await,
        Found::Failed => Ok(refuse(request, Problem::RecentlyFailed)),
        Found::Miss(miss) => {
            let lifetime = lifetime(query.content(), &exchange, now, spread(&key));
            put_extension(&request, query);
            Box::pin(fill::<Q>(request, next, miss, lifetime)).await
        }
    }
}

/// Runs the handler, past the cache.
async fn ask<Q: CacheableQuery>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    query: Q,
) -> Result<ServiceResponse<BoxBody>, Error> {
    put_extension(&request, query);
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Runs the handler and keeps its answer. Where it fails for want of Postgres, the last good answer
/// stands in.
async fn fill<Q: CacheableQuery>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    miss: Miss<'_>,
    lifetime: Lifetime,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?;
    let now_ms = epoch_ms(Utc::now());
    if response.status().is_server_error() {
        let Some(stale) = miss.record_failure(now_ms) else {
            return Ok(response.map_into_boxed_body());
        };
        // The answer no longer shows that something failed: the log has to.
        let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
        let cause = problem.and_then(Problem::cause).map(ToString::to_string);
        tracing::warn!(cause, age_s = stale.age_s(now_ms), "a stale answer stands in");
        return Ok(answer_to::<Q, _>(response, &stale, CacheOutcome::Stale));
    }
    // What is too long to be kept is sent as it is read.
    if response.status() != StatusCode::OK || response.response().body().size() == BodySize::Stream
    {
        miss.mark_uncacheable(now_ms);
        return Ok(response.map_into_boxed_body());
    }
    let (request, response) = response.into_parts();
    // A handler's answer is bytes in memory: there is nothing to wait for and nothing to fail.
    let media = media_of(response.headers());
    let note =
        |name| response.headers().get(name).map(|note| Bytes::copy_from_slice(note.as_bytes()));
    let headers = CachedHeaders { link: note(header::LINK), unknown: note(UNKNOWN) };
    let body = body::to_bytes(response.into_body())
        .await
        .map_err(|_| actix_web::error::ErrorInternalServerError(""))?;
    let entry = miss.fill(CachedResponse { body, media, headers }, lifetime, now_ms);
    let response = entry_response::<Q>(&request, &entry, CacheOutcome::Miss);
    Ok(ServiceResponse::new(request, response))
}

fn answer<Q: CacheableQuery>(
    request: ServiceRequest,
    entry: &Entry,
    outcome: CacheOutcome,
) -> ServiceResponse<BoxBody> {
    let response = entry_response::<Q>(request.request(), entry, outcome);
    request.into_response(response)
}

fn answer_to<Q: CacheableQuery, B>(
    response: ServiceResponse<B>,
    entry: &Entry,
    outcome: CacheOutcome,
) -> ServiceResponse<BoxBody> {
    let (request, _) = response.into_parts();
    let response = entry_response::<Q>(&request, entry, outcome);
    ServiceResponse::new(request, response)
}

fn entry_response<Q: CacheableQuery>(
    request: &HttpRequest,
    entry: &Entry,
    outcome: CacheOutcome,
) -> HttpResponse {
    RequestContext::of(request, |context| context.cache.set(Some(outcome)));
    let request_headers = request.headers();
    let accepts_gzip = accepts_gzip(request_headers);
    let variant = match outcome {
        CacheOutcome::Miss => entry.first_variant(accepts_gzip),
        CacheOutcome::Hit | CacheOutcome::Stale => entry.variant(accepts_gzip),
    };
    let now_ms = epoch_ms(Utc::now());
    let held = held_tag(request_headers, entry, &variant.etag);
    let mut response = match held {
        Some(_) => HttpResponse::NotModified().finish(),
        None => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, media_type(entry.media)))
            .body(variant.body.clone()),
    };
    let (headers, mut values) = (response.headers_mut(), Values::new());
    let fresh_for_s = entry.fresh_for_s(now_ms);
    values.put(headers, header::CACHE_CONTROL, format_args!("private, max-age={fresh_for_s}"));
    values.put(headers, header::AGE, format_args!("{}", entry.age_s(now_ms)));
    headers.insert(header::VARY, if Q::NEGOTIATED { VARY_NEGOTIATED } else { VARY });
    for (name, note) in [(header::LINK, &entry.headers.link), (UNKNOWN, &entry.headers.unknown)] {
        if let Some(note) = note
            && let Ok(note) = HeaderValue::from_maybe_shared(note.clone())
        {
            headers.insert(name, note);
        }
    }
    headers.insert(X_CACHE, HeaderValue::from_static(outcome.text()));
    if let Ok(etag) = HeaderValue::from_maybe_shared(held.unwrap_or(&variant.etag).clone()) {
        headers.insert(header::ETAG, etag);
    }
    if held.is_none() && variant.encoding == Encoding::Gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The tag under which the client holds this very answer already, in an encoding that it takes.
/// What it would be `sent` goes first (RFC 9110, 13.1.2: compared weakly, so a proxy's `W/` is no
/// matter).
fn held_tag<'a>(headers: &HeaderMap, entry: &'a Entry, sent: &'a Bytes) -> Option<&'a Bytes> {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return None;
    }
    let holds = |etag: &Bytes| {
        let lines = headers.get_all(header::IF_NONE_MATCH).filter_map(|tags| tags.to_str().ok());
        let mut tags =
            lines.flat_map(|tags| tags.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == "*" || tag.as_bytes() == etag)
    };
    // Without a word of encodings, all of them will do (12.5.3).
    let takes_gzip = accepts_gzip(headers) || !headers.contains_key(header::ACCEPT_ENCODING);
    let gzip = takes_gzip.then(|| entry.gzip_etag());
    [Some(sent), Some(&entry.variant(false).etag), gzip]
        .into_iter()
        .flatten()
        .find(|etag| holds(etag))
}

/// Whether gzip is among the accepted encodings and not refused by a weight of 0; `*` speaks for it
/// where nothing else does (RFC 9110, 12.5.3).
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let weight_of = |wanted: &str| {
        let accepted = headers
            .get_all(header::ACCEPT_ENCODING)
            .filter_map(|encodings| encodings.to_str().ok());
        accepted.flat_map(|encodings| encodings.split(',')).find_map(|encoding| {
            let (name, weight) = encoding.split_once(';').unwrap_or((encoding, "q=1"));
            let weight =
                weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            name.trim().eq_ignore_ascii_case(wanted).then(|| weight.unwrap_or(0.0))
        })
    };
    weight_of("gzip").or_else(|| weight_of("*")).is_some_and(|weight| weight > 0.0)
}

/// A number of the key's own, for the jitter.
fn spread(key: &str) -> u32 {
    crc32fast::hash(key.as_bytes())
}

fn epoch_ms(time: DateTime<Utc>) -> u64 {
    time.timestamp_millis().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    fn entry(body: &str) -> Entry {
        Entry::new(
            CachedResponse::json(body.to_owned()),
            Lifetime { fresh_s: 60, revalidate_s: 6 },
            0,
        )
    }

    fn headers(name: HeaderName, value: &[u8]) -> Option<HeaderMap> {
        let value = HeaderValue::from_bytes(value).ok()?;
        Some(
            TestRequest::default().insert_header((name, value)).to_http_request().headers().clone(),
        )
    }

    fn is_held(entry: &Entry, tags: &str) -> bool {
        let headers = headers(header::IF_NONE_MATCH, tags.as_bytes()).unwrap();
        held_tag(&headers, entry, &entry.variant(false).etag).is_some()
    }

    proptest! {
        #[test]
        fn a_client_that_names_the_tag_among_others_holds_the_answer_and_one_that_names_others_does_not(
            body in ".{0,40}", others in prop::collection::vec("(W/)?\"[!#-~&&[^,]]{0,20}\"", 0..4), at in any::<prop::sample::Index>(),
            weak: bool, blank in " {0,2}"
        ) {
            let entry = entry(&body);
            let tag = std::str::from_utf8(&entry.variant(false).etag).unwrap().to_owned();
            let mut tags = others;
            prop_assert!(!is_held(&entry, &tags.join(",")));
            tags.insert(at.index(tags.len() + 1), if weak { format!("W/{tag}") } else { tag });
            let tags = tags.join(&format!("{blank},{blank}"));
            prop_assert!(is_held(&entry, &tags), "{}", tags);
        }

        #[test]
        fn no_header_makes_a_panic_nor_an_answer_that_the_client_does_not_hold(value in prop::collection::vec(32u8..=255, 0..60)) {
            let Some(headers) = headers(header::IF_NONE_MATCH, &value) else { return Ok(()) };
            let entry = entry("{}");
            let held = held_tag(&headers, &entry, &entry.variant(false).etag).is_some();
            prop_assert!(!held || value.contains(&b'*'));
        }

        #[test]
        fn gzip_is_sent_to_none_who_refuses_it_and_to_all_who_name_it(
            others in prop::collection::vec("(br|deflate|identity|zstd)(;q=(0|0\\.[0-9]|1))?", 0..4), at in any::<prop::sample::Index>(),
            tenths in 0u8..=10, upper: bool
        ) {
            let name = if upper { "GZIP" } else { "gzip" };
            let mut encodings = others;
            encodings.insert(at.index(encodings.len() + 1), format!("{name};q={}.{}", tenths / 10, tenths % 10));
            let accepted = accepts_gzip(&headers(header::ACCEPT_ENCODING, encodings.join(", ").as_bytes()).unwrap());
            prop_assert_eq!(accepted, tenths > 0);
        }

        #[test]
        fn any_word_of_encodings_is_read_without_a_panic_and_only_gzip_or_a_star_asks_for_gzip(value in "[ -~]{0,60}") {
            let Some(headers) = headers(header::ACCEPT_ENCODING, value.as_bytes()) else { return Ok(()) };
            prop_assert!(!accepts_gzip(&headers) || value.to_lowercase().contains("gzip") || value.contains('*'));
        }
    }
}
