//! Serves responses through the cache, and runs the handler once for concurrent requests of a key.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{self, BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::entry_response::EntryHeaders;
use super::request_memo::{Facts, RequestMemo};
use super::shared::{put_extension, refuse, state};
use crate::cache::{
    CachedHeaders, CachedResponse, Content, Entry, Found, Lifetime, Miss, lifetime, lifetime_start,
};
use crate::clock::epoch_ms;
use crate::http::request::cacheable_query::CacheableQuery;
use crate::http::request::context::{CacheOutcome, RequestContext};
use crate::http::request::cost::cost;
use crate::http::request::negotiation::accepts_gzip;
use crate::http::respond::error::Problem;
use crate::http::respond::success::{UNKNOWN, media_of};

pub async fn cache<Q: CacheableQuery>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    // Before the request is parsed and its version read, so that neither is remembered as newer.
    let (state, now) = (state(&request), Utc::now());
    let epoch = state.versions.epoch();
    let query = match Q::parse(request.request()) {
        Ok(query) => query,
        Err(problem) => return Ok(refuse(request, problem)),
    };
    // The futures that wait are boxed, so that a request answered from memory does not carry them.
    // Without a data version, a change could not invalidate the response, so it is not cached.
    let Some((version, exchange)) = state.versions.of(&query.depends_on()) else {
        return Box::pin(run_uncached(request, next, query)).await;
    };
    let key = query.canonical(version);
    match state.cache.look_up(&key, epoch_ms(now)).await {
        Found::Hit(entry) => {
            memoize(&request, &key, &entry, (Q::NEGOTIATED, epoch, now));
            Ok(respond::<Q>(request, &entry, CacheOutcome::Hit))
        }
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

fn entry_response<Q: CacheableQuery>(
    request: &HttpRequest,
    entry: &Entry,
    outcome: CacheOutcome,
) -> HttpResponse {
    RequestContext::of(request, |context| context.cache.set(Some(outcome)));
    let (headers, now_ms) = (request.headers(), epoch_ms(Utc::now()));
    let accepts_gzip = accepts_gzip(headers);
    let variant = match outcome {
        CacheOutcome::Miss => entry.first_variant(accepts_gzip),
        CacheOutcome::Hit | CacheOutcome::Stale => entry.variant(accepts_gzip),
    };
    EntryHeaders::new(entry, variant, Q::NEGOTIATED, now_ms)
        .to_response(headers, entry, variant, outcome, now_ms)
}

/// Lets the next requests of the same form be answered before the router.
fn memoize(
    request: &ServiceRequest,
    key: &str,
    entry: &Arc<Entry>,
    (is_negotiated, epoch, now): (bool, u64, DateTime<Utc>),
) {
    let Some(memo) = request.app_data::<Rc<RefCell<RequestMemo>>>() else { return };
    let (route, cost) = RequestContext::of(request.request(), |context| {
        (context.route, cost(context.route, request.query_string()))
    });
    let facts = Facts { route, cost, is_negotiated, epoch };
    memo.borrow_mut().insert(request.request().head(), key, entry, facts, now);
}

/// A number that differs between cache keys, for the jitter of lifetimes.
fn spread(key: &str) -> u32 {
    crc32fast::hash(key.as_bytes())
}
