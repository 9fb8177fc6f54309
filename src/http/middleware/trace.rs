//! The trace span of a request.

use actix_web::dev::RequestHead;
use tracing::Span;
use tracing::field::Empty;

use crate::config::HttpConfig;
use crate::http::server::log::shown_method;
use crate::route::Route;

/// Opens the span of a request. Its parent is the span that the client sent (W3C Trace Context);
/// only trusted clients decide whether it is kept.
/// Without traces it costs the check of a flag.
#[cfg_attr(
    not(feature = "traces"),
    expect(unused_variables, reason = "only a trace that is exported has a parent")
)]
pub fn span(head: &RequestHead, route: impl Fn() -> Route, http: &HttpConfig) -> Span {
    let method = shown_method(&head.method);
    let route = || route().pattern();
    // Names and attributes follow OpenTelemetry's semantic conventions for HTTP.
    let span = tracing::trace_span!(
        "request",
        otel.name = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route(),
        http.response.status_code = Empty,
        tickerd.outcome = Empty,
        tickerd.key = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format_args!("{method} {}", route()).to_string());
        #[cfg(feature = "traces")]
        parent::set(&span, &head.headers, http.traceparent_trusted);
    }
    span
}

#[cfg(feature = "traces")]
mod parent {
    use actix_web::http::header::HeaderMap;
    use opentelemetry::Context;
    use opentelemetry::propagation::Extractor;
    use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags};
    use tracing::Span;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    pub fn set(span: &Span, headers: &HeaderMap, is_trusted: bool) {
        let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract(&Headers(headers))
        });
        let parent = if is_trusted { parent } else { unsampled(&parent) };
        let _ = span.set_parent(parent);
    }

    /// The same parent, with the flag cleared that asks to keep the trace.
    fn unsampled(parent: &Context) -> Context {
        let given = parent.span().span_context().clone();
        let (trace, span) = (given.trace_id(), given.span_id());
        let state = given.trace_state().clone();
        let parent_span = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, true, state);
        Context::new().with_remote_span_context(parent_span)
    }

    pub struct Headers<'a>(pub &'a HeaderMap);

    impl Extractor for Headers<'_> {
        fn get(&self, name: &str) -> Option<&str> {
            self.0.get(name)?.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(|name| name.as_str()).collect()
        }
    }
}

#[cfg(feature = "traces")]
#[cfg(test)]
mod tests {
    use super::parent::Headers;
    use actix_web::test::TestRequest;
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry::trace::TraceContextExt;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use proptest::prelude::*;

    /// The ids of the trace and the parent span of a request.
    fn parent(traceparent: &[u8]) -> Option<String> {
        let value = actix_web::http::header::HeaderValue::from_bytes(traceparent).ok()?;
        let request =
            TestRequest::default().insert_header(("traceparent", value)).to_http_request();
        let context = TraceContextPropagator::new().extract(&Headers(request.headers()));
        let span = context.span().span_context().clone();
        span.is_valid().then(|| format!("{}-{}", span.trace_id(), span.span_id()))
    }

    proptest! {
        #[test]
        fn only_a_traceparent_names_a_parent(
            trace in 1u128..,
            span in 1u64..,
            flags in 0u8..=1,
            garbage in prop::collection::vec(32u8..=255, 0..60)
        ) {
            let ids = format!("{trace:032x}-{span:016x}");
            prop_assert_eq!(parent(format!("00-{ids}-{flags:02x}").as_bytes()), Some(ids));
            prop_assert!(parent(&garbage).is_none());
        }
    }
}
