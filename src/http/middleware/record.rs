//! Records a finished request: in the metrics, the usage of its key, its trace span, and the log.

use std::time::Instant;

use actix_web::body::BodySize;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode, Uri};
use tracing::Span;

use crate::http::request::context::{CacheOutcome, Client};
use crate::http::respond::error::Problem;
use crate::http::server::log::{shown_method, without_keys};
use crate::http::server::state::State;
use crate::metrics::{self, Outcome};
use crate::route::Route;

/// A request and its response, as far as they are recorded.
pub struct Finished<'a> {
    pub method: &'a Method,
    pub status: StatusCode,
    pub route: Route,
    /// `None` without a valid key.
    pub client: Option<&'a Client>,
    /// `None` if the response did not come through the cache.
    pub cache: Option<CacheOutcome>,
    pub started: Instant,
}

impl Finished<'_> {
    /// Records the request in the metrics, the usage of its key, and its span.
    pub fn count(&self, body: BodySize, span: &Span) {
        let Self { route, started, .. } = *self;
        let bytes = match body {
            // The head describes a body that is not sent.
            _ if self.method == Method::HEAD => 0,
            BodySize::Sized(bytes) => bytes,
            BodySize::None | BodySize::Stream => 0,
        };
        let outcome = outcome(self.status, self.cache);
        metrics::request(route, outcome, started.elapsed().as_secs_f64());
        if !span.is_disabled() {
            self.record_in_span(span, outcome);
        }
        if let Some(client) = self.client {
            let from_cache = matches!(outcome, Outcome::CacheHit | Outcome::CacheStale);
            let is_refusal = outcome == Outcome::Limited;
            client.usage.count_response(route, bytes, is_refusal, from_cache);
        }
    }

    fn record_in_span(&self, span: &Span, outcome: Outcome) {
        span.record("http.response.status_code", self.status.as_u16());
        span.record("tickerd.outcome", outcome.text());
        if let Some(client) = self.client {
            span.record("tickerd.key", client.caller.id.as_str());
        }
        if self.status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }

    /// Writes the log line. It has the cause of a server error, which the client does not get.
    pub fn log(&self, state: &State, uri: &Uri, id: &HeaderValue, problem: Option<&Problem>) {
        let failed = self.status.is_server_error();
        let url = uri.path_and_query().map_or("", |url| url.as_str());
        if !state.log.allows_line(failed, url.len()) {
            return;
        }
        let (url, id) = (without_keys(url), id.to_str().unwrap_or_default());
        let key = self.client.map(|client| client.caller.id);
        let key = key.as_ref().map(|key| key.as_str());
        let cache = self.cache.map(CacheOutcome::text);
        let code = problem.map(Problem::code);
        let cause = problem.and_then(Problem::cause).map(ToString::to_string);
        let method = shown_method(self.method);
        let status = self.status.as_u16();
        let ms = self.started.elapsed().as_secs_f64() * 1000.0;
        if failed {
            tracing::error!(request_id = id, method, url, status, ms, key, code, cause, "request");
        } else {
            tracing::info!(request_id = id, method, url, status, ms, key, cache, code, "request");
        }
    }
}

fn outcome(status: StatusCode, cache: Option<CacheOutcome>) -> Outcome {
    match (status, cache) {
        (_, Some(CacheOutcome::Hit)) => Outcome::CacheHit,
        (_, Some(CacheOutcome::Stale)) => Outcome::CacheStale,
        (_, Some(CacheOutcome::Miss)) => Outcome::CacheMiss,
        (StatusCode::UNAUTHORIZED, None) => Outcome::Unauthorized,
        (StatusCode::TOO_MANY_REQUESTS, None) => Outcome::Limited,
        (status, None) if status.is_client_error() => Outcome::ClientError,
        (status, None) if status.is_server_error() => Outcome::ServerError,
        _ => Outcome::Uncached,
    }
}
