//! The outermost middleware.
//!
//! It checks the sizes of a request, gives it an id, and starts its context and trace span. On the
//! way out it adds the headers that every response has, writes the body of an error, and records
//! metrics, usage and the log line.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Version};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, ResponseError};
use tracing::Instrument;

use super::cors;
use super::record::Finished;
use super::shared::{refuse, routed_path, state};
use super::trace::span;
use crate::config::HttpConfig;
use crate::http::request::context::RequestContext;
use crate::http::request::negotiation::wants_html;
use crate::http::respond::error::Problem;
use crate::http::respond::pieces::in_pieces;
use crate::http::respond::uncached::NO_STORE;
use crate::http::server::progress::{Progress, RespondingGuard};
use crate::keys::TOKEN_PREFIX;
use crate::route::Route;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 64;
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// A URL may contain a key, which a browser must not send to other sites.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// A response is data: a browser that shows it runs and loads nothing.
const NOTHING_ACTIVE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The boundary of the public API, which pages of any origin may use.
pub async fn boundary(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let route = || Route::of(routed_path(&request));
    let span = span(request.request().head(), route, &state(&request).http);
    let response = handle(request, next, true, started).instrument(span.clone()).await?;
    let body = response.response().body().size();
    with_finished(&response, started, |finished| finished.count(body, &span));
    Ok(response)
}

/// The boundary of the admin port, which pages of other origins can't use.
pub fn closed_boundary(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> {
    handle(request, next, false, Instant::now())
}

async fn handle(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    allows_any_origin: bool,
    started: Instant,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = state(&request);
    let has_open_body = request.chunked().unwrap_or(false);
    let progress = request.conn_data::<Rc<Progress>>();
    let responding = Progress::begin(progress, request.request().head(), has_open_body);
    RequestContext::begin(&request, routed_path(&request));
    let id = request_id(request.headers());
    let has_origin = allows_any_origin && request.headers().contains_key(header::ORIGIN);
    let mut response = if let Some(problem) = oversized(request.request().head(), &state.http) {
        refuse(request, problem)
    } else if let Some(preflight) = cors::preflight(&request).filter(|_| allows_any_origin) {
        request.into_response(preflight)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = with_document(response, id.to_str().unwrap_or_default());
    }
    add_headers(response.headers_mut(), id.clone(), has_origin);
    if state.draining.load(Ordering::Relaxed) || responding.leaves_body_open() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    with_finished(&response, started, |finished| {
        finished.log(state, response.request().uri(), &id, problem_of(&response));
    });
    // A streamed response is in progress until its body ends.
    let is_stream = matches!(response.response().body().size(), BodySize::Stream);
    // HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
    if is_stream && response.request().version() < Version::HTTP_11 {
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    Ok(response.map_body(|_, body| match is_stream {
        true => BoxBody::new(Streamed { body, _guard: responding }),
        false => in_pieces(body, None),
    }))
}

/// Adds the headers that every response has.
pub fn add_headers(headers: &mut HeaderMap, id: HeaderValue, allows_any_origin: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    // The pages have a policy of their own, which allows their assets.
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, NOTHING_ACTIVE);
    }
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    if allows_any_origin {
        cors::allow_any_origin(headers);
    }
    headers.insert(REQUEST_ID, id);
}

/// A body that is produced while it is sent.
struct Streamed {
    body: BoxBody,
    _guard: RespondingGuard,
}

impl MessageBody for Streamed {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// The id that the client sent, if it can be logged, otherwise a new one.
pub fn request_id(headers: &HeaderMap) -> HeaderValue {
    let can_be_logged = |id: &str| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && !id.contains(TOKEN_PREFIX)
    };
    match headers.get(REQUEST_ID) {
        Some(id) if id.to_str().is_ok_and(can_be_logged) => id.clone(),
        _ => {
            let random: u64 = rand::random();
            let digits: [u8; 16] =
                std::array::from_fn(|at| b"0123456789abcdef"[(random >> (4 * at)) as usize & 15]);
            HeaderValue::from_bytes(&digits).expect("hexadecimal digits are valid in a header")
        }
    }
}

/// The problem with a request that is too large. The bounds of actix are wider: 128 KiB for the
/// head, and 96 headers.
pub fn oversized(head: &RequestHead, config: &HttpConfig) -> Option<Problem> {
    let (url_bytes_max, headers) = (config.url_bytes_max, &head.headers);
    if head.uri.path_and_query().is_some_and(|url| url.as_str().len() > url_bytes_max) {
        return Some(Problem::UrlTooLong { bytes_max: url_bytes_max });
    }
    let header_bytes: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header_bytes > config.header_bytes_max {
        return Some(Problem::HeadersTooLarge { bytes_max: config.header_bytes_max });
    }
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok()?;
    (length > config.body_bytes_max)
        .then_some(Problem::BodyTooLarge { bytes_max: config.body_bytes_max })
}

/// Writes the body of an error response: a page for a browser outside of the API, a document
/// otherwise.
fn with_document(mut response: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    let request = response.request();
    let is_page = !request.path().starts_with("/api/") && wants_html(request.headers());
    let text = |problem: &Problem| {
        if is_page { problem.page(id).into_bytes() } else { problem.document(id) }
    };
    let document = match problem_of(&response) {
        Some(problem) => text(problem),
        // A readiness check has a body of its own.
        None if response.headers().contains_key(header::CONTENT_TYPE) => return response,
        // An error response of actix.
        None => {
            let problem = Problem::from_status(response.status());
            response.response_mut().head_mut().status = problem.status_code();
            text(&problem)
        }
    };
    let media_type = if is_page { "text/html; charset=utf-8" } else { "application/problem+json" };
    response.map_body(|head, _| {
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        head.headers.insert(header::CACHE_CONTROL, NO_STORE);
        BoxBody::new(document)
    })
}

fn problem_of<B>(response: &ServiceResponse<B>) -> Option<&Problem> {
    response.response().error().and_then(|error| error.as_error::<Problem>())
}

fn with_finished(
    response: &ServiceResponse<BoxBody>,
    started: Instant,
    record: impl FnOnce(&Finished<'_>),
) {
    let request = response.request();
    RequestContext::of(request, |context| {
        record(&Finished {
            method: request.method(),
            status: response.status(),
            route: context.route,
            client: context.client.get(),
            cache: context.cache.get(),
            started,
        });
    });
}
