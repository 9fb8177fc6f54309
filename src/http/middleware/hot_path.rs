//! Answers repeated requests before the app: from the cache entry that the worker remembers.
//!
//! The app does the same with a router, parsers and several layers of middleware, which cost more
//! than key, limit and entry together. This service decides only on requests that it knows
//! ([`RequestMemo`]), and only if memory suffices for the key ([`KeyMemo`]) and its limit. It
//! passes everything else to the app unchanged. Headers, counts and log lines come from the
//! functions that the app's middleware uses.

use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix_http::{Payload, Request, Response};
use actix_service::{Service, ServiceFactory, apply_fn_factory};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{Error, HttpResponse, ResponseError};
use chrono::Utc;
use futures_util::future::Either;

use super::authenticate::token_header;
use super::boundary::{add_headers, oversized, request_id};
use super::key_memo::KeyMemo;
use super::rate_limit::limit_exceeded;
use super::record::Finished;
use super::request_memo::{Facts, RequestMemo};
use super::trace::span;
use crate::clock::epoch_ms;
use crate::http::request::context::CacheOutcome;
use crate::http::respond::error::Problem;
use crate::http::respond::pieces::in_pieces;
use crate::http::respond::uncached::NO_STORE;
use crate::http::server::progress::Progress;
use crate::http::server::state::State;
use crate::metrics;

type Answer = Response<BoxBody>;

/// Puts the hot path before an app, whose cache fills `requests`.
pub fn hot_path<S>(
    state: &'static State,
    requests: Rc<RefCell<RequestMemo>>,
    app: S,
) -> impl ServiceFactory<Request, Config = (), Response = Answer, Error = Error, InitError = ()>
where
    S: ServiceFactory<
            Request,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        >,
    <S::Service as Service<Request>>::Future: 'static,
{
    let worker = Rc::new(HotPath { state, requests, keys: RefCell::default() });
    apply_fn_factory(app, move |mut request: Request, app: &S::Service| {
        match worker.respond(&mut request) {
            Some(response) => Either::Left(ready(Ok(response))),
            // Boxed, because the connection moves the future of each request.
            None => {
                let response = app.call(request);
                Either::Right(Box::pin(async move { Ok(response.await?.into()) }))
            }
        }
    })
}

/// The hot path of one worker.
struct HotPath {
    state: &'static State,
    requests: Rc<RefCell<RequestMemo>>,
    keys: RefCell<KeyMemo>,
}

impl HotPath {
    /// The response to a request. `None`, with nothing counted, if the app must decide.
    fn respond(&self, request: &mut Request) -> Option<Answer> {
        let (state, started, now) = (self.state, Instant::now(), Utc::now());
        let has_body = !matches!(request.payload(), Payload::None);
        let head = request.head();
        let is_read = head.method == Method::GET || head.method == Method::HEAD;
        let is_busy = state.draining.load(Ordering::Relaxed) || state.activity.is_resting();
        if has_body || !is_read || is_busy {
            return None;
        }
        let mut requests = self.requests.borrow_mut();
        let token = token_header(&head.headers)??;
        let recalled = requests.recall(head, &state.versions, now)?;
        if oversized(head, &state.http).is_some() {
            return None;
        }
        let mut keys = self.keys.borrow_mut();
        let key = keys.recall(state, token, now)?;
        let (client, Facts { route, cost, .. }) = (&key.client, recalled.facts());
        let tier = &client.caller.tier;
        if cost > tier.limit.requests {
            return None;
        }
        // From here on the request counts.
        let decision = state.limiter.admit_from_memory(&key.limiter_state, &client.caller, cost)?;
        state.activity.count_request(started);
        let (span, now_ms) = (span(head, || route, &state.http), epoch_ms(now));
        client.usage.count_request(route, now_ms);
        let id = request_id(&head.headers);
        let problem = (!decision.admitted)
            .then(|| limit_exceeded(&decision, cost, tier, state.http.upgrade_url.as_deref()));
        let (mut response, cache) = match &problem {
            Some(problem) => (with_document(problem, id.to_str().unwrap_or_default()), None),
            None => {
                state.cache.count_hit(recalled.key_to_report(now_ms));
                (recalled.to_response(&head.headers, now_ms), Some(CacheOutcome::Hit))
            }
        };
        let headers = response.headers_mut();
        key.policy.write(headers, &decision, cost, now_ms);
        add_headers(headers, id.clone(), head.headers.contains_key(header::ORIGIN));
        let (method, status, client) = (&head.method, response.status(), Some(client));
        let finished = Finished { method, status, route, client, cache, started };
        span.in_scope(|| finished.log(state, &head.uri, &id, problem.as_ref()));
        finished.count(response.body().size(), &span);
        metrics::hot_path();
        if let Some(progress) = request.conn_data::<Rc<Progress>>() {
            progress.answer_at_once(head);
        }
        Some(response.map_body(|_, body| in_pieces(body, None)).into())
    }
}

fn with_document(problem: &Problem, id: &str) -> HttpResponse {
    let mut response = problem.error_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    response.set_body(BoxBody::new(problem.document(id)))
}
