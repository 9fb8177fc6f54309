//! Serves responses through the cache, and runs the handler once for concurrent requests of a key.

use actix_web::body::{self, BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono::Utc;

use super::shared::{HeaderWriter, put_extension, refuse, state};
use crate::cache::{
    CachedHeaders, CachedResponse, Content, Encoding, Entry, Found, Lifetime, Miss, lifetime,
    lifetime_start,
};
use crate::clock::epoch_ms;
use crate::http::request::cacheable_query::CacheableQuery;
use crate::http::request::context::{CacheOutcome, RequestContext};
use crate::http::request::negotiation::{accepts_gzip, names_tag};
use crate::http::respond::error::Problem;
use crate::http::respond::success::{UNKNOWN, VARY, VARY_NEGOTIATED, media_of, media_type};

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
    // The futures that wait are boxed, so that a request answered from memory does not carry them.
    // Without a data version, a change could not invalidate the response, so it is not cached.
    let Some((version, exchange)) = state.versions.of(&query.depends_on()) else {
        return Box::pin(run_uncached(request, next, query)).await;
    };
    let key = query.canonical(version);
    match state.cache.look_up(&key, epoch_ms(now)).await {
        Found::Hit(entry) => Ok(respond::<Q>(request, &entry, CacheOutcome::Hit)),
        Found::Stale(entry) => Ok(respond::<Q>(request, &entry, CacheOutcome::Stale)),
        Found::Uncacheable => Box::pin(run_uncached(request, next, query)).await,
        Found::Failed => Ok(refuse(request, Problem::RecentlyFailed)),
        Found::Miss(miss) => {
            let content = query.content();
            let lifetime = lifetime(content, &exchange, now, spread(&key));
            put_extension(&request, query);
            Box::pin(run_and_fill::<Q>(request, next, miss, (content, lifetime))).await
        }
    }
}

/// Runs the handler without the cache.
async fn run_uncached<Q: CacheableQuery>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    query: Q,
) -> Result<ServiceResponse<BoxBody>, Error> {
    put_extension(&request, query);
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Runs the handler and fills the cache. If the handler fails, the stale entry is served instead.
async fn run_and_fill<Q: CacheableQuery>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    miss: Miss<'_>,
    (content, lifetime): (Content, Lifetime),
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?;
    let now_ms = epoch_ms(Utc::now());
    if response.status().is_server_error() {
        let Some(stale) = miss.record_failure(now_ms) else {
            return Ok(response.map_into_boxed_body());
        };
        // The response no longer shows the failure, so it is logged here.
        let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
        let cause = problem.and_then(Problem::cause).map(ToString::to_string);
        tracing::warn!(cause, age_s = stale.age_s(now_ms), "a stale response is served");
        let (request, _) = response.into_parts();
        let response = entry_response::<Q>(&request, &stale, CacheOutcome::Stale);
        return Ok(ServiceResponse::new(request, response));
    }
    // A body that is too long to be cached is streamed.
    if response.status() != StatusCode::OK || response.response().body().size() == BodySize::Stream
    {
        miss.mark_uncacheable(now_ms);
        return Ok(response.map_into_boxed_body());
    }
    let (request, response) = response.into_parts();
    let media = media_of(response.headers());
    let header =
        |name| response.headers().get(name).map(|value| Bytes::copy_from_slice(value.as_bytes()));
    let headers = CachedHeaders { link: header(header::LINK), unknown: header(UNKNOWN) };
    // The body is in memory, so this neither waits nor fails.
    let body = body::to_bytes(response.into_body())
        .await
        .map_err(|_| actix_web::error::ErrorInternalServerError(""))?;
    let start_ms = epoch_ms(lifetime_start(content, Utc::now()));
    let entry = miss.fill(CachedResponse { body, media, headers }, lifetime, start_ms);
    let response = entry_response::<Q>(&request, &entry, CacheOutcome::Miss);
    Ok(ServiceResponse::new(request, response))
}

fn respond<Q: CacheableQuery>(
    request: ServiceRequest,
    entry: &Entry,
    outcome: CacheOutcome,
) -> ServiceResponse<BoxBody> {
    let response = entry_response::<Q>(request.request(), entry, outcome);
    request.into_response(response)
}

/// The response to a request from a cache entry: 200, or 304 if the client has it.
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
    let matching = matching_tag(request_headers, entry, &variant.etag);
    let mut response = match matching {
        Some(_) => HttpResponse::NotModified().finish(),
        None => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, media_type(entry.media)))
            .body(variant.body.clone()),
    };
    let (headers, mut writer) = (response.headers_mut(), HeaderWriter::new());
    let fresh_for_s = entry.fresh_for_s(now_ms);
    writer.put(headers, header::CACHE_CONTROL, format_args!("private, max-age={fresh_for_s}"));
    writer.put(headers, header::AGE, format_args!("{}", entry.age_s(now_ms)));
    headers.insert(header::VARY, if Q::NEGOTIATED { VARY_NEGOTIATED } else { VARY });
    let cached = [(header::LINK, &entry.headers.link), (UNKNOWN, &entry.headers.unknown)];
    for (name, value) in cached {
        if let Some(value) = value
            && let Ok(value) = HeaderValue::from_maybe_shared(value.clone())
        {
            headers.insert(name, value);
        }
    }
    headers.insert(X_CACHE, HeaderValue::from_static(outcome.text()));
    if let Ok(etag) = HeaderValue::from_maybe_shared(matching.unwrap_or(&variant.etag).clone()) {
        headers.insert(header::ETAG, etag);
    }
    if matching.is_none() && variant.encoding == Encoding::Gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The entity tag in `If-None-Match` under which the client has this entry, in an encoding that it
/// accepts. `sent` is the tag of the variant that it would get, which is preferred.
///
/// Tags are compared weakly (RFC 9110, 13.1.2), so a proxy may have added `W/`.
fn matching_tag<'a>(headers: &HeaderMap, entry: &'a Entry, sent: &'a Bytes) -> Option<&'a Bytes> {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return None;
    }
    // Without Accept-Encoding, the client accepts all encodings (RFC 9110, 12.5.3).
    let takes_gzip = accepts_gzip(headers) || !headers.contains_key(header::ACCEPT_ENCODING);
    let gzip = takes_gzip.then(|| entry.gzip_etag());
    [Some(sent), Some(&entry.variant(false).etag), gzip]
        .into_iter()
        .flatten()
        .find(|etag| names_tag(headers, etag))
}

/// A number that differs between cache keys, for the jitter of lifetimes.
fn spread(key: &str) -> u32 {
    crc32fast::hash(key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    fn entry(body: &str) -> Entry {
        let lifetime = Lifetime { fresh_s: 60, revalidate_s: 6 };
        Entry::new(CachedResponse::json(body.to_owned()), lifetime, 0)
    }

    fn headers(name: HeaderName, value: &[u8]) -> Option<HeaderMap> {
        let value = HeaderValue::from_bytes(value).ok()?;
        let request = TestRequest::default().insert_header((name, value)).to_http_request();
        Some(request.headers().clone())
    }

    fn matches(entry: &Entry, tags: &str) -> bool {
        let headers = headers(header::IF_NONE_MATCH, tags.as_bytes()).unwrap();
        matching_tag(&headers, entry, &entry.variant(false).etag).is_some()
    }

    proptest! {
        #[test]
        fn a_tag_matches_among_others_and_other_tags_do_not(
            body in ".{0,40}",
            others in prop::collection::vec("(W/)?\"[!#-~&&[^,]]{0,20}\"", 0..4),
            at in any::<prop::sample::Index>(),
            weak: bool,
            blank in " {0,2}"
        ) {
            let entry = entry(&body);
            let tag = std::str::from_utf8(&entry.variant(false).etag).unwrap().to_owned();
            let mut tags = others;
            prop_assert!(!matches(&entry, &tags.join(",")));
            let tag = if weak { format!("W/{tag}") } else { tag };
            tags.insert(at.index(tags.len() + 1), tag);
            let tags = tags.join(&format!("{blank},{blank}"));
            prop_assert!(matches(&entry, &tags), "{}", tags);
        }

        #[test]
        fn any_other_header_matches_only_with_a_star_and_without_a_panic(
            value in prop::collection::vec(32u8..=255, 0..60)
        ) {
            let Some(headers) = headers(header::IF_NONE_MATCH, &value) else { return Ok(()) };
            let entry = entry("{}");
            let matching = matching_tag(&headers, &entry, &entry.variant(false).etag);
            prop_assert!(matching.is_none() || value.contains(&b'*'));
        }

        #[test]
        fn gzip_is_accepted_if_it_is_named_with_a_quality_above_zero(
            others in prop::collection::vec(
                "(br|deflate|identity|zstd)(;q=(0|0\\.[0-9]|1))?",
                0..4
            ),
            at in any::<prop::sample::Index>(),
            tenths in 0u8..=10,
            upper: bool
        ) {
            let name = if upper { "GZIP" } else { "gzip" };
            let mut encodings = others;
            let gzip = format!("{name};q={}.{}", tenths / 10, tenths % 10);
            encodings.insert(at.index(encodings.len() + 1), gzip);
            let headers = headers(header::ACCEPT_ENCODING, encodings.join(", ").as_bytes());
            prop_assert_eq!(accepts_gzip(&headers.unwrap()), tenths > 0);
        }

        #[test]
        fn any_header_is_read_without_a_panic_and_only_gzip_or_a_star_accepts_gzip(
            value in "[ -~]{0,60}"
        ) {
            let headers = headers(header::ACCEPT_ENCODING, value.as_bytes());
            let Some(headers) = headers else { return Ok(()) };
            let names_gzip = value.to_lowercase().contains("gzip") || value.contains('*');
            prop_assert!(!accepts_gzip(&headers) || names_gzip);
        }
    }
}
